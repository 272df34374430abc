"""Kills workers of a program while it runs, until 30 were killed, in as many runs as that takes; prints the line
of each run's output that begins with `total`, without its last word, which is a time. A run has to end with
status 0. Usage: scan_kills.py COMMAND..."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path


def pids_and_parents():
    if Path("/proc/self/stat").exists():
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                pass
    else:
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True)
        for line in listing.stdout.splitlines():
            pid, parent = line.split()
            yield int(pid), int(parent)


def kill_one_of(parent):
    workers = [pid for pid, its_parent in pids_and_parents() if its_parent == parent]
    if not workers:
        return 0
    try:
        os.kill(random.choice(workers), signal.SIGKILL)
    except ProcessLookupError:  # it has ended meanwhile
        return 0
    return 1


kills = 0
while kills < 30:
    with open("kills.output", "w+") as output:
        program = subprocess.Popen(sys.argv[1:], stdout=output, stdin=subprocess.DEVNULL)
        while True:
            try:
                status = program.wait(0.01)  # between two kills
                break
            except subprocess.TimeoutExpired:
                kills += kill_one_of(program.pid)
        output.seek(0)
        text = output.read()
    assert status == 0, (status, text)
    for line in text.splitlines():
        if line.startswith("total"):
            print(" ".join(line.split()[:-1]), flush=True)
print(kills, "workers were killed")
