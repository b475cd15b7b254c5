# Two processes wait for the same pipe. Both are told that it can be read; one of them is too late.
import os
import select
import time

reader, writer = os.pipe()
os.set_blocking(reader, False)
for _ in range(2):
    if os.fork() == 0:
        select.select([reader], [], [])
        time.sleep(0.3)
        try:
            print("told, and there was:", os.read(reader, 99), flush=True)
        except BlockingIOError as error:
            print("told, and there was:", error.strerror, flush=True)
        os._exit(0)
time.sleep(0.3)
os.write(writer, b"one line")
os.wait()
os.wait()
