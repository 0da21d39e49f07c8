"""Sends packets to a machine without a pause, as a stranger, and counts what comes back from it, whatever it is.

Arguments: interface, the machine's MAC, the machine's IPv4, the stranger's IPv4, the console's IPv4. For each line on standard input it says
how many packets it sent and what it heard since the line before.
"""
import json
import os
import select
import socket
import struct
import sys
import time

interface, mac, target, stranger, console = sys.argv[1:]
machine = bytes.fromhex(mac.replace(":", ""))
own = bytes.fromhex("525400000099")
link_local = socket.inet_pton(socket.AF_INET6, "fe80::5054:ff:fe00:7")
own6 = socket.inet_pton(socket.AF_INET6, "fe80::99")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol, body):
    addresses = socket.inet_aton(stranger) + socket.inet_aton(target)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0) + addresses
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return machine + own + b"\x08\x00" + head + body


def tcp(port):
    head = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 1024, 0, 0)
    pseudo = socket.inet_aton(stranger) + socket.inet_aton(target) + struct.pack("!BBH", 0, 6, len(head))
    return ipv4(6, head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:])


def udp(port):
    return ipv4(17, struct.pack("!HHHH", 40000, port, 12, 0) + b"hey!")


def echo4():
    body = struct.pack("!BBHHH", 8, 0, 0, 7, 7)
    return ipv4(1, body[:2] + struct.pack("!H", checksum(body)) + body[4:])


def echo6():
    body = struct.pack("!BBHHH", 128, 0, 0, 7, 7)
    pseudo = own6 + link_local + struct.pack("!IHBB", len(body), 0, 0, 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 64) + own6 + link_local
    return machine + own + b"\x86\xdd" + head + body


def kind(frame):
    """What the machine said, in a word; the words below are what a closed machine may say."""
    protocol = struct.unpack("!H", frame[12:14])[0]
    if protocol == 0x0806:
        return "arp"
    if protocol == 0x0800:
        to, number, ports = frame[30:34], frame[23], frame[34:38]
        if to == socket.inet_aton(console):
            return "console"
        if number == 17 and ports == struct.pack("!HH", 68, 67):
            return "dhcp"
        return f"ipv4 {number} to {socket.inet_ntoa(to)}"
    if protocol == 0x86DD:
        if frame[20] == 0 or (frame[20] == 58 and frame[54] in (133, 135, 136, 143)):
            return "neighbours"
        return f"ipv6 {frame[20]}.{frame[54]}"
    return hex(protocol)


frames = [echo4(), echo6(), tcp(22), tcp(7443), tcp(9), udp(53), udp(7443), udp(68)]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((interface, 0))
wire.setblocking(False)
sent, heard, due = 0, {}, time.monotonic()
print("ready", flush=True)
while True:
    readable = select.select([sys.stdin, wire], [], [], max(0, due - time.monotonic()))[0]
    if wire in readable:
        try:
            frame = wire.recv(2048)
            if frame[6:12] == machine:
                heard[kind(frame)] = heard.get(kind(frame), 0) + 1
        except OSError:
            time.sleep(0.01)
    if sys.stdin in readable:
        if not os.read(0, 4096):
            break
        print(json.dumps({"sent": sent, "heard": heard}), flush=True)
        sent, heard = 0, {}
    if time.monotonic() >= due:
        due = time.monotonic() + 0.02
        for frame in frames:
            try:
                wire.send(frame)
                sent += 1
            except OSError:
                pass
