"""What is needed of Redis' protocol."""

import os
import socket


def ask(*words):
    with socket.create_connection((os.environ["QUEUE"], 6379)) as end:
        end.sendall(f"*{len(words)}\r\n".encode())
        for word in map(str.encode, words):
            end.sendall(b"$%d\r\n%s\r\n" % (len(word), word))
        return read(end.makefile("rb"))


def read(file):
    kind, rest = file.read(1), file.readline().strip().decode()
    if kind == b"*":
        return [read(file) for _ in range(int(rest))]
    if kind != b"$" or rest == "-1":
        return None if kind == b"$" else rest
    return file.read(int(rest) + 2)[:-2].decode()
