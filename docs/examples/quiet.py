"""One `nc -lk`, greedy clients that send all they can, and a quiet one: how long do its bytes take?

usage: quiet.py GREEDY
"""

import os
import socket
import subprocess
import sys
import threading
import time

PORT = "4004"
ROUNDS = 200

stdout, listener_out = os.pipe()
listener = subprocess.Popen(["nc", "-lk", PORT], stdin=subprocess.DEVNULL, stdout=listener_out)
while PORT not in subprocess.check_output(["ss", "-tlnH"], text=True):
    pass
zero = os.open("/dev/zero", os.O_RDONLY)
greedy = [subprocess.Popen(["nc", "127.0.0.1", PORT], stdin=zero) for _ in range(int(sys.argv[1]))]

arrived = threading.Semaphore(0)


def read_all():
    while piece := os.read(stdout, 1 << 18):
        for _ in range(piece.count(b"q")):
            arrived.release()


threading.Thread(target=read_all, daemon=True).start()
time.sleep(1)

# anchor: rounds
quiet = socket.create_connection(("127.0.0.1", PORT))
took = []
for _ in range(ROUNDS):
    start = time.monotonic()
    quiet.send(b"q")
    arrived.acquire()
    took.append(time.monotonic() - start)
    time.sleep(0.005)
# end: rounds

took.sort()
print(f"{len(greedy)} greedy: half of the quiet bytes came out within {took[ROUNDS // 2] * 1000:.3f} ms", flush=True)
for process in [*greedy, listener]:
    process.kill()
