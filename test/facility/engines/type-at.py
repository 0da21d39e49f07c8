"""Runs a program on a terminal of its own and types to it: waits for a text, then types the next, and prints all that was shown."""
import json, os, pty, select, sys, time, fcntl, struct, termios

steps = json.loads(sys.argv[1])
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 37, 119, 0, 0))
seen = b""
at = 0
until = time.monotonic() + 60
while time.monotonic() < until:
    if not select.select([master], [], [], 1)[0]:
        continue
    try:
        piece = os.read(master, 65536)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    while steps and steps[0][0].encode() in seen[at:]:
        at = seen.index(steps[0][0].encode(), at) + len(steps[0][0].encode())
        os.write(master, steps.pop(0)[1].encode())
else:
    os.kill(pid, 9)
_, status = os.waitpid(pid, 0)
print(json.dumps({"seen": seen.decode("utf8", "replace"), "code": os.waitstatus_to_exitcode(status), "left": len(steps)}))
