#!/usr/bin/env python3
"""Runs an example and holds its output against <name>.expected: each line there is a regular expression that
a line of the output matches as a whole, in this order; other lines may stand between. Lines that begin
with "# args:" and "# status:" say how it is called and how it ends; other lines with "# " are comments.
Usage: check_output.py EXPECTED PROGRAM..."""

import re
import subprocess
import sys
from pathlib import Path


def read_expected(file):
    arguments, status, patterns = [], 0, []
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        if line.startswith("# args:"):
            arguments = line[len("# args:"):].split()
        elif line.startswith("# status:"):
            status = int(line[len("# status:"):])
        elif line and not line.startswith("# "):
            patterns.append(line)
    return arguments, status, patterns


def main():
    arguments, status, patterns = read_expected(sys.argv[1])
    done = subprocess.run([*sys.argv[2:], *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", check=False)
    lines = iter(done.stdout.splitlines())
    missing = next((p for p in patterns if not any(re.fullmatch(p, line) for line in lines)), None)
    if missing is None and done.returncode == status:
        return 0
    print(done.stdout)
    if missing is not None:
        print(f"no line, or none after the lines before it, matches: {missing}")
    if done.returncode != status:
        print(f"exit status {done.returncode}, expected {status}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
