# The peer: Python's own package. Prints the seconds of one start and join, on average.
import multiprocessing
import sys
import time
from multiprocessing.connection import wait


def nothing():
    pass


def start_and_join(context, times):
    start = time.perf_counter()
    for _ in range(times):
        process = context.Process(target=nothing)
        process.start()
        process.join()
    return (time.perf_counter() - start) / times


def wait_for_many(context, count):
    process = context.Process(target=nothing)
    process.start()
    process.join()
    sentinels = [process.sentinel]
    import os

    while len(sentinels) < count:
        sentinels.append(os.dup(process.sentinel))
    start = time.perf_counter()
    for _ in range(20):
        wait(sentinels)
    return (time.perf_counter() - start) / 20


if __name__ == "__main__":
    mode = sys.argv[1]
    if mode.startswith("wait"):
        print(wait_for_many(multiprocessing.get_context("fork"), int(mode[4:])))
    else:
        print(start_and_join(multiprocessing.get_context(mode), 5))
