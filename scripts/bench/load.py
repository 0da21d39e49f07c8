"""Loads a path with packets and prints how many a second it carried, seen from who sends.

With veth, the sender's own system call carries a packet through the receiver's whole stack, so its pace is the path's.
Seconds are those of the sender's processor time: what else the machine does is not counted.

load.py udp ADDRESS PORT SECONDS     small datagrams of one known flow
load.py tcp ADDRESS PORT SECONDS     connections, opened and closed
load.py serve ADDRESS PORT           takes and closes connections until killed
"""
import socket
import struct
import sys
import time

kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET

if kind == "serve":
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(1024)
    # Bound and never read: datagrams are dropped at the end of the path, after every filter.
    sink = socket.socket(family, socket.SOCK_DGRAM)
    sink.bind((address, port))
    print("ready", flush=True)
    while True:
        server.accept()[0].close()

seconds = float(sys.argv[4])
done = 0
begun = time.process_time()
if kind == "udp":
    out = socket.socket(family, socket.SOCK_DGRAM)
    out.connect((address, port))
    send = out.send
    while time.process_time() - begun < seconds:
        for _ in range(500):
            send(b"0123456789abcdef")
        done += 500
else:
    reset = struct.pack("ii", 1, 0)
    while time.process_time() - begun < seconds:
        for _ in range(20):
            client = socket.socket(family, socket.SOCK_STREAM)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            client.connect((address, port))
            client.close()
        done += 20
print(f"rate {done / (time.process_time() - begun)}", flush=True)
