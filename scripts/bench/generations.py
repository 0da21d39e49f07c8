"""Says when the kernel put changes of rules into force, in the namespace it runs in.

A line for each generation of rules: the time on the clock that does not step, in milliseconds, and which of the named tables changed in it.
"""

import os
import socket
import sys
import time

NETLINK_NETFILTER, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 12, 270, 1
NFNLGRP_NFTABLES, NFT_MSG_NEWGEN = 7, 15
RECEIVE_BUFFER_FORCED = 33

sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
sock.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCED, 64 << 20)
sock.bind((0, 0))
sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
# It says when something happened, not when it had a turn.
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
print("ready", flush=True)


names = [(name, name.encode() + b"\0") for name in sys.argv[1:]]
changed = set()
while True:
    data = sock.recv(1 << 20)
    now_ms = time.monotonic_ns() / 1e6
    # Changes of ten thousand elements come at once: they are only searched for the names.
    changed.update(name for name, text in names if text in data)
    if data[4] == NFT_MSG_NEWGEN:
        sys.stdout.write(f"{now_ms:.3f} {' '.join(sorted(changed))}\n")
        sys.stdout.flush()
        changed = set()
