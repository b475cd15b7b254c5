"""Two networks with one link between them, for tests. Needs root.

    two_networks.py veth
    two_networks.py router SEED

Networks a (10.99.0.1) and b (10.99.0.2) are new ones of the kernel's. With `veth` the link is a pair of
virtual cables. With `router` it is this program, between two TUN devices: it delays every packet by 2 ms,
loses 5 in 100, sends 3 in 100 twice, and has 10 in 100 overtaken by others. The seed decides on which.

It prints the number of its descriptor of network a, once all is up; it is itself in network b. It ends
with its stdin, and the networks with it.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import stat
import struct
import subprocess
import sys
import tempfile
import time

LOST, TWICE, OVERTAKEN = 0.05, 0.03, 0.10
DELAY, LATE = 0.002, 0.010


def new_network():
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def up(device, address):
    ip("address", "add", address + "/24", "dev", device)
    ip("link", "set", device, "up")


def tun(name):
    path = "/dev/net/tun"
    if not os.path.exists(path):
        path = os.path.join(tempfile.mkdtemp(), "tun")
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(10, 200))
    device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    # TUNSETIFF; IFF_TUN | IFF_NO_PI
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))
    return device


def route(a, b, seed):
    chance = random.Random(seed)
    other = {a: b, b: a}
    coming, number = [], 0
    while True:
        wait = None if not coming else max(0, coming[0][0] - time.monotonic())
        ready, _, _ = select.select([0, a, b], [], [], wait)
        if 0 in ready and not os.read(0, 1):
            return
        for device in (a, b):
            if device not in ready:
                continue
            packet = os.read(device, 65536)
            copies = 0 if chance.random() < LOST else 2 if chance.random() < TWICE else 1
            for _ in range(copies):
                late = LATE if chance.random() < OVERTAKEN else 0
                number += 1
                heapq.heappush(coming, (time.monotonic() + DELAY + late, number, other[device], packet))
        while coming and coming[0][0] <= time.monotonic():
            _, _, device, packet = heapq.heappop(coming)
            try:
                os.write(device, packet)
            except OSError:
                pass  # As a network would.


def main():
    network = new_network()
    if sys.argv[1] == "veth":
        holder = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        new_network()
        ip("link", "add", "vb", "type", "veth", "peer", "name", "va", "netns", str(holder.pid))
        in_a = ["nsenter", "--net=/proc/%d/ns/net" % holder.pid, "ip"]
        subprocess.run([*in_a, "address", "add", "10.99.0.1/24", "dev", "va"], check=True)
        subprocess.run([*in_a, "link", "set", "va", "up"], check=True)
        up("vb", "10.99.0.2")
        print(network, flush=True)
        while os.read(0, 1):
            pass
        holder.stdin.close()
        return
    a = tun("ta")
    up("ta", "10.99.0.1")
    new_network()
    b = tun("tb")
    up("tb", "10.99.0.2")
    print(network, flush=True)
    route(a, b, int(sys.argv[2]))


main()
