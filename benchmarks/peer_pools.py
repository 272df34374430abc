# The peer: Python's own pools. `peer_pools.py MODE` prints the seconds of one round: of one task for map, chunk1,
# imap, apply and idle (apply after a pause), of one pool for open.
import multiprocessing
import sys
import time


def square(x):
    return x * x


def per_task(count, work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / count


def after_pauses(pool, count):
    seconds = 0
    for i in range(count):
        time.sleep(0.002)
        seconds += per_task(1, lambda: pool.apply(square, (i,)))
    return seconds / count


def measure(mode):
    if mode == "open":
        return per_task(3, lambda: [multiprocessing.Pool(2).terminate() for _ in range(3)])
    with multiprocessing.Pool(2) as pool:
        pool.map(square, range(100))
        if mode == "map":
            return per_task(1000000, lambda: pool.map(square, range(1000000)))
        if mode == "chunk1":
            return per_task(20000, lambda: pool.map(square, range(20000), 1))
        if mode == "imap":
            return per_task(20000, lambda: sum(pool.imap(square, range(20000))))
        if mode == "idle":
            return after_pauses(pool, 200)
        return per_task(500, lambda: [pool.apply(square, (i,)) for i in range(500)])


if __name__ == "__main__":
    print(measure(sys.argv[1]))
