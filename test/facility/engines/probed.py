"""An engine that answers probes as it is told to: who changes /mode makes it hang, answer wrong, or fall silent."""
import json, os, socket, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if os.path.exists("/mode"):
    os.remove("/mode")


def mode():
    try:
        return open("/mode").read().strip()
    except OSError:
        return "well"


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        if mode() == "hung":
            time.sleep(1000)
        self.send_response(500 if mode() == "wrong" else 200)
        self.end_headers()
        self.wfile.write(b"all is well" if mode() != "strange" else b"all is strange")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 8080), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()


def connected():
    while True:
        try:
            one = socket.socket(socket.AF_UNIX)
            one.connect("/run/bmonitor/socket")
            return one
        except OSError:
            time.sleep(0.05)


def say(one, words):
    one.sendall((json.dumps(words) + "\n").encode())


def worker():
    while True:
        try:
            one = connected()
            say(one, {"do": "serve", "name": "worker"})
            for line in one.makefile():
                said = json.loads(line)
                if "ask" in said and mode() != "worker hung":
                    answer = "no" if mode() == "worker wrong" else "yes"
                    say(one, {"do": "answer", "ask": said["ask"], "text": answer})
        except OSError:
            pass


threading.Thread(target=worker, daemon=True).start()
beats = connected()
while True:
    if mode() == "silent":
        server.socket.close()
        time.sleep(1000)
    try:
        if mode() != "still":
            say(beats, {"do": "beat"})
    except OSError:
        beats = connected()
    time.sleep(0.2)
