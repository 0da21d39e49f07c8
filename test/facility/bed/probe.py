"""Sends and receives packets in any namespace of a bed.

One process serves a whole bed: a socket belongs to the namespace in which it was made, so the probe enters a namespace
only to make a socket. It reads one JSON object a line on stdin and answers each with its id; what arrives unasked
is an event with the handle of the socket it arrived on.
"""

import asyncio
import base64
import ctypes
import errno
import json
import os
import socket
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
home = os.open("/proc/self/ns/net", os.O_RDONLY)
handles = {}
counts = {}
next_handle = 1

UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.ENOPROTOOPT)


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def socket_in(namespace, family, kind, protocol=0):
    fd = os.open(namespace, os.O_RDONLY)
    try:
        setns(fd)
        try:
            made = socket.socket(family, kind, protocol)
        finally:
            setns(home)
    finally:
        os.close(fd)
    made.setblocking(False)
    return made


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def family_number(request):
    return socket.AF_INET6 if request.get("family") == 6 else socket.AF_INET


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def keep(sock, task=None):
    global next_handle
    handle = next_handle
    next_handle += 1
    handles[handle] = (sock, task)
    return handle


def start(handle, coroutine):
    sock, _ = handles[handle]
    handles[handle] = (sock, asyncio.ensure_future(coroutine))


def encode(data):
    return base64.b64encode(data).decode()


def decode(text):
    return base64.b64decode(text)


def peer_of(address):
    return {"from": address[0].split("%")[0], "port": address[1] if len(address) > 1 else 0}


def bind_source(sock, request):
    if request.get("from") or request.get("fromPort"):
        any_address = "::" if sock.family == socket.AF_INET6 else ""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((request.get("from") or any_address, request.get("fromPort") or 0))


def outcome_of(error):
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    if error.errno in UNREACHABLE:
        return "unreachable"
    raise error


async def pump_datagrams(handle, sock, answer, tally=None):
    """Reports what arrives; with `answer`, sends it back to who sent it; with `tally`, only counts it."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            data, address = await loop.sock_recvfrom(sock, 65535)
        except OSError as error:
            say({"handle": handle, "event": "error", "error": error.strerror})
            continue
        if tally is not None:
            tally["received"] += 1
            continue
        say({"handle": handle, "event": "packet", "data": encode(data), "time": time.time(), **peer_of(address)})
        if answer:
            try:
                sock.sendto(data, address)
            except OSError as error:
                say({"handle": handle, "event": "error", "error": error.strerror})


async def pump_stream(handle, sock, answer):
    loop = asyncio.get_running_loop()
    reason = "end"
    try:
        while True:
            data = await loop.sock_recv(sock, 65536)
            if not data:
                break
            say({"handle": handle, "event": "data", "data": encode(data)})
            if answer:
                await loop.sock_sendall(sock, data)
    except OSError as error:
        reason = error.strerror
    say({"handle": handle, "event": "closed", "reason": reason})


async def accept_all(handle, sock, answer):
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, address = await loop.sock_accept(sock)
        except OSError:
            continue
        connection.setblocking(False)
        child = keep(connection)
        say({"handle": handle, "event": "connection", "connection": child, **peer_of(address)})
        start(child, pump_stream(child, connection, answer))


async def udp_listen(request):
    sock = socket_in(request["at"], family_number(request), socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((request.get("address") or ("::" if sock.family == socket.AF_INET6 else ""), request.get("port", 0)))
    handle = keep(sock)
    if request.get("tally"):
        counts[handle] = {"received": 0}
    start(handle, pump_datagrams(handle, sock, request.get("answer", False), counts.get(handle)))
    return {"handle": handle, "port": sock.getsockname()[1]}


async def udp_send(request):
    """Sends without waiting for anything. The kernel's refusal of a local filter is an outcome, not a fault."""
    made = request.get("handle") is None
    if made:
        sock = socket_in(request["at"], family_of(request["to"]), socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        bind_source(sock, request)
    else:
        sock = handles[request["handle"]][0]
    sent = 0
    outcome = "sent"
    for _ in range(request.get("count", 1)):
        try:
            sock.sendto(decode(request["data"]), (request["to"], request["port"]))
            sent += 1
        except OSError as error:
            outcome = outcome_of(error)
    if made:
        sock.close()
    return {"sent": sent, "outcome": outcome}


async def udp_try(request):
    """Sends one datagram and waits for one answer."""
    loop = asyncio.get_running_loop()
    sock = socket_in(request["at"], family_of(request["to"]), socket.SOCK_DGRAM)
    try:
        bind_source(sock, request)
        sock.connect((request["to"], request["port"]))
        sock.send(decode(request["data"]))
        await asyncio.wait_for(loop.sock_recv(sock, 65535), request["patience"])
        return {"outcome": "answered"}
    except asyncio.TimeoutError:
        return {"outcome": "silent"}
    except OSError as error:
        return {"outcome": outcome_of(error)}
    finally:
        sock.close()


async def tcp_listen(request):
    sock = socket_in(request["at"], family_number(request), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((request.get("address") or ("::" if sock.family == socket.AF_INET6 else ""), request.get("port", 0)))
    sock.listen(512)
    handle = keep(sock)
    start(handle, accept_all(handle, sock, request.get("answer", False)))
    return {"handle": handle, "port": sock.getsockname()[1]}


async def tcp_open(request):
    loop = asyncio.get_running_loop()
    sock = socket_in(request["at"], family_of(request["to"]), socket.SOCK_STREAM)
    try:
        bind_source(sock, request)
        await asyncio.wait_for(loop.sock_connect(sock, (request["to"], request["port"])), request["patience"])
    except asyncio.TimeoutError:
        sock.close()
        return {"outcome": "silent"}
    except OSError as error:
        sock.close()
        return {"outcome": outcome_of(error)}
    handle = keep(sock)
    start(handle, pump_stream(handle, sock, False))
    return {"outcome": "answered", "handle": handle, "port": sock.getsockname()[1]}


async def tcp_send(request):
    sock = handles[request["handle"]][0]
    await asyncio.get_running_loop().sock_sendall(sock, decode(request["data"]))
    return {}


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


async def ping(request):
    loop = asyncio.get_running_loop()
    family = family_of(request["to"])
    v6 = family == socket.AF_INET6
    protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    sock = socket_in(request["at"], family, socket.SOCK_RAW, protocol)
    ident = int.from_bytes(os.urandom(2), "big")
    body = bytes(request.get("size", 16))
    header = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, ident, 1)
    if not v6:  # the kernel fills in the checksum of ICMPv6
        header = struct.pack("!BBHHH", 8, 0, checksum(header + body), ident, 1)

    async def wait():
        while True:
            data = await loop.sock_recv(sock, 65535)
            icmp = data if v6 else data[(data[0] & 15) * 4 :]
            if icmp[0] == (129 if v6 else 0) and icmp[4:6] == header[4:6]:
                return "answered"
            inner = icmp[8 + (40 if v6 else 20) :]
            if icmp[0] == (1 if v6 else 3) and inner[4:6] == header[4:6]:
                return "unreachable"

    try:
        bind_source(sock, request)
        sock.sendto(header + body, (request["to"], 0))
        return {"outcome": await asyncio.wait_for(wait(), request["patience"])}
    except asyncio.TimeoutError:
        return {"outcome": "silent"}
    except OSError as error:
        return {"outcome": outcome_of(error)}
    finally:
        sock.close()


async def ip_listen(request):
    """Receives packets of any IP protocol, after the kernel's filters."""
    sock = socket_in(request["at"], family_number(request), socket.SOCK_RAW, request["protocol"])
    handle = keep(sock)
    start(handle, pump_datagrams(handle, sock, False))
    return {"handle": handle}


async def ip_send(request):
    sock = socket_in(request["at"], family_of(request["to"]), socket.SOCK_RAW, request["protocol"])
    try:
        bind_source(sock, request)
        sock.sendto(decode(request["data"]), (request["to"], 0))
        return {"outcome": "sent"}
    except OSError as error:
        return {"outcome": outcome_of(error)}
    finally:
        sock.close()


async def pump_frames(handle, sock, outgoing):
    loop = asyncio.get_running_loop()
    while True:
        try:
            data, address = await loop.sock_recvfrom(sock, 65535)
        except OSError as error:
            say({"handle": handle, "event": "error", "error": error.strerror})
            return
        leaves = address[2] == socket.PACKET_OUTGOING
        if leaves and not outgoing:
            continue
        say({"handle": handle, "event": "frame", "data": encode(data), "time": time.time(), "outgoing": leaves})


async def tap(request):
    """Sees every frame on an interface, before any filter of the namespace."""
    sock = socket_in(request["at"], socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((request["interface"], 3))
    handle = keep(sock)
    start(handle, pump_frames(handle, sock, request.get("outgoing", False)))
    return {"handle": handle}


async def send_frames(request):
    sock = socket_in(request["at"], socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        sock.bind((request["interface"], 0))
        for frame in request["frames"]:
            sock.send(decode(frame))
    finally:
        sock.close()
    return {"sent": len(request["frames"])}


async def flood(request):
    """Sends numbered datagrams until told to stop, as fast as it can or at a rate. Serve it with a probe of its own."""
    sock = socket_in(request["at"], family_of(request["to"]), socket.SOCK_DGRAM)
    bind_source(sock, request)
    sock.setblocking(True)
    handle = keep(sock)
    count = counts[handle] = {"sent": 0, "failed": 0}
    rate = request.get("rate")

    async def run():
        target = (request["to"], request["port"])
        begun = time.monotonic()
        while True:
            due = 64 if rate is None else int((time.monotonic() - begun) * rate) - count["sent"] - count["failed"]
            for _ in range(due):
                try:
                    sock.sendto(struct.pack("!Qd", count["sent"], time.time()), target)
                    count["sent"] += 1
                except OSError:
                    count["failed"] += 1
            await asyncio.sleep(0 if rate is None else 0.001)

    start(handle, run())
    return {"handle": handle}


async def tally(request):
    return counts[request["handle"]]


async def close(request):
    sock, task = handles.pop(request["handle"], (None, None))
    if task is not None:
        task.cancel()
    if sock is not None:
        if request.get("abort"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    return counts.pop(request["handle"], {})


actions = {
    "udp-listen": udp_listen,
    "udp-send": udp_send,
    "udp-try": udp_try,
    "tcp-listen": tcp_listen,
    "tcp-open": tcp_open,
    "tcp-send": tcp_send,
    "ping": ping,
    "ip-listen": ip_listen,
    "ip-send": ip_send,
    "tap": tap,
    "send-frames": send_frames,
    "flood": flood,
    "tally": tally,
    "close": close,
}


async def serve(request):
    try:
        say({"id": request["id"], "ok": await actions[request["do"]](request)})
    except Exception as error:  # told to the test, which fails with it
        say({"id": request["id"], "error": f"{request['do']}: {type(error).__name__}: {error}"})


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        asyncio.ensure_future(serve(json.loads(line)))


asyncio.run(main())
