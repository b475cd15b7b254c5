# Has nc make a connection and hand it over (-F): not the bytes, the open socket itself.
import socket
import subprocess

ours, theirs = socket.socketpair()
subprocess.run(["nc", "-F", "127.0.0.1", "4004"], stdout=theirs, check=True)
# nc has ended. What it opened waits in our socket, as an open file description without a number.
_, [number], _, _ = socket.recv_fds(ours, 1, 1)
connection = socket.socket(fileno=number)
connection.sendall(b"this was not sent by nc\n")
