# The peer: Python's own package. `peer.py fork|spawn|forkserver` prints the seconds of one start and join, on average;
# `peer.py waitN` (wait100, wait1000, wait10000) those of one wait for N sentinels, of which one is ready.
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import wait


def nothing():
    pass


def start_and_join(context, times):
    first = context.Process(target=nothing)  # starts a fork server, where there is one
    first.start()
    first.join()
    start = time.perf_counter()
    for _ in range(times):
        process = context.Process(target=nothing)
        process.start()
        process.join()
    return (time.perf_counter() - start) / times


def wait_for_many(context, count):
    """One child that has ended, and one that runs, N - 1 times: what our side waits for."""
    import resource  # not on Windows, which has no fork context either

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ended = context.Process(target=nothing)
    ended.start()
    ended.join()
    reader, writer = context.Pipe(duplex=False)
    running = context.Process(target=reader.recv, daemon=True)  # ends with this program, whatever fails
    running.start()
    sentinels = [running.sentinel] + [os.dup(running.sentinel) for _ in range(count - 2)] + [ended.sentinel]
    start = time.perf_counter()
    for _ in range(20):
        ready = wait(sentinels)
    seconds = (time.perf_counter() - start) / 20
    assert ready == [ended.sentinel]
    writer.send(None)
    running.join()
    return seconds


if __name__ == "__main__":
    mode = sys.argv[1]
    if mode.startswith("wait"):
        print(wait_for_many(multiprocessing.get_context("fork"), int(mode[4:])))
    else:
        print(start_and_join(multiprocessing.get_context(mode), 5))
