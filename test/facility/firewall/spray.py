"""Sends UDP datagrams, each from another port, so that each begins a flow. Says how many it sent when it is written to.

Arguments: interface, own MAC, own IPv4, target MAC, target IPv4, target port, datagrams a second.
"""
import select
import socket
import struct
import sys
import time

interface, own_mac, own, mac, target, port, rate = sys.argv[1:]
rate = int(rate)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(source_port):
    body = b"spray---"
    udp = struct.pack("!HHHH", source_port, int(port), 8 + len(body), 0) + body
    addresses = socket.inet_aton(own) + socket.inet_aton(target)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    macs = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex(own_mac.replace(":", ""))
    return macs + struct.pack("!H", 0x0800) + head + udp


frames = [frame(p) for p in range(1024, 65536)]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((interface, 0))
sent = 0
begun = time.monotonic()
print("ready", flush=True)
while True:
    due = int((time.monotonic() - begun) * rate) - sent
    for _ in range(due):
        try:
            out.send(frames[sent % len(frames)])
            sent += 1
        except OSError:
            break
    if select.select([sys.stdin], [], [], 0.001)[0]:
        break
print(f"sent {sent}", flush=True)
