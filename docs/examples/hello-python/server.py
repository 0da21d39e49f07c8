"""A small web server, to be worked on with `console-app dev`: change what it says, save, and ask again."""

import code
import os
import signal
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = os.environ.get("GREETING", "Hello")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{GREETING} from Python {sys.version.split()[0]}\n".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Console(socketserver.StreamRequestHandler):
    """Python's own prompt inside the running program: what a debugger needs least. Only while somebody works on it."""

    def handle(self):
        prompt = code.InteractiveConsole(globals())
        while line := self.rfile.readline().decode():
            said = []
            prompt.write = said.append
            sys.displayhook = lambda value: value is None or said.append(f"{value!r}\n")
            prompt.push(line.rstrip("\n"))
            self.wfile.write("".join(said).encode())


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if port := os.environ.get("CONSOLE"):
    console = socketserver.ThreadingTCPServer(("127.0.0.1", int(port)), Console)
    threading.Thread(target=console.serve_forever, daemon=True).start()
print("listening on 8080")
ThreadingHTTPServer(("", 8080), Handler).serve_forever()
