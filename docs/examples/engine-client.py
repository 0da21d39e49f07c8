"""An engine that speaks to BMonitor: it says that it lives, answers questions, and reports an error. Needs nothing but Python."""
import json
import socket
import threading
import time


class BMonitor:
    def __init__(self, answer, path="/run/bmonitor/socket"):
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf8")
        self.replies = {}
        self.changed = threading.Condition()
        self.last = 0
        threading.Thread(target=self.listen, daemon=True).start()

    def write(self, words):
        self.socket.sendall((json.dumps(words) + "\n").encode())

    def listen(self):
        for line in self.lines:
            said = json.loads(line)
            if "ask" in said:
                self.write({"do": "answer", "ask": said["ask"], "text": self.answer(said["of"], said["text"])})
            elif "id" in said:
                with self.changed:
                    self.replies[said["id"]] = said
                    self.changed.notify_all()

    def do(self, what, **words):
        with self.changed:
            self.last += 1
            number = self.last
        self.write({"do": what, "id": number, **words})
        with self.changed:
            self.changed.wait_for(lambda: number in self.replies)
            said = self.replies.pop(number)
        if "error" in said:
            raise RuntimeError(said["error"])
        return said


if __name__ == "__main__":
    bmonitor = BMonitor(lambda of, text: f"{of} heard {text}")
    bmonitor.do("serve", name="worker-1")
    config = bmonitor.do("config")["config"]
    bmonitor.do("error", text=f"{config['name']} has {config['settings']['memory_mb']} MiB")
    while True:
        bmonitor.do("beat")
        time.sleep(1)
