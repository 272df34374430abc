#!/usr/bin/env python3
"""Compiles every ```cpp block of README.md and docs/*.md. A block with a main() is compiled as it is;
one without stands at namespace scope after the umbrella header and `namespace mp = multiprocessing`.
    ```cpp fragment     statements: they are put into a function; names that no block before it in the
                        same file defined have to be declared in the block
    ```cpp fails        must not compile
Usage: check_snippets.py COMPILER_JSON SOURCE_DIR"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from compiler import Compiler  # noqa: E402

PRELUDE = """#include <multiprocessing/multiprocessing.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>
namespace mp = multiprocessing;
using namespace std::chrono_literals;
"""
BLOCK = re.compile(r"^```cpp *([a-z]*) *\n(.*?)^```", flags=re.M | re.S)


def snippets(root):
    for file in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            yield file.relative_to(root).as_posix(), line, match.group(1), match.group(2)


def program(file, line, kind, code):
    place = f'#line {line} "{file}"\n'
    if re.search(r"\bmain\s*\(", code):
        return place + code
    if kind == "fragment":
        return f"{PRELUDE}void fragment();\nvoid fragment() {{\n{place}{code}\n}}\n"
    return PRELUDE + place + code


def main():
    compiler, root = Compiler(sys.argv[1]), Path(sys.argv[2])
    found = list(snippets(root))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda s: compiler.compile_text(program(*s)), found))
    failed = 0
    for (file, line, kind, _), (good, said) in zip(found, results):
        if kind not in ("", "fragment", "fails"):
            failed += 1
            print(f"{file}:{line}: unknown kind of block: {kind}")
        elif good == (kind == "fails"):
            failed += 1
            print(f"{file}:{line}: {'compiles, and should not' if good else said}")
    print(f"{len(found)} blocks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
