"""A peer that says something and then resets the connection."""

import socket
import time

server = socket.create_server(("127.0.0.1", 4004))
print("waiting for somebody", flush=True)
connection, _ = server.accept()
time.sleep(0.5)
connection.send(b"last words\n")
# Lingering for no time: close(2) sends a reset in place of an end of file.
connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
connection.close()
