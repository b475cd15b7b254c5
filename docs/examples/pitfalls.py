"""Pitfalls of event loops, each in a few lines: python3 docs/examples/pitfalls.py NAME"""

import errno
import os
import resource
import select
import socket
import struct
import subprocess
import sys

EDGE = select.EPOLLIN | select.EPOLLET


def names(bits):
    words = {"IN": select.EPOLLIN, "OUT": select.EPOLLOUT, "ERR": select.EPOLLERR, "HUP": select.EPOLLHUP}
    return "|".join(word for word, bit in words.items() if bits & bit) or "nothing"


def connection():
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


def watch(fd, what):
    poller = select.epoll()
    poller.register(fd, what)
    return poller


def attempt(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def drain():
    # anchor: drain
    ours, theirs = socket.socketpair()
    poller = watch(ours, EDGE)
    theirs.send(b"abcdef")
    print(len(poller.poll(0)), "event, read", ours.recv(3))
    print(len(poller.poll(0)), "events, and still there:", ours.recv(3))
    # end: drain


def forget():
    # anchor: forget
    ours, theirs = socket.socketpair()
    poller = watch(ours, EDGE)
    theirs.send(b"abcdef")
    ready = bool(poller.poll(0))
    queue_is_full = True
    if ready and queue_is_full:
        ready = False  # nobody has seen EAGAIN
    queue_is_full = False
    ready |= bool(poller.poll(0))
    print("read" if ready else "nothing to do, says the loop")
    # end: forget


def short():
    # anchor: short
    ours, theirs = socket.socketpair()
    poller = watch(ours, EDGE)
    theirs.send(b"bye")
    theirs.close()
    print(len(poller.poll(0)), "event, read", ours.recv(4096), "of 4096")
    print(len(poller.poll(0)), "events, and the next read gives", ours.recv(4096))
    # end: short


def hup():
    # anchor: hup
    reading, writing = os.pipe()
    poller = watch(reading, select.EPOLLIN)
    os.close(writing)
    [(_, bits)] = poller.poll(0)
    print(names(bits), "and a read gives", os.read(reading, 10))
    # end: hup


def err():
    # anchor: err
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.write(writing, bytes(65536))
    poller = watch(writing, select.EPOLLOUT)
    print(len(poller.poll(0)), "events while it is full")
    os.close(reading)
    [(_, bits)] = poller.poll(0)
    print(names(bits), "and a write gives", attempt(os.write, writing, b"x"))
    # end: err


def rearm():
    # anchor: rearm
    ours, theirs = socket.socketpair()
    poller = watch(ours, EDGE)
    theirs.send(b"abcdef")
    for _ in range(3):
        print(len(poller.poll(0)), "event, read", ours.recv(2))
        poller.modify(ours, EDGE)  # without this line: 1, 0, 0
    # end: rearm


def zero():
    # anchor: zero
    ours, theirs = socket.socketpair()
    poller = watch(ours, select.EPOLLIN)
    theirs.close()
    turns = 0
    while turns < 1000 and poller.poll(0):
        ours.recv(4096)  # b"", and who looks?
        turns += 1
    print(turns, "turns, and no end")
    # end: zero


def ghost():
    # anchor: ghost
    reading, writing = os.pipe()
    poller = watch(reading, select.EPOLLIN)
    copy = os.dup(reading)
    os.close(reading)
    os.write(writing, b"x")
    [(fd, _)] = poller.poll(0)
    print("an event for a descriptor that is closed:", fd == reading)
    print("to unregister it now:", attempt(poller.unregister, fd))
    # end: ghost


def regular():
    # anchor: regular
    for path in ["/etc/hosts", "/dev/null", "/dev/urandom"]:
        file = open(path)
        print(path, attempt(watch, file.fileno(), select.EPOLLIN))
    # end: regular


def connect():
    # anchor: connect
    client = socket.socket()
    client.setblocking(False)
    print(attempt(client.connect, ("127.0.0.1", 4004)))
    [(_, bits)] = watch(client, select.EPOLLOUT).poll(1)
    print(names(bits))
    for _ in range(2):
        print("SO_ERROR", client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    # end: connect


def accept():
    # anchor: accept
    listener = socket.create_server(("127.0.0.1", 0))
    poller = watch(listener, EDGE)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    print(len(clients), "clients,", len(poller.poll(0)), "event")
    served = [listener.accept()]
    print(len(served), "served,", len(poller.poll(0)), "events")
    # end: accept


def emfile():
    # anchor: emfile
    listener = socket.create_server(("127.0.0.1", 0))
    poller = watch(listener, select.EPOLLIN)
    client = socket.create_connection(listener.getsockname())
    resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1,) * 2)
    answers = [attempt(listener.accept) for _ in range(1000) if poller.poll(0)]
    print(len(answers), "turns, all of them", *set(answers))
    # end: emfile


def partial():
    # anchor: partial
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    message = bytes(100_000)
    print("wrote", os.write(writing, message), "of", len(message))
    # end: partial


def unread():
    # anchor: unread
    client, server = connection()
    client.send(b"one question too many")
    server.send(b"answer")
    server.close()
    print(client.recv(100), "and then", attempt(client.recv, 100))
    # end: unread


def reset():
    # anchor: reset
    client, server = connection()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    print(attempt(client.recv, 100), "and then", client.recv(100))
    # end: reset


def last_words():
    # anchor: last_words
    client, server = connection()
    poller = watch(client, select.EPOLLIN)
    server.send(b"last words")
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    [(_, bits)] = poller.poll(0)
    print(names(bits), "and a read gives", client.recv(100))
    # end: last_words


def backlog():
    # anchor: backlog
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = socket.create_connection(listener.getsockname())
    print("connected, and sent", client.send(b"hello?"))
    # end: backlog


def udp():
    # anchor: udp
    refusing = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    refusing.bind(("127.0.0.1", 0))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(refusing.getsockname())
    refusing.close()
    for datagram in [b"1", b"2", b"3"]:
        print(datagram, attempt(client.send, datagram))
    # end: udp


def empty():
    # anchor: empty
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for datagram in [b"one", b"", b"three"]:
        theirs.send(datagram)
    while received := ours.recv(100):
        print(received)
    print("the end? There is more:", ours.recv(100))
    # end: empty


def splice():
    # anchor: splice
    (empty_out, empty_in), (full_out, full_in) = os.pipe(), os.pipe()
    ours, theirs = socket.socketpair()
    for end in [full_in, ours, theirs]:
        os.set_blocking(end if isinstance(end, int) else end.fileno(), False)
    os.write(full_in, bytes(65536))
    theirs.send(b"bytes for a full pipe")
    now = os.SPLICE_F_NONBLOCK
    print("the pipe is full:", attempt(lambda: os.splice(ours.fileno(), full_in, 100, flags=now)))
    ours.recv(100)
    print("the socket is empty:", attempt(lambda: os.splice(ours.fileno(), empty_in, 100, flags=now)))
    # end: splice


def inherited():
    # anchor: inherited
    client, server = connection()
    server.set_inheritable(True)
    child = subprocess.Popen(["sleep", "1"], close_fds=False)
    server.close()
    client.settimeout(0.2)
    try:
        print(client.recv(100))
    except TimeoutError:
        print("no end of file while the child lives")
    child.wait()
    print("and now:", client.recv(100))
    # end: inherited


globals()[sys.argv[1]]()
