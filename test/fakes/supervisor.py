"""Listens as systemd does: prints each datagram that comes to the socket of the argument, its lines joined by a space."""
import socket
import sys

here = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
here.bind(sys.argv[1])
print("ready", flush=True)
while True:
    print(here.recv(4096).decode().replace("\n", " "), flush=True)
