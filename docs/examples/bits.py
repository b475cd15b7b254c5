"""What epoll says of descriptors whose other end has gone."""

import os
import select
import socket

NAMES = ["EPOLLIN", "EPOLLOUT", "EPOLLRDHUP", "EPOLLHUP", "EPOLLERR"]
BOTH_WAYS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


def show(what, end, interest):
    poller = select.epoll()
    poller.register(end, interest | select.EPOLLET)
    bits = dict(poller.poll(0.2)).popitem()[1]
    print(f"{what}: {' '.join(name for name in NAMES if bits & getattr(select, name))}")


reading, writing = os.pipe()
os.close(writing)
show("an empty pipe whose writer has gone", reading, select.EPOLLIN)

reading, writing = os.pipe()
os.set_blocking(writing, False)
os.write(writing, bytes(1 << 20))
os.close(reading)
show("a full pipe whose reader has gone", writing, select.EPOLLOUT)

one, other = socket.socketpair()
other.shutdown(socket.SHUT_WR)
show("a socket whose peer has half-closed", one, BOTH_WAYS)

other.close()
show("a socket whose peer has closed", one, BOTH_WAYS)

listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
server.close()
show("a socket whose peer has reset", client, BOTH_WAYS)

nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
nobody.connect(listener.getsockname())
nobody.send(b"?")
show("a UDP socket that was refused", nobody, select.EPOLLIN)
