#!/usr/bin/python3
"""A client of the protocol in docs/protocol.md, written from that page alone and with none of BMonitor's code.

  client.py vectors FILE                    checks docs/protocol-vectors.json offline
  client.py talk --card FILE --key PEM --url URL
                                            talks to a node: status, a command, its repetition, events, the history
  client.py listen --card FILE --key PEM --url URL
                                            waits for what the node says unasked, and checks its signature
  client.py engine --card FILE --key PEM --url URL --archive TAR
                                            sends an image, runs it, and speaks with a command inside: streams of bytes
  client.py talk|listen|engine --card FILE --key PEM --gateway URL#PIN
                                            the same through a gateway, written from docs/gateway.md alone

It needs Python's standard library and python3-cryptography, nothing else.
"""
import argparse
import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import time
from urllib.parse import urlparse

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509 import load_der_x509_certificate


class Refused(Exception):
    """Something is not as the protocol says; the code is one of docs/errors.md."""

    def __init__(self, code, detail=""):
        super().__init__(f"{code} {detail}".strip())
        self.code = code


# Notation


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text, code="malformed"):
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Refused(code, "not base64url") from None
    if b64u(data) != text:
        raise Refused(code, "not the canonical base64url")
    return data


def digest(data):
    return b64u(hashlib.sha256(data).digest())


def no_doubles(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refused("bad-input", "a member twice")
    return members


def parse(data):
    try:
        return json.loads(data, object_pairs_hook=no_doubles)
    except ValueError:
        raise Refused("bad-input", "not JSON") from None


def compact_json(value):
    return json.dumps(value, separators=(",", ":")).encode()


# Keys


def public_of(jwk):
    number = int.from_bytes(unb64u(jwk["n"]), "big")
    return rsa.RSAPublicNumbers(65537, number).public_key()


def thumbprint(jwk):
    return digest(compact_json({"e": jwk["e"], "kty": jwk["kty"], "n": jwk["n"]}))


def jwk_of(public):
    number = public.public_numbers().n
    return {"kty": "RSA", "n": b64u(number.to_bytes((number.bit_length() + 7) // 8, "big")), "e": "AQAB"}


OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


# JOSE, the three shapes


def header_of(compact, parts, wanted):
    pieces = compact.split(".")
    if len(pieces) != parts:
        raise Refused("malformed", "parts")
    for piece in pieces:
        unb64u(piece)
    try:
        header = parse(unb64u(pieces[0]))
    except Refused:
        raise Refused("malformed", "header") from None
    if set(header) != {*wanted, "kid"} or any(header[name] != value for name, value in wanted.items()):
        raise Refused("malformed", "header members")
    return header, pieces


def sign(private, typ, kid, payload):
    header = b64u(compact_json({"alg": "PS256", "typ": typ, "kid": kid}))
    signed = f"{header}.{b64u(payload)}"
    return f"{signed}.{b64u(private.sign(signed.encode(), PSS, hashes.SHA256()))}"


def verify(public, jws):
    signed, _, signature = jws.rpartition(".")
    try:
        public.verify(unb64u(signature), signed.encode(), PSS, hashes.SHA256())
    except InvalidSignature:
        raise Refused("bad-signature") from None
    return unb64u(signed.split(".")[1])


def seal_to(public, typ, kid, plaintext):
    header = b64u(compact_json({"alg": "RSA-OAEP-256", "enc": "A256GCM", "typ": typ, "kid": kid}))
    key, nonce = os.urandom(32), os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, plaintext, header.encode())
    return ".".join([header, b64u(public.encrypt(key, OAEP)), b64u(nonce), b64u(sealed[:-16]), b64u(sealed[-16:])])


def open_sealed(key, pieces):
    header, _, nonce, ciphertext, tag = pieces
    try:
        return AESGCM(key).decrypt(unb64u(nonce), unb64u(ciphertext) + unb64u(tag), header.encode())
    except (InvalidTag, ValueError):
        raise Refused("cannot-open") from None


def open_with(private, pieces):
    encrypted = unb64u(pieces[1])
    if len(encrypted) * 8 != private.key_size:
        raise Refused("cannot-open")
    try:
        key = private.decrypt(encrypted, OAEP)
    except ValueError:
        raise Refused("cannot-open") from None
    return open_sealed(key, pieces)


# Messages


def enveloped(letter, envelope):
    return f"{letter} {len(envelope)} {envelope}"


def unenveloped(letter, message):
    if not message.startswith(f"{letter} "):
        raise Refused("malformed", "kind of message")
    length, space, envelope = message[3:].partition(" ")
    if not space or not length.isdigit() or length.startswith("0"):
        raise Refused("malformed", "length")
    if len(envelope) != int(length):
        raise Refused("cut")
    return envelope


def derived(secret, envelope, purpose):
    salt = hashlib.sha256(envelope.encode()).digest()
    return HKDF(hashes.SHA256(), 32, salt, purpose.encode()).derive(secret)


class Request:
    def __init__(self, private, to, command, boot, more=None):
        jwk = jwk_of(private.public_key())
        me, level = thumbprint(jwk), thumbprint(to["key"])
        self.secret = os.urandom(32)
        self.jti = (more or {}).get("jti") or b64u(os.urandom(16))
        now = int(time.time())
        claims = {"v": 1, "iss": me, "aud": level, "lease": to["lease"], "level": to["level"], "iat": now,
                  "exp": now + 60, "boot": boot, "reply": digest(self.secret), **(more or {}), "jti": self.jti,
                  "command": command}
        statement = sign(private, "bm-req+jws", me, compact_json(claims))
        plaintext = f"{statement}~{b64u(self.secret)}".encode()
        self.envelope = seal_to(public_of(to["key"]), "bm-req+jwe", level, plaintext)
        self.name = digest(self.envelope.encode())


def open_reply(secret, request_envelope, message):
    envelope = unenveloped("P1", message)
    wanted = {"alg": "dir", "enc": "A256GCM", "typ": "bm-rep+jwe"}
    header, pieces = header_of(envelope, 5, wanted)
    if header["kid"] != digest(request_envelope.encode()) or pieces[1] != "":
        raise Refused("malformed", "another request's reply")
    return parse(open_sealed(derived(secret, request_envelope, "bmonitor reply v1"), pieces))


class Stream:
    """One direction of a stream."""

    def __init__(self, secret, request_envelope, stream, direction):
        self.id = unb64u(stream)
        self.key = AESGCM(derived(secret, request_envelope, f"bmonitor stream v1 {direction} {stream}"))
        self.next = 0
        self.over = False

    def seal(self, plaintext, final=False):
        head = self.id + bytes([1 if final else 0])
        number = struct.pack(">Q", self.next)
        self.next += 1
        return head + number + self.key.encrypt(bytes(4) + number, plaintext, head)

    def open(self, frame):
        if self.over:
            raise Refused("stream-ended")
        self.over = True  # Unless all goes well below.
        if len(frame) < 41 or frame[:16] != self.id or frame[16] > 1:
            raise Refused("malformed")
        (number,) = struct.unpack(">Q", frame[17:25])
        if number != self.next:
            raise Refused("stream-gap" if number > self.next else "stream-repeated")
        try:
            plaintext = self.key.decrypt(bytes(4) + frame[17:25], frame[25:], frame[:17])
        except InvalidTag:
            raise Refused("stream-tampered") from None
        self.next += 1
        self.over = frame[16] == 1
        return plaintext, self.over


def verify_history(lines, node, consoles):
    """Gives the head of the lines, which are to the letter, from the first one on."""
    previous = "A" * 43
    for number, line in enumerate(lines, 1):
        entry = parse(line)
        if (entry["seq"], entry["previous"], entry["node"]) != (number, previous, node):
            raise Refused("history-broken", f"line {number}")
        if entry["sees"] == "statement" and "statement" in entry:
            header, _ = header_of(entry["statement"], 3, {"alg": "PS256", "typ": "bm-req+jws"})
            claims = parse(verify(consoles[header["kid"]], entry["statement"]))
            said = (claims["iss"], claims["jti"], claims["command"]["type"])
            if said != (entry["by"]["console"], entry["jti"], entry["command"]):
                raise Refused("history-broken", f"statement of line {number}")
        previous = digest(line.encode())
    return {"seq": len(lines), "digest": previous}


def verify_checkpoint(identity, checkpoint):
    header, _ = header_of(checkpoint, 3, {"alg": "PS256", "typ": "bm-checkpoint+jws"})
    if header["kid"] != thumbprint(identity):
        raise Refused("bad-signature", "another node's checkpoint")
    return parse(verify(public_of(identity), checkpoint))


def open_notice(private, identity, message):
    """What a node says unasked; whether it is of this connection and new is for whoever holds the connection."""
    header, pieces = header_of(unenveloped("U1", message), 5,
                               {"alg": "RSA-OAEP-256", "enc": "A256GCM", "typ": "bm-notice+jwe"})
    me = thumbprint(jwk_of(private.public_key()))
    if header["kid"] != me:
        raise Refused("wrong-console")
    statement, tilde, body = open_with(private, pieces).decode("latin1").partition("~")
    if not tilde:
        raise Refused("malformed")
    signer, _ = header_of(statement, 3, {"alg": "PS256", "typ": "bm-notice+jws"})
    if signer["kid"] != thumbprint(identity):
        raise Refused("wrong-node")
    signed = parse(verify(public_of(identity), statement))
    if signed["node"] != signer["kid"] or digest(unb64u(body)) not in signed["of"]:
        raise Refused("bad-signature")
    notice = parse(unb64u(body))
    if notice["to"] != me:
        raise Refused("wrong-console")
    return notice, signed


# WebSockets over TLS: RFC 6455 as far as it is needed


class WebSocket:
    def __init__(self, url, pin):
        place = urlparse(url)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection((place.hostname, place.port), timeout=30)
        self.socket = context.wrap_socket(plain)
        certificate = load_der_x509_certificate(self.socket.getpeercert(binary_form=True))
        spki = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if pin is not None and digest(spki) != pin:
            raise Refused("wrong-pin")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET / HTTP/1.1", f"Host: {place.netloc}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        answer, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        if not answer.startswith(b"HTTP/1.1 101") or accept not in answer:
            raise Refused("unreachable", "no WebSocket")

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Refused("unreachable", "closed")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _send(self, opcode, data):
        mask = os.urandom(4)
        if len(data) < 126:
            length = bytes([0x80 | len(data)])
        elif len(data) < 65536:
            length = b"\xfe" + struct.pack(">H", len(data))
        else:
            length = b"\xff" + struct.pack(">Q", len(data))
        masked = bytes(byte ^ mask[at & 3] for at, byte in enumerate(data))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def close(self):
        self.socket.close()

    def send(self, message):
        if isinstance(message, str):
            self._send(1, message.encode())
        else:
            self._send(2, message)

    def receive(self):
        whole, kind = b"", None
        while True:
            first, second = self._take(2)
            length = second & 127
            if length == 126:
                (length,) = struct.unpack(">H", self._take(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._take(8))
            data = self._take(length)
            opcode = first & 15
            if opcode == 8:
                raise Refused("unreachable", "closed")
            if opcode == 9:
                self._send(10, data)
            if opcode > 2:
                continue
            kind = opcode or kind
            whole += data
            if first & 128:
                return whole.decode() if kind == 1 else whole


GATEWAY_KINDS = {0x01: "challenge", 0x02: "proof", 0x03: "welcome", 0x04: "refused", 0x10: "open", 0x11: "opened",
                 0x12: "close", 0x13: "data", 0x14: "credit"}


def gateway_frame(frame):
    """What a frame of a gateway means."""
    kind = GATEWAY_KINDS.get(frame[0]) if frame else None
    if kind is None:
        raise Refused("malformed", "kind of frame")
    if frame[0] < 0x10:
        return {"kind": kind, "body": parse(frame[1:])}
    if len(frame) < 5:
        raise Refused("malformed", "no channel")
    (channel,) = struct.unpack(">I", frame[1:5])
    meant, rest = {"kind": kind, "channel": channel}, frame[5:]
    if kind in ("open", "close"):
        return {**meant, "body": parse(rest)}
    if kind == "opened" and not rest:
        return meant
    if kind == "credit" and len(rest) == 4:
        return {**meant, "bytes": struct.unpack(">I", rest)[0]}
    if kind == "data" and rest and rest[0] <= 3 and len(rest) <= 32769 and (len(rest) > 1 or rest[0] & 1):
        return {**meant, "last": rest[0] & 1 == 1, "text": rest[0] & 2 == 2, "bytes": rest[1:]}
    raise Refused("malformed", f"a frame of kind {kind}")


def joined(pieces):
    """The message that data frames of one channel make."""
    whole = b"".join(piece["bytes"] for piece in pieces)
    check(pieces[-1]["last"] and not any(piece["last"] for piece in pieces[:-1]), "one last piece")
    return whole.decode() if pieces[-1]["text"] else whole


def verify_proof(body, nonce, server):
    """What a gateway does with who knocks: gives the thumbprint and the role that were proved."""
    header, _ = header_of(body["jws"], 3, {"alg": "PS256", "typ": "bm-gateway+jws"})
    if header["kid"] != thumbprint(body["key"]):
        raise Refused("bad-signature")
    claims = parse(verify(public_of(body["key"]), body["jws"]))
    if claims["nonce"] != nonce:
        raise Refused("replayed")
    if claims["server"] != server:
        raise Refused("wrong-pin")
    if claims["role"] != body["role"]:
        raise Refused("bad-signature")
    return header["kid"], claims["role"]


class Channel:
    """A channel through a gateway: what a WebSocket to the node would carry, in pieces."""

    WINDOW, PIECE = 262144, 32768

    def __init__(self, gateway, private, node):
        url, _, pin = gateway.partition("#")
        self.socket = WebSocket(url, pin)
        challenge = self.frame("challenge")["body"]
        jwk = jwk_of(private.public_key())
        claims = {"v": 1, "role": "console", "nonce": challenge["nonce"], "server": pin}
        jws = sign(private, "bm-gateway+jws", thumbprint(jwk), compact_json(claims))
        self.socket.send(b"\x02" + compact_json({"v": 1, "role": "console", "key": jwk, "jws": jws}))
        check(self.frame("welcome")["body"]["channels"] >= 1, "a gateway gives channels")
        self.channel = struct.pack(">I", 1)
        self.socket.send(b"\x10" + self.channel + compact_json({"to": node}))
        self.may_send, self.pieces, self.messages = self.WINDOW, [], []
        check(self.frame("opened")["channel"] == 1, "the channel is opened")

    def frame(self, *wanted):
        frame = gateway_frame(self.socket.receive())
        if frame["kind"] in ("refused", "close"):
            raise Refused(frame["body"]["code"], f"by the gateway: {frame['body'].get('detail', '')}")
        if frame["kind"] not in wanted:
            raise Refused("malformed", f"frame {frame['kind']}")
        check(frame.get("body", {}).get("v", 1) == 1, "the version")
        return frame

    def send(self, message):
        text = isinstance(message, str)
        data = message.encode() if text else message
        pieces = [data[at:at + self.PIECE] for at in range(0, len(data), self.PIECE)] or [b""]
        for at, piece in enumerate(pieces):
            # Credit comes between what the node says, which is kept until somebody wants it.
            while len(piece) > self.may_send:
                self.pump()
            self.may_send -= len(piece)
            flags = (1 if at == len(pieces) - 1 else 0) | (2 if text else 0)
            self.socket.send(b"\x13" + self.channel + bytes([flags]) + piece)

    def receive(self):
        while not self.messages:
            self.pump()
        return self.messages.pop(0)

    def pump(self):
        """Takes one frame in."""
        frame = self.frame("data", "credit")
        check(frame["channel"] == 1, "a frame of this channel")
        if frame["kind"] == "credit":
            self.may_send += frame["bytes"]
            check(self.may_send <= self.WINDOW, "no more credit than the window")
            return
        self.pieces.append(frame)
        if frame["bytes"]:
            self.socket.send(b"\x14" + self.channel + struct.pack(">I", len(frame["bytes"])))
        if frame["last"]:
            pieces, self.pieces = self.pieces, []
            self.messages.append(joined(pieces))

    def close(self):
        self.socket.send(b"\x12" + self.channel + compact_json({"code": "closed"}))
        self.socket.close()


class Conversation:
    def __init__(self, card, private, way):
        self.card, self.private = card, private
        self.socket = way(card, private)
        self.frames = []
        self.socket.send("H1")
        self.hello = parse(self.socket.receive()[3:])
        if self.hello["node"] != thumbprint(card["identity"]):
            raise Refused("wrong-node")
        self.nonce, self.head = self.hello["nonce"], None

    def ask(self, command, **more):
        claims = {"nonce": self.nonce, **({"head": self.head} if self.head else {}), **more}
        request = Request(self.private, self.card, command, self.hello["boot"], claims)
        self.socket.send(enveloped("R1", request.envelope))
        while True:
            message = self.socket.receive()
            if isinstance(message, bytes):
                self.frames.append(message)
            elif message.startswith("E1 "):
                raise Refused(parse(message[3:])["code"])
            elif message.startswith("P1 "):
                reply = open_reply(request.secret, request.envelope, message)
                if reply["jti"] != request.jti:
                    raise Refused("malformed", "id")
                self.nonce, self.head = reply["nonce"], reply["head"]
                if "error" in reply:
                    raise Refused(reply["error"]["code"], reply["error"].get("detail", ""))
                return reply, request

    def frame(self):
        while not self.frames:
            message = self.socket.receive()
            if isinstance(message, bytes):
                self.frames.append(message)
        return self.frames.pop(0)


# What is done with it


def check(holds, what):
    if not holds:
        raise SystemExit(f"does not hold: {what}")


def judge(vectors, message):
    """What a node does with a message, as far as it needs no memory."""
    keys, node, now = vectors["keys"], vectors["node"], vectors["now"]
    level = serialization.load_pem_private_key(keys["level"]["pkcs8"].encode(), None)
    wanted = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "typ": "bm-req+jwe"}
    header, pieces = header_of(unenveloped("R1", message), 5, wanted)
    if header["kid"] != keys["level"]["thumbprint"]:
        raise Refused("wrong-node")
    statement, tilde, secret = open_with(level, pieces).decode("latin1").partition("~")
    if not tilde or len(unb64u(secret)) != 32:
        raise Refused("malformed")
    signer, _ = header_of(statement, 3, {"alg": "PS256", "typ": "bm-req+jws"})
    if signer["kid"] != keys["console"]["thumbprint"]:
        raise Refused("unknown-console")
    claims = parse(verify(public_of(keys["console"]["public"]), statement))
    known = {"v", "iss", "aud", "lease", "level", "jti", "iat", "exp", "boot", "reply", "nonce", "head", "after", "keyBits",
             "command"}
    if set(claims) - known or known - set(claims) - {"nonce", "head", "after", "keyBits"}:
        raise Refused("bad-input")
    if claims["iss"] != signer["kid"] or claims["reply"] != digest(unb64u(secret)):
        raise Refused("bad-signature")
    if claims["aud"] != header["kid"]:
        raise Refused("wrong-node")
    for member, code in (("level", "wrong-level"), ("lease", "wrong-lease"), ("boot", "wrong-boot")):
        if claims[member] != node[member]:
            raise Refused(code)
    if claims.get("keyBits", 0) > level.key_size:
        raise Refused("weak-key")
    if not 0 <= claims["exp"] - claims["iat"] <= 120 or now > claims["exp"]:
        raise Refused("stale")
    if claims["iat"] > now + 30:
        raise Refused("early")
    return claims


def refusal(act):
    try:
        act()
    except Refused as refused:
        return refused.code
    return "taken"


def gateway_holds(vectors):
    """The gateway's frames, proofs and pieces."""
    told, keys = vectors["gateway"], vectors["keys"]
    for case in told["frames"]:
        meant = gateway_frame(unb64u(case["frame"]))
        if meant["kind"] == "data":
            meant["bytes"] = b64u(meant["bytes"])
        check(meant == case["means"], f"a frame: {case['means']}")
    for case in told["malformed"]:
        code = refusal(lambda case=case: gateway_frame(unb64u(case["frame"])))
        check(code == "malformed", f"{case['why']}: {code}")
    proved = lambda case: verify_proof(gateway_frame(unb64u(case["frame"]))["body"], told["nonce"], told["server"])
    for case in told["proofs"]:
        check(proved(case) == (keys[case["key"]]["thumbprint"], case["role"]), f"the proof of a {case['role']}")
    for case in told["proofsRefused"]:
        code = refusal(lambda case=case: proved(case))
        check(code == case["code"], f"{case['why']}: {code}, not {case['code']}")
    message = told["message"]
    pieces = [gateway_frame(unb64u(frame)) for frame in message["pieces"]]
    check({piece["channel"] for piece in pieces} == {message["channel"]}, "pieces of one channel")
    check(joined(pieces) == message["wire"], "a message in pieces")
    return len(told["malformed"]) + len(told["proofsRefused"])


def begun(vectors, told):
    """The request and reply that begin a stream; gives what its keys come from."""
    secret, envelope = unb64u(told["request"]["secret"]), unenveloped("R1", told["request"]["wire"])
    check(judge(vectors, told["request"]["wire"])["command"] == told["request"]["command"], "the request of a stream")
    reply = open_reply(secret, envelope, told["reply"]["wire"])
    check(reply == told["reply"]["plaintext"] and reply["stream"] == told["id"], "the reply that begins a stream")
    return secret, envelope, told["id"]


def resumption_holds(vectors):
    """A stream of events that goes on where the one before was cut; a question in it, and its answer."""
    told = vectors["resumed"]
    of = begun(vectors, told)
    from_node, to_node, lines = Stream(*of, "from-node"), Stream(*of, "to-node"), []
    for frame in told["fromNode"]:
        opened = from_node.open(unb64u(frame["frame"]))
        check(opened == (frame["plaintext"].encode(), frame["final"]), "a frame of a stream that goes on")
        lines.append(parse(frame["plaintext"]))
    for frame in told["toNode"]:
        check(to_node.seal(frame["plaintext"].encode()) == unb64u(frame["frame"]), "a frame to the node")
    asked = parse(told["toNode"][0]["plaintext"])["ask"]
    check(lines[0]["seq"] == told["request"]["command"]["after"] + 1, "it goes on without loss or repetition")
    check(lines[1]["answer"] == asked, "the answer names the question")
    for case in told["faults"]:
        code = refusal(lambda case=case: Stream(*of, "from-node").open(unb64u(case["frame"])))
        check(code == case["code"], f"{case['why']}: {code}")
    return len(told["faults"])


def records_in(data):
    """The records in the bytes of a door."""
    records = []
    while data:
        kind, length = struct.unpack(">BI", data[:5])
        check(length <= 65536 and len(data) >= 5 + length, "a record is whole")
        records.append({"kind": kind, "bytes": data[5:5 + length]})
        data = data[5 + length:]
    return records


def bytes_hold(vectors):
    """A stream of bytes both ways, and the records in it."""
    told = vectors["bytes"]
    of = begun(vectors, told)
    for side, direction, records in (("toNode", "to-node", "toEngine"), ("fromNode", "from-node", "fromEngine")):
        opener, came = Stream(*of, direction), b""
        for frame in told[side]:
            plaintext, final = opener.open(unb64u(frame["frame"]))
            check(final == frame["final"], "which frame is the last")
            if "bytes" in frame:
                check(plaintext == b"\0" + unb64u(frame["bytes"]), "a frame of bytes")
                came += plaintext[1:]
            else:
                check(parse(plaintext) == frame["word"], "a word of the stream")
        check(came == unb64u(told["records"][records]["bytes"]), "the bytes of one direction")
        found = [{"kind": one["kind"], "bytes": b64u(one["bytes"])} for one in records_in(came)]
        check(found == told["records"][records]["records"], "the records in them")


def keeping_holds(vectors):
    """A change on trial that is kept by showing the secret whose digest was signed."""
    told = vectors["kept"]
    of, secret = begun(vectors, told), unb64u(told["secret"])
    check(digest(secret) == told["request"]["command"]["keep"], "the digest of the secret was signed")
    to_node, from_node = Stream(*of, "to-node"), Stream(*of, "from-node")
    check(to_node.seal(b"\0" + secret) == unb64u(told["toNode"][0]["frame"]), "the secret is shown")
    check(Stream(*of, "to-node").open(unb64u(told["toNode"][0]["frame"])) == (b"\0" + secret, False), "the secret, opened")
    said = [from_node.open(unb64u(frame["frame"])) for frame in told["fromNode"]]
    version = told["reply"]["plaintext"]["result"]["version"]
    check(parse(said[-1][0]) == {"done": {"version": version}} and said[-1][1], "the node keeps it")


def vectors_hold(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    for name, key in vectors["keys"].items():
        check(thumbprint(key["public"]) == key["thumbprint"], f"thumbprint of {name}")
        private = serialization.load_pem_private_key(key["pkcs8"].encode(), None)
        check(jwk_of(private.public_key()) == key["public"], f"key of {name}")
    request = vectors["request"]
    secret, envelope = unb64u(request["secret"]), unenveloped("R1", request["wire"])
    check(digest(envelope.encode()) == request["name"], "name of the request")
    check(judge(vectors, request["wire"])["command"] == request["command"], "the request")
    for case in vectors["refused"]:
        code = refusal(lambda case=case: judge(vectors, case["wire"]))
        check(code == case["code"], f"{case['why']}: {code}, not {case['code']}")
    reply = open_reply(secret, envelope, vectors["reply"]["wire"])
    check(reply == vectors["reply"]["plaintext"], "the reply")
    stream = vectors["stream"]
    from_node = Stream(secret, envelope, stream["id"], "from-node")
    for frame in stream["fromNode"]:
        opened = from_node.open(unb64u(frame["frame"]))
        check(opened == (frame["plaintext"].encode(), frame["final"]), "a frame")
    to_node = Stream(secret, envelope, stream["id"], "to-node")
    check(to_node.seal(stream["toNode"]["plaintext"].encode()) == unb64u(stream["toNode"]["frame"]), "an acknowledgement")
    for case in stream["faults"]:
        opener = Stream(secret, envelope, stream["id"], "from-node")
        for frame in case["taken"]:
            opener.open(unb64u(frame))
        code = refusal(lambda: opener.open(unb64u(case["frame"])))
        check(code == case["code"], f"{case['why']}: {code}")
    history, keys = vectors["history"], vectors["keys"]
    consoles = {keys["console"]["thumbprint"]: public_of(keys["console"]["public"])}
    head = verify_history(history["lines"], keys["identity"]["thumbprint"], consoles)
    checkpoint = verify_checkpoint(keys["identity"]["public"], history["checkpoint"])
    check(head == history["head"] == {name: checkpoint[name] for name in ("seq", "digest")}, "the history")
    told = vectors["notice"]
    private = serialization.load_pem_private_key(keys["console"]["pkcs8"].encode(), None)
    notice, signed = open_notice(private, keys["identity"]["public"], told["wire"])
    check(notice == told["plaintext"] and notice["on"] == request["name"], "the notice")
    check({name: signed[name] for name in told["signed"]} == told["signed"], "the signature of the notice")
    for case in told["refused"]:
        code = refusal(lambda case=case: open_notice(private, keys["identity"]["public"], case["wire"]))
        check(code == case["code"], f"{case['why']}: {code}, not {case['code']}")
    bytes_hold(vectors)
    keeping_holds(vectors)
    refused = len(vectors["refused"]) + len(told["refused"]) + gateway_holds(vectors) + resumption_holds(vectors)
    print(json.dumps({"vectors": "hold", "refused": refused}))


def way_of(url, gateway):
    """How to reach the node: by its own address, or through a gateway."""
    if gateway:
        return lambda card, private: Channel(gateway, private, thumbprint(card["identity"]))
    return lambda card, _: WebSocket(url or card["ways"][0]["url"], card["ways"][0].get("pin"))


class Follower:
    """Events from a number on, each acknowledged."""

    def __init__(self, conversation, after):
        self.conversation, self.taken = conversation, 0
        followed, asked = conversation.ask({"type": "events.follow", "after": after})
        self.from_node = Stream(asked.secret, asked.envelope, followed["stream"], "from-node")
        self.to_node = Stream(asked.secret, asked.envelope, followed["stream"], "to-node")

    def lines(self):
        plaintext, final = self.from_node.open(self.conversation.frame())
        if not final:
            self.taken += 1
            self.conversation.socket.send(self.to_node.seal(compact_json({"ack": self.taken})))
        return [parse(line) for line in plaintext.decode().split("\n")], final

    def until(self, holds):
        events = []
        while not any(holds(event) for event in events):
            lines, final = self.lines()
            check(not final, "the stream goes on")
            events += lines
        return events

    def ask(self):
        """A question, which costs no private key: gives the answer and the lines that came before it."""
        nonce = b64u(os.urandom(16))
        self.conversation.socket.send(self.to_node.seal(compact_json({"ack": self.taken, "ask": nonce})))
        lines = self.until(lambda line: "answer" in line)
        answer = next(line for line in lines if "answer" in line)
        check(answer["answer"] == nonce, "the answer is to this question")
        return answer, lines

    def end(self):
        self.conversation.socket.send(self.to_node.seal(b"", True))
        lines, final = self.lines()
        while not final:
            lines, final = self.lines()
        check(lines == [{}], "the last frame says that the follower ended it")


class Bytes:
    """A stream of bytes both ways, each with a window of its own."""

    WINDOW, PIECE = 4 * 1024 * 1024, 65536

    def __init__(self, conversation, command):
        self.conversation, self.came, self.taken, self.over = conversation, b"", 0, None
        self.on_the_way, self.acknowledged = [], 0
        begun, asked = conversation.ask(command)
        self.from_node = Stream(asked.secret, asked.envelope, begun["stream"], "from-node")
        self.to_node = Stream(asked.secret, asked.envelope, begun["stream"], "to-node")

    def send(self, data):
        for at in range(0, len(data), self.PIECE):
            frame = self.to_node.seal(b"\0" + data[at:at + self.PIECE])
            while sum(self.on_the_way) + len(frame) > self.WINDOW:
                self.take()
            self.on_the_way.append(len(frame))
            self.conversation.socket.send(frame)

    def end(self):
        """Nothing more comes from here; gives what the last frame of the node says."""
        self.conversation.socket.send(self.to_node.seal(b"", True))
        return self.rest()

    def rest(self):
        while self.over is None:
            self.take()
        if "end" in self.over:
            raise Refused(self.over["end"], self.over.get("detail", ""))
        return self.over["done"]

    def take(self):
        plaintext, final = self.from_node.open(self.conversation.frame())
        if final:
            self.over = parse(plaintext)
        elif plaintext[:1] == b"\0":
            self.came += plaintext[1:]
            self.taken += 1
            self.conversation.socket.send(self.to_node.seal(compact_json({"ack": self.taken})))
        else:
            upto = parse(plaintext)["ack"]
            del self.on_the_way[:upto - self.acknowledged]
            self.acknowledged = upto


def record(kind, data=b""):
    return struct.pack(">BI", kind, len(data)) + data


def engine(card_file, key_file, way, archive):
    """Sends an image, runs an engine from it, and speaks with a command inside."""
    conversation = conversation_of(card_file, key_file, way)
    sending = Bytes(conversation, {"type": "image.send", "form": "plain-archive"})
    with open(archive, "rb") as file:
        sending.send(file.read())
    image = sending.end()["digest"]
    name = f"py-{os.urandom(4).hex()}"
    conversation.ask({"type": "engine.put", "name": name, "settings": {"image": image, "command": ["sleep", "100000"]}})
    conversation.ask({"type": "engine.start", "name": name})
    for _ in range(600):
        shown, _ = conversation.ask({"type": "engine.read", "name": name})
        if shown["result"]["state"] == "running":
            break
        time.sleep(0.1)
    script = "read line; echo heard $line; echo aside >&2; exit 7"
    door = Bytes(conversation, {"type": "engine.exec", "name": name, "command": ["sh", "-c", script]})
    door.send(record(0, b"what was typed\n") + record(2))
    door.rest()
    records = records_in(door.came)
    said = {kind: b"".join(one["bytes"] for one in records if one["kind"] == kind) for kind in (3, 4, 5, 6)}
    check(said[5] == b"\7", f"what the command ended with: {said}")
    conversation.ask({"type": "engine.remove", "name": name})
    print(json.dumps({"image": image, "output": said[3].decode(), "aside": said[4].decode(), "ended": said[5][0]}))


def conversation_of(card_file, key_file, way):
    with open(card_file, encoding="utf-8") as file:
        card = json.load(file)
    with open(key_file, "rb") as file:
        private = serialization.load_pem_private_key(file.read(), None)
    return Conversation(card, private, way)


def talk(card_file, key_file, way):
    conversation = conversation_of(card_file, key_file, way)
    card, private = conversation.card, conversation.private
    status, _ = conversation.ask({"type": "status"})
    follower = Follower(conversation, 0)
    name = f"py-{os.urandom(8).hex()}"
    rename = {"type": "node.rename", "name": name}
    first, sealed = conversation.ask(rename)
    again, _ = conversation.ask(rename, jti=sealed.jti)
    check(not first["again"] and again["again"] and first["result"] == again["result"], "acts once for an id")
    check(refusal(lambda: conversation.ask({"type": "status", "more": 1})) == "bad-input", "what is not known is refused")
    events = follower.until(lambda event: event.get("name") == name)
    numbers = [event["seq"] for event in events if "seq" in event]
    check(numbers == list(range(1, len(numbers) + 1)), "events without a gap")
    # The connection goes in the middle of the stream; on another one the events go on where they were taken in.
    conversation.socket.close()
    head, conversation = conversation.head, Conversation(card, private, way)
    conversation.head = head
    follower = Follower(conversation, numbers[-1])
    conversation.ask({"type": "node.rename", "name": f"{name}-again"})
    resumed = follower.until(lambda event: event.get("name") == f"{name}-again")
    answer, before = follower.ask()
    check(answer["head"] == conversation.head and answer["status"]["name"] == f"{name}-again", "what a question is answered with")
    after = [event["seq"] for event in resumed + before if "seq" in event]
    check(after == list(range(numbers[-1] + 1, numbers[-1] + 1 + len(after))), "no event lost, none repeated")
    follower.end()
    page, _ = conversation.ask({"type": "history.read", "from": 1, "count": 1000})
    jwk = jwk_of(private.public_key())
    head = verify_history(page["result"]["lines"], thumbprint(card["identity"]), {thumbprint(jwk): private.public_key()})
    checkpoint = verify_checkpoint(card["identity"], page["result"]["checkpoint"])
    check(head == page["head"] == {name: checkpoint[name] for name in ("seq", "digest")}, "the history")
    conversation.head = {"seq": head["seq"], "digest": "A" * 43}
    check(refusal(lambda: conversation.ask({"type": "status"})) == "history-fork", "a fork is found")
    print(json.dumps({"name": name, "status": status["result"], "events": events, "resumed": resumed, "head": head}))


def listen(card_file, key_file, way):
    """Asks once, which makes it known, and waits for the first notice in which something happened."""
    conversation = conversation_of(card_file, key_file, way)
    card, private = conversation.card, conversation.private
    _, asked = conversation.ask({"type": "status"})
    print("listening", file=sys.stderr, flush=True)
    last = 0
    while True:
        message = conversation.socket.receive()
        if not isinstance(message, str) or not message.startswith("U1 "):
            continue
        notice, signed = open_notice(private, card["identity"], message)
        check(notice["on"] == asked.name and notice["seq"] == last + 1, "a notice of this connection, in order")
        check(signed["boot"] == conversation.hello["boot"], "a notice of this start")
        last = notice["seq"]
        if notice["happened"]:
            print(json.dumps({"notice": notice, "keyStore": signed["keyStore"]}))
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("vectors").add_argument("file")
    for word in ("talk", "listen", "engine"):
        talking = commands.add_parser(word)
        for name in ("--card", "--key"):
            talking.add_argument(name, required=True)
        talking.add_argument("--url")
        talking.add_argument("--gateway")
        if word == "engine":
            talking.add_argument("--archive", required=True)
    arguments = parser.parse_args()
    if arguments.command == "vectors":
        vectors_hold(arguments.file)
    elif arguments.command == "engine":
        engine(arguments.card, arguments.key, way_of(arguments.url, arguments.gateway), arguments.archive)
    elif arguments.command == "listen":
        listen(arguments.card, arguments.key, way_of(arguments.url, arguments.gateway))
    else:
        talk(arguments.card, arguments.key, way_of(arguments.url, arguments.gateway))


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        sys.exit(f"refused: {refused}")
