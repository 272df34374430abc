#!/usr/bin/env python3
"""Every public header compiles alone, without warnings; and all of them compile after a header of hostile
macros. Usage: check_headers.py COMPILER_JSON SOURCE_DIR alone|hostile"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from compiler import Compiler  # noqa: E402


def public_headers(root):
    return sorted(p.relative_to(root / "include").as_posix() for p in (root / "include").rglob("*.hpp"))


def available(compiler, header, text):
    """An adapter of a library that is not installed here cannot be looked at; it is said, not hidden."""
    for name in re.findall(r"#\s*include\s*<((?:gtest|catch2/catch\.|doctest|spdlog|boost/asio)[^>]*)>", text):
        # Of Catch2 either version will do.
        there = f"__has_include(<{name}>)" + (" || __has_include(<catch2/catch_session.hpp>)" if "catch2" in name else "")
        if not compiler.compile_text(f"#if !({there})\n#error\n#endif\n")[0]:
            print(f"[skipped] {header}: <{name}> is not installed")
            return False
    return True


def check_alone(compiler, root):
    headers = [h for h in public_headers(root) if available(compiler, h, (root / "include" / h).read_text())]
    texts = [f"#include <{header}>\n#include <{header}>\n" for header in headers]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda text: compiler.compile_text(text, compiler.warnings), texts))
    failed = 0
    for header, (good, said) in zip(headers, results):
        if not good:
            failed += 1
            print(f"<{header}> does not compile alone:\n{said}\n")
    print(f"{len(headers)} headers, {failed} failed")
    return failed == 0 and headers


def check_hostile(compiler, root):
    headers = [h for h in public_headers(root) if not h.endswith("_main.hpp")]
    headers = [h for h in headers if available(compiler, h, (root / "include" / h).read_text())]
    foreign = set()
    for header in headers:
        text = (root / "include" / header).read_text(encoding="utf-8")
        foreign.update(re.findall(r"^\s*#\s*include\s*<((?!multiprocessing/)[^>]+)>", text, flags=re.M))
    lines = [f"#if __has_include(<{name}>)\n#include <{name}>\n#endif" for name in sorted(foreign)]
    lines.append(f'#include "{root / "tests/headers/hostile_macros.hpp"}"')
    lines += [f"#include <{header}>" for header in headers]
    good, said = compiler.compile_text("\n".join(lines) + "\n")
    print(said if not good else f"{len(headers)} headers compile after hostile macros")
    return good and headers


def main():
    compiler, root, which = Compiler(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    good = check_alone(compiler, root) if which == "alone" else check_hostile(compiler, root)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
