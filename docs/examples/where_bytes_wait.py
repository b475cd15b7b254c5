"""A reader of stdout that never reads: how much is written before everybody waits, and where it is.

Figures are rounded up to 64 KiB: a page of a pipe that is partly read still takes its place.
The arguments are options for the listener.
"""

import array
import fcntl
import os
import select
import subprocess
import sys
import termios

PORT = "4004"
QUIET = 1000  # milliseconds without room: the producer waits


def in_kib(count):
    """Rounded up to 64."""
    return -(-count // 65536) * 64


def held_by(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def held_by_sockets():
    lines = subprocess.check_output(["ss", "-tnH", "state", "established"], text=True).splitlines()
    for received, unsent, local, _ in map(str.split, lines):
        yield local.endswith(":" + PORT), int(received), int(unsent)


to_sender, sender_in = os.pipe()[::-1]
stdout_pipe, listener_out = os.pipe()
listener = subprocess.Popen(["nc", "-l", *sys.argv[1:], PORT], stdin=subprocess.DEVNULL, stdout=listener_out)
while PORT not in subprocess.check_output(["ss", "-tlnH"], text=True):
    pass
sender = subprocess.Popen(["nc", "127.0.0.1", PORT], stdin=sender_in, stdout=subprocess.DEVNULL)

# anchor: push
os.set_blocking(to_sender, False)
poller = select.poll()
poller.register(to_sender, select.POLLOUT)
pushed = 0
while poller.poll(QUIET):
    pushed += os.write(to_sender, bytes(65536))
# end: push

held = {}
for is_listener, received, unsent in held_by_sockets():
    held[is_listener] = received if is_listener else unsent
places = [
    ("in the pipe at the sender's stdin", held_by(sender_in)),
    ("in the sender's socket", held[False]),
    ("in the listener's socket", held[True]),
    ("in the pipe at the listener's stdout", held_by(stdout_pipe)),
]
places.append(("in the memory of the two nc", pushed - sum(count for _, count in places)))
for place, count in places:
    print(f"{in_kib(count):>5} KiB {place}")
print(f"{in_kib(pushed):>5} KiB written before everybody waited")
sender.kill()
listener.kill()
