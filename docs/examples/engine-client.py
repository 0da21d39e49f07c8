"""An engine that speaks to BMonitor: it says that it lives, answers questions, reports an error, takes and sends messages, knows a secret, and asks for memory.
Needs nothing but Python."""
import collections
import json
import socket
import threading
import time


class BMonitor:
    def __init__(self, answer, told=print, path="/run/bmonitor/socket"):
        self.answer = answer
        self.told = told
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf8")
        self.replies = {}
        self.changed = threading.Condition()
        self.last = 0
        self.lost = False
        threading.Thread(target=self.listen, daemon=True).start()

    def write(self, words):
        self.socket.sendall((json.dumps(words) + "\n").encode())

    def answered(self, ask, of, text):
        self.write({"do": "answer", "ask": ask, "text": self.answer(of, text)})

    def listen(self):
        try:
            for line in self.lines:
                self.heard(json.loads(line))
        except OSError:
            pass
        with self.changed:
            self.lost = True
            self.changed.notify_all()

    def heard(self, said):
        if "ask" in said:
            threading.Thread(target=self.answered, args=(said["ask"], said["of"], said["text"])).start()
        elif "id" in said:
            with self.changed:
                self.replies[said["id"]] = said
                self.changed.notify_all()
        elif "message" in said or "tell" in said:
            # A message of another engine, or that a secret was replaced.
            self.told(said)

    def do(self, what, **words):
        with self.changed:
            self.last += 1
            number = self.last
        self.write({"do": what, "id": number, **words})
        with self.changed:
            self.changed.wait_for(lambda: number in self.replies or self.lost)
            if number not in self.replies:
                raise ConnectionError("BMonitor went away")
            said = self.replies.pop(number)
        if "error" in said:
            raise RuntimeError(said["error"])
        return said


if __name__ == "__main__":
    # The last of them only: whoever may send must not fill this memory.
    messages = collections.deque(maxlen=100)

    def answer(of, text):
        """What it is asked, it does: "send web hello", "secret password", "memory 300", "messages"."""
        what, _, rest = text.partition(" ")
        try:
            if what == "send":
                to, _, words = rest.partition(" ")
                bmonitor.do("send", to=to, text=words)
                return "sent"
            if what == "secret":
                return bmonitor.do("secret", name=rest)["text"]
            if what == "memory":
                return json.dumps(bmonitor.do("memory", **({"mb": int(rest)} if rest else {})))
            if what == "messages":
                return json.dumps(list(messages))
        except RuntimeError as error:
            return f"refused: {error}"
        return f"{of} heard {text}"

    while True:
        try:
            bmonitor = BMonitor(answer, messages.append)
            bmonitor.do("serve", name="worker-1")
            bmonitor.do("receive")
            config = bmonitor.do("config")["config"]
            bmonitor.do("error", text=f"{config['name']} has {config['settings']['memory_mb']} MiB")
            while True:
                bmonitor.do("beat")
                time.sleep(1)
        except (OSError, RuntimeError):
            # BMonitor is restarted or upgraded, or has only just started: this goes on, and connects again.
            time.sleep(0.2)
