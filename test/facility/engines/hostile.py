"""What an engine may try: each function ends with the tries that succeeded, which should be none; the greedy ones only go on."""
import ctypes, errno, os, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
won = []


def tried(name, work):
    try:
        if work() is not False:
            won.append(name)
    except (OSError, PermissionError):
        pass


def call(name, number, *words):
    def work():
        return libc.syscall(number, *words) >= 0

    tried(name, work)


def written(path, text="1"):
    def work():
        with open(path, "w") as file:
            file.write(text)

    tried(path, work)


def kernel(_):
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger",
                 "/proc/sys/vm/drop_caches", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent", "/proc/bus/pci/00", "/proc/1/oom_score_adj_of_others"):
        written(path)
    tried("kcore", lambda: len(open("/proc/kcore", "rb").read(1)) > 0)
    tried("kmsg", lambda: bool(open("/dev/kmsg")))
    for kind, number in (("block", 0o060000), ("char", 0o020000)):
        def made():
            path = f"/tmp-{kind}"
            os.mknod(path, number | 0o666, os.makedev(1, 1) if kind == "char" else os.makedev(8, 0))
            os.open(path, os.O_RDWR)
        tried(kind, made)
    here = ctypes.c_char_p(b"/")
    none = ctypes.c_char_p(b"tmpfs")
    call("mount", 165, none, here, none, 0, 0)
    call("umount2", 166, here, 2)
    call("pivot_root", 155, here, here)
    call("fsopen", 430, none, 0)
    call("open_tree", 428, -100, here, 1)
    for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x2000000):
        call(f"unshare {flag:x}", 272, flag)
    call("clone with a namespace", 56, 0x10000000 | 17, 0, 0, 0, 0)
    call("setns", 308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)
    call("init_module", 175, ctypes.c_char_p(b"x"), 1, ctypes.c_char_p(b""))
    call("finit_module", 313, 0, ctypes.c_char_p(b""), 0)
    call("kexec_load", 246, 0, 0, 0, 0)
    call("bpf", 321, 0, ctypes.c_char_p(b"\0" * 128), 128)
    call("perf_event_open", 298, ctypes.c_char_p(b"\0" * 128), 0, -1, -1, 0)
    call("io_uring_setup", 425, 8, ctypes.c_char_p(b"\0" * 256))
    call("userfaultfd", 323, 0)
    call("add_key", 248, ctypes.c_char_p(b"user"), ctypes.c_char_p(b"a"), ctypes.c_char_p(b"b"), 1, -3)
    call("keyctl", 250, 0, -3, 1)
    call("open_by_handle_at", 304, 3, ctypes.c_char_p(b"\0" * 64), 0)
    call("settimeofday", 164, ctypes.c_char_p(b"\0" * 16), 0)
    call("reboot", 169, 0xFEE1DEAD, 672274793, 0, 0)
    call("swapon", 167, here, 0)
    call("quotactl", 179, 0x80000100, here, 0, 0)


def others(bmonitor):
    pid = int(bmonitor)
    for number in (9, 15, 19, 1):
        tried(f"signal {number}", lambda: os.kill(pid, number))
    tried("signal to what is not its own", lambda: os.kill(os.getppid(), 9) if os.getppid() > 1 else False)
    call("ptrace attach", 101, 16, pid, 0, 0)
    call("ptrace of init", 101, 16, 1, 0, 0)
    call("process_vm_readv", 310, pid, 0, 0, 0, 0, 0)
    call("pidfd_getfd", 438, 3, 0, 0)
    tried("memory", lambda: open(f"/proc/{pid}/mem", "rb").read(1) is not None)
    for name in os.listdir("/proc"):
        if name.isdigit() and "bmonitor" in open(f"/proc/{name}/cmdline").read() and int(name) != os.getpid() and "hostile" not in open(f"/proc/{name}/cmdline").read():
            won.append(f"sees {name}")


def packets(to):
    raw = ((socket.AF_INET, socket.IPPROTO_RAW), (socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6))
    for family, protocol in raw:
        tried(f"raw {protocol}", lambda: socket.socket(family, socket.SOCK_RAW, protocol))
    # ARP and neighbour discovery as its own packets.
    for kind in (0x0806, 0x86DD, 0x0003):
        tried(f"packet {kind:x}", lambda: socket.socket(17, socket.SOCK_RAW, socket.htons(kind)))
        tried(f"packet datagram {kind:x}", lambda: socket.socket(17, socket.SOCK_DGRAM, socket.htons(kind)))
    for number in (40, 38, 44):
        tried(f"family {number}", lambda: socket.socket(number, socket.SOCK_STREAM, 0))
    # The kernel lets anybody bind to an address that is not here; the filters do not let it out.
    for address in ("10.66.66.66", "127.0.0.2", "255.255.255.255"):
        try:
            liar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            liar.setsockopt(socket.SOL_IP, 15, 1)
            liar.bind((address, 0))
            for _ in range(50):
                liar.sendto(b"lie", (to, 9001))
        except OSError:
            pass
    tried("transparent", lambda: socket.socket().setsockopt(socket.SOL_IP, 19, 1))
    tried("mark", lambda: socket.socket().setsockopt(socket.SOL_SOCKET, 36, 1))
    # Links, addresses, neighbours and routes, as netlink has them.
    for kind in (16, 20, 28, 24):
        def changed():
            link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            body = struct.pack("BBBBI", 2, 32, 0, 0, 1) + struct.pack("HH4s", 8, 1, socket.inet_aton("10.66.66.66")) * 2
            link.send(struct.pack("IHHII", 16 + len(body), kind, 0x605, 1, 0) + body)
            answer = link.recv(4096)
            return struct.unpack_from("i", answer, 16)[0] == 0
        tried(f"netlink {kind}", changed)


def fork_bomb(_):
    while True:
        try:
            os.fork()
        except OSError:
            pass


def memory(_):
    held = []
    while True:
        held.append(bytearray(16 * 1024 * 1024))


def shared_memory(_):
    with open("/dev/shm/much", "wb") as file:
        while True:
            file.write(b"x" * 1024 * 1024)


def disk(_):
    with open("/much", "wb") as file:
        while True:
            file.write(b"x" * 1024 * 1024)


def many_files(_):
    at = 0
    while True:
        folder = f"/many/{at // 1000}"
        if at % 1000 == 0:
            os.makedirs(folder, exist_ok=True)
        os.close(os.open(f"{folder}/{at}", os.O_CREAT | os.O_WRONLY))
        at += 1


def descriptors(_):
    held = []
    while True:
        try:
            held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            time.sleep(0.01)


def flood(to):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port = 0
    while True:
        port = port % 65535 + 1
        try:
            one.sendto(b"x" * 1000, (to, port))
        except OSError:
            pass


def connections(to):
    held = []
    while True:
        try:
            one = socket.socket()
            one.setblocking(False)
            held.append(one)
            one.connect((to, 1 + len(held) % 65535))
        except BlockingIOError:
            pass
        except OSError:
            held = held[-100:]


def logs(_):
    while True:
        os.write(1, b"y" * 65536)
        os.write(2, b"\n" * 4096)


def lines(_):
    held = []
    while True:
        try:
            one = socket.socket(socket.AF_UNIX)
            one.connect("/run/bmonitor/socket")
            held.append(one)
            one.setblocking(False)
            one.send(b'{"do":"error","text":"' + b"x" * 70_000)
            one.send(b'{"do":"config"}\n' * 10_000)
            one.send(os.urandom(4096))
            socket.send_fds(one, [b"\n"], [0, 1, 2])
        except OSError:
            held = held[-50:]


def said(words):
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(60)
    one.connect("/run/bmonitor/socket")
    one.sendall(words if isinstance(words, bytes) else (__import__("json").dumps(words) + "\n").encode())
    got = b""
    while not got.endswith(b"\n"):
        more = one.recv(65536)
        if not more:
            break
        got += more
    return got


def asks(_):
    '''What an engine may ask for, and is not given: secrets of others, more memory than it has, messages to nowhere and under false names.'''
    import json
    refused = [
        {"do": "secret", "name": "theirs"},
        {"do": "secret", "name": "../web/theirs"},
        {"do": "secret", "name": "/etc/shadow"},
        {"do": "secret", "name": "."},
        {"do": "secret", "name": ".theirs"},
        {"do": "secret", "name": "a" * 65},
        {"do": "secret", "name": ["theirs"]},
        {"do": "memory", "mb": 97},
        {"do": "memory", "mb": 2 ** 52},
        {"do": "memory", "mb": -1},
        {"do": "memory", "mb": 1.5},
        {"do": "memory", "mb": "64"},
        {"do": "send", "to": "web", "text": "to who takes none"},
        {"do": "send", "to": "__proto__", "text": ""},
        {"do": "send", "to": "constructor", "text": ""},
        {"do": "send", "to": "box", "text": "x" * 8193},
        {"do": "send", "to": "box", "text": "a lie", "from": "web"},
        {"do": "send", "to": "../../x", "text": ""},
        {"do": "receive", "of": "web"},
    ]
    for words in refused:
        if b'"error"' not in said(words):
            won.append(json.dumps(words)[:60])
    for path in ("/run/secrets", "/run/bmonitor/../secrets", "/run/bmonitor/secrets"):
        tried(path, lambda: bool(os.listdir(path)))


def ask_flood(_):
    '''Everything that takes a while, as fast as it can be said, without reading an answer.'''
    held = []
    lines = b'{"do":"secret","name":"theirs"}\n{"do":"memory","mb":96}\n{"do":"memory"}\n{"do":"send","to":"box","text":"flood"}\n{"do":"receive"}\n'
    while True:
        try:
            one = socket.socket(socket.AF_UNIX)
            one.connect("/run/bmonitor/socket")
            one.setblocking(False)
            held.append(one)
            while True:
                one.send(lines * 1000)
        except OSError:
            held = held[-30:]


def message_flood(_):
    '''Messages to another engine, read as they are answered; and connections to its port that say nothing, or rubbish.'''
    import threading

    def sends():
        while True:
            try:
                said({"do": "send", "to": "box", "text": "x" * 8000})
            except OSError:
                pass

    for _ in range(16):
        threading.Thread(target=sends, daemon=True).start()
    held = []
    while True:
        for rubbish in (b"", b"\0{}", b"\1" + os.urandom(70_000)):
            try:
                one = socket.socket()
                one.settimeout(0.2)
                one.connect((os.environ["BOX"], 7410))
                one.send(rubbish)
                held = held[-100:] + [one]
            except OSError:
                pass


def memory_greed(_):
    '''Asks for more whenever it is given some, and uses all of it.'''
    held = []
    mb = 96
    while True:
        try:
            said({"do": "memory", "mb": mb})
        except OSError:
            pass
        mb = mb + 8 if mb < 192 else 96
        held.append(bytearray(4 * 1024 * 1024))


globals()[sys.argv[1]](sys.argv[2] if len(sys.argv) > 2 else "")
if won:
    import json
    told = socket.socket(socket.AF_UNIX)
    told.connect("/run/bmonitor/socket")
    told.sendall((json.dumps({"do": "error", "text": ", ".join(won)}) + "\n").encode())
    told.recv(4096)
sys.exit(1 if won else 0)
