#!/usr/bin/env python3
"""Every C++ file is formatted as clang-format 14 does with the .clang-format at the top (other versions
format differently). Usage: check_format.py SOURCE_DIR [--fix]"""

import shutil
import subprocess
import sys
from pathlib import Path


def main():
    root = Path(sys.argv[1])
    tool = shutil.which("clang-format-14")
    if not tool:
        print("[skipped] check.format: clang-format-14 is not installed")
        return 77
    folders = ["include", "platform", "runtime", "tests", "examples", "benchmarks"]
    files = [str(p) for folder in folders for p in sorted((root / folder).rglob("*.[ch]pp"))]
    files = [f for f in files if not f.endswith("hostile_macros.hpp")]  # not quite C++
    if "--fix" in sys.argv:
        return subprocess.call([tool, "-i", *files])
    found = subprocess.run([tool, "--dry-run", "-Werror", *files], stderr=subprocess.PIPE, text=True)
    bad = sorted({line.partition(":")[0] for line in found.stderr.splitlines() if "clang-format-violations" in line})
    for file in bad:
        print(f"{file}: not formatted; run tests/layering/check_format.py . --fix")
    if found.returncode and not bad:
        print(found.stderr)
    print(f"{len(files)} files, {len(bad)} to be formatted")
    return 1 if found.returncode or not files else 0


if __name__ == "__main__":
    sys.exit(main())
