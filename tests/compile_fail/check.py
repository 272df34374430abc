#!/usr/bin/env python3
"""A file that must not compile, and must be refused for the reasons that it names itself:
    // expect: REGEX          every compiler says something that matches
    // expect-gcc: REGEX      only gcc (likewise expect-clang, expect-msvc)
Usage: check.py COMPILER_JSON FILE"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from compiler import Compiler  # noqa: E402

NAMES = {"GNU": "gcc", "Clang": "clang", "AppleClang": "clang", "MSVC": "msvc"}


def main():
    compiler, file = Compiler(sys.argv[1]), Path(sys.argv[2])
    text = file.read_text(encoding="utf-8")
    name = NAMES[compiler.name]
    expected = re.findall(rf"^// expect(?:-{name})?: *(.+?) *$", text, flags=re.M)
    if not expected:
        print(f"{file} says nothing about what {name} has to say")
        return 1
    # The rest of the file has to be sound: without the part in question it compiles.
    if "MULTIPROCESSING_CONTROL" in text:
        good, said = compiler.compile(file, ["-DMULTIPROCESSING_CONTROL"])
        if not good:
            print(f"does not even compile with MULTIPROCESSING_CONTROL:\n{said}")
            return 1
    good, said = compiler.compile(file)
    if good:
        print("compiles, and should not")
        return 1
    missing = [pattern for pattern in expected if not re.search(pattern, said)]
    for pattern in missing:
        print(f"the compiler did not say: {pattern}")
    if missing:
        print(f"it said:\n{said[:8000]}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
