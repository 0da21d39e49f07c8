"""A bad cable: carries frames between two interfaces of its namespace, late and with losses.

Not every kernel has netem. Frames keep their virtio header, so that segments and checksums which the kernel left
unfinished stay so. Reads {"delay": seconds, "jitter": seconds, "loss": 0..1} lines on stdin.
"""

import collections
import json
import random
import select
import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23


def open_end(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((name, 3))
    sock.setblocking(False)
    return sock


ends = [open_end(name) for name in sys.argv[1:3]]
across = {ends[0]: ends[1], ends[1]: ends[0]}
queues = {end: collections.deque() for end in ends}
state = {"delay": 0.0, "jitter": 0.0, "loss": 0.0}


def take(end):
    while True:
        try:
            frame = end.recv(1 << 17)
        except BlockingIOError:
            return
        if random.random() < state["loss"]:
            continue
        due = time.monotonic() + state["delay"] + random.uniform(0, state["jitter"])
        queue = queues[across[end]]
        # A cable delivers in order, however late.
        queue.append((max(due, queue[-1][0]) if queue else due, frame))


def give(now):
    for end, queue in queues.items():
        while queue and queue[0][0] <= now:
            try:
                end.send(queue.popleft()[1])
            except OSError:
                pass  # the interface is down: a cable loses what nobody takes


print("ready", flush=True)
while True:
    due = min((queue[0][0] for queue in queues.values() if queue), default=None)
    wait = None if due is None else max(0, due - time.monotonic())
    readable, _, _ = select.select([sys.stdin, *ends], [], [], wait)
    for source in readable:
        if source is sys.stdin:
            line = sys.stdin.readline()
            if not line:
                sys.exit(0)
            state.update(json.loads(line))
            print("set", flush=True)
        else:
            take(source)
    give(time.monotonic())
