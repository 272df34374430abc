# The peer: Python's own package. `peer_connections.py pipe SIZE TIMES round|one [pinned]` prints the seconds
# of one message of SIZE bytes there and back, or there alone.
import multiprocessing
import os
import sys
import time


def answer(connection, times, back):
    for i in range(-1, times):
        message = connection.recv_bytes()
        if back:
            connection.send_bytes(message)
        elif i == -1 or i + 1 == times:
            connection.send_bytes(b"x")


def ask(size, times, back):
    context = multiprocessing.get_context("fork")
    connection, theirs = context.Pipe()
    process = context.Process(target=answer, args=(theirs, times, back))
    process.start()
    message = b"x" * size
    for i in range(-1, times):
        if i == 0:
            start = time.perf_counter()
        connection.send_bytes(message)
        if back or i == -1 or i + 1 == times:
            connection.recv_bytes()
    seconds = (time.perf_counter() - start) / times
    process.join()
    return seconds


if __name__ == "__main__":
    if sys.argv[-1] == "pinned":
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    print(ask(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "round"))
