"""Users: each asks many times a second, on a connection of its own each time, and has a resolver's cache that keeps an
answer for its TTL. Knows nothing of who changes what.
"""

import contextlib
import random
import socket
import struct
import threading
import time

# How long a user waits for anything, in seconds.
PATIENCE = 2


def question(name):
    """A query for the addresses of a name, as DNS writes it."""
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b"."))
    return struct.pack("!HHHHHH", random.getrandbits(16), 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def after_name(message, place):
    """Where a name ends that begins at a place."""
    while message[place]:
        if message[place] >= 0xC0:
            return place + 2
        place += 1 + message[place]
    return place + 1


def lookup(server, name):
    """An address that a resolver gives for a name, and for how long all that leads there may be kept."""
    asked = question(name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(PATIENCE)
        out.sendto(asked, server)
        message = out.recv(4096)
    place, kept, found = len(asked), [], []
    for _ in range(struct.unpack_from("!H", message, 6)[0]):
        place = after_name(message, place)
        kind, _, ttl, length = struct.unpack_from("!HHIH", message, place)
        data = message[place + 10 : place + 10 + length]
        place += 10 + length
        kept.append(ttl)
        if kind == 1:
            found.append(socket.inet_ntoa(data))
    if not found:
        raise OSError(f"{name} has no address")
    return random.choice(found), min(kept)


def status(address, name):
    """The status of the page at `/`."""
    with socket.create_connection(address, PATIENCE) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return int(answer.split(b" ", 2)[1])


class User(threading.Thread):
    """One of them."""

    def __init__(self, host, port, resolver, every, begins):
        super().__init__(daemon=True)
        self.host, self.port, self.resolver = host, port, resolver
        self.every, self.begins = every, begins
        self.address, self.until = None, 0
        self.leaves = threading.Event()
        # When the answer to each request was there, and whether it was a good one.
        self.seen = []
        self.asked = self.failed = 0

    def run(self):
        due = time.monotonic() + self.begins
        while not self.leaves.wait(max(0, due - time.monotonic())):
            good = self.is_served()
            self.seen.append((time.time(), good))
            self.asked, self.failed = self.asked + 1, self.failed + (not good)
            due = max(due + self.every, time.monotonic())

    def is_served(self):
        try:
            if time.monotonic() >= self.until:
                self.address, ttl = lookup(self.resolver, self.host)
                self.until = time.monotonic() + ttl
            return status((self.address, self.port), self.host) < 400
        except (OSError, ValueError, IndexError):
            return False


class Users(list):
    """All users of a name."""

    def counts(self):
        """How many requests they made, and how many of them failed."""
        return sum(user.asked for user in self), sum(user.failed for user in self)

    def forget(self):
        """What follows is another incident."""
        for user in self:
            user.seen = []

    def first_bad(self):
        """When the first bad answer was there; `None` if there was none."""
        return min((at for user in self for at, good in list(user.seen) if not good), default=None)

    def good_again(self):
        """Since when all are served well again; `None` if one of them is not, or none of them was served badly."""
        moments = []
        for user in self:
            seen = list(user.seen)
            bad = [place for place, (_, good) in enumerate(seen) if not good]
            if bad and bad[-1] + 1 == len(seen):
                return None
            if bad:
                moments.append(seen[bad[-1] + 1][0])
        return max(moments, default=None)


@contextlib.contextmanager
def asking(host, port, resolver, count, every, ttl):
    """Users who ask while the block runs. Their caches run out one after the other."""
    users = Users(User(host, port, resolver, every, max(ttl, every) * place / count) for place in range(count))
    for user in users:
        user.start()
    try:
        yield users
    finally:
        for user in users:
            user.leaves.set()
        for user in users:
            user.join()
