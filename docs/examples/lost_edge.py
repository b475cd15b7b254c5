"""Eight bytes wait in a pipe, and each event is answered by reading four of them."""

import os
import select
import sys

# anchor: loop
reading, writing = os.pipe()
poller = select.epoll()
trigger = select.EPOLLET if sys.argv[1] == "edge" else 0
poller.register(reading, select.EPOLLIN | trigger)
os.write(writing, b"12345678")

left = 8
while left > 0:
    for _ in poller.poll():
        piece = os.read(reading, 4)
        left -= len(piece)
        print(f"an event, and read {piece.decode()}", flush=True)
# end: loop
