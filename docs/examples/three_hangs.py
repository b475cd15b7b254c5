"""A relay over edge-triggered epoll, and three ways to make it wait for ever."""

import fcntl
import os
import select
import sys


def attempt(call, *arguments):
    """What the call says; None where it says EAGAIN."""
    try:
        return call(*arguments)
    except BlockingIOError:
        return None


# anchor: relay
def relay(source, sink, mistake, outside):
    poller = select.epoll()
    poller.register(source, select.EPOLLIN | select.EPOLLET)
    poller.register(sink, select.EPOLLOUT | select.EPOLLET)
    readable = writable = False  # what the kernel has said and nobody has found untrue
    held = b""
    delivered = 0
    while True:
        if outside:
            outside.pop(0)()  # the world goes on while we wait
        if mistake == "edge-consumed":
            readable = writable = False
        for fd, _ in poller.poll():
            readable |= fd == source
            writable |= fd == sink
        while True:
            if held and writable:
                taken = attempt(os.write, sink, held)
                if taken is None:
                    writable = False
                    continue
                held = held[taken:]
                delivered += taken
                if mistake == "judged-by-the-write" and not held:
                    readable = False
            elif readable and not held:
                piece = attempt(os.read, source, ROOM)
                if piece is None:
                    readable = False
                    continue
                if not piece:
                    return delivered
                held = piece
                if mistake == "short-read" and len(piece) < ROOM:
                    readable = False
            else:
                break
# end: relay


ROOM = 4096

source, writer = os.pipe()
reader, sink = os.pipe()
fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, ROOM)
for fd in (source, sink):
    os.set_blocking(fd, False)


def send_and_close(count):
    os.write(writer, b"x" * count)
    os.close(writer)


# anchor: outside
# What happens to the ends of the relay, one step before each wait.
WORLDS = {
    # A few bytes, and the end right behind them.
    "short-read": [lambda: send_and_close(5)],
    # More than one read takes.
    "judged-by-the-write": [
        lambda: send_and_close(2 * ROOM),
        lambda: os.read(reader, ROOM),
    ],
    # More than the sink has room for; the room comes later.
    "edge-consumed": [
        lambda: send_and_close(3 * ROOM),
        lambda: os.read(reader, ROOM),
        lambda: os.read(reader, ROOM),
    ],
}
# end: outside

world = sys.argv[1]
mistake = None if "mended" in sys.argv else world
print(relay(source, sink, mistake, WORLDS[world]), "bytes and the end", flush=True)
