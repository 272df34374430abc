#!/usr/bin/env python3
"""Holds every source file against docs/architecture.md: who may include whom, where platform macros
may stand, what a public header may define. Usage: check_layers.py SOURCE_DIR"""

import re
import sys
from pathlib import Path

PUBLIC = [r"multiprocessing/.+", r"cereal/.+", r"boost/pfr(\.hpp|/.+)"]
ADAPTERS = [r"boost/asio(\.hpp|/.+)", r"boost/system/.+", r"spdlog/.+", r"fmt/.+", r"doctest/.+", r"gtest/.+",
            r"catch2/.+"]
CONTRACT = [r"contract/.+"]
SYSTEM = [r"[a-zA-Z0-9_]+\.h", r"(sys|mach|mach-o|linux|netinet|arpa|crt_externs|CommonCrypto|os)/.+\.h"]
BOOST = [r"boost/.+"]
RUNTIME = ["support", "wire", "launch", "connection", "memory", "sync", "queue", "pool", "manager", "forkserver",
           "context"]
TESTS = [r"test_support/.+", r"doctest/.+"]

# The longest prefix decides. "files beside it" and the standard library are always allowed.
ALLOWED = {
    "include/multiprocessing/": PUBLIC,
    "include/multiprocessing/adapters/": PUBLIC + ADAPTERS,
    "platform/contract/": CONTRACT,
    "platform/posix/": CONTRACT + SYSTEM + BOOST,
    "platform/win32/": CONTRACT + SYSTEM + BOOST,
    "platform/stub/": CONTRACT,
    "tests/contract/": CONTRACT + TESTS,
    "tests/unit/": PUBLIC + CONTRACT + TESTS + BOOST + [r"fmt/.+", r"spdlog/.+"] + [folder + r"/.+" for folder in RUNTIME],
    "tests/api/": PUBLIC + TESTS,
    # A host opens its plug-ins as hosts do, and an adapter is tried with what it adapts.
    "tests/api/programs/": PUBLIC + TESTS + [r"boost/dll/.+", r"boost/asio/.+"],
    "tests/parity/": PUBLIC + TESTS,
    "tests/faults/": PUBLIC + TESTS + CONTRACT,
    "tests/fuzz/": PUBLIC + CONTRACT + TESTS + [folder + r"/.+" for folder in RUNTIME],
    "tests/support/": PUBLIC + TESTS + CONTRACT,
    "tests/backend/": PUBLIC + TESTS + CONTRACT + SYSTEM + BOOST,
    "tests/compile_fail/": PUBLIC,
    "tests/headers/": PUBLIC,
    "tests/consumer/": PUBLIC + [r"catch2/.+"],
    "tests/examples/": PUBLIC + TESTS,
    "examples/": PUBLIC + [r"CLI/.+"],
    "examples/scan/": PUBLIC + [r"CLI/.+", r"(io|unistd)\.h"],  # whether standard error is a terminal
    "benchmarks/": PUBLIC + SYSTEM + [r"tbb/.+", r"mpi\.h"],
}
for index, folder in enumerate(RUNTIME):
    above = [name + r"/.+" for name in RUNTIME[: index + 1]]
    ALLOWED[f"runtime/{folder}/"] = PUBLIC + CONTRACT + above
ALLOWED["runtime/support/"] += [r"boost/asio(\.hpp|/.+)", r"boost/system/.+", r"spdlog/.+", r"fmt/.+"]
ALLOWED["runtime/launch/"] += [r"boost/stacktrace(\.hpp|/.+)", r"backtrace\.h"]

STANDARD = re.compile(r"[a-z0-9_]+$")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')
PLATFORM_MACRO = re.compile(
    r"\b(_WIN32|_WIN64|WIN32|__linux__|__linux|__APPLE__|__MACH__|__FreeBSD__|__unix__|__unix|__CYGWIN__|"
    r"__MINGW32__|__MINGW64__|__ANDROID__|__MUSL__|TARGET_OS_\w+)\b")
DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)")
CONDITIONAL = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b")
LONGEST_FILE = 600


def without_comments(text):
    """The same lines, with comments and the contents of strings gone (an include keeps its name)."""
    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found
    return re.sub(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', blank, text, flags=re.S)


def rules_of(path):
    best = max((prefix for prefix in ALLOWED if path.startswith(prefix)), key=len, default=None)
    return ALLOWED.get(best)


def check_includes(root, path, lines):
    allowed = rules_of(path)
    if allowed is None:
        yield f"{path}:1: this folder is not in the table of {Path(__file__).name}"
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match.group(1) or match.group(2)
        beside = match.group(2) and (root / path).parent.joinpath(name).is_file()
        backend = match.group(2) and path.startswith(("platform/", "tests/backend/")) and "/" not in name
        if beside or backend or (match.group(1) and STANDARD.match(name)):
            continue
        if not any(re.fullmatch(pattern, name) for pattern in allowed):
            yield f"{path}:{number}: may not include {name}"


def check_macros(path, lines):
    system_code = re.match(r"platform/(posix|win32)/|tests/backend/|benchmarks/[^/]*_(posix|win32)\.", path)
    for number, line in enumerate(lines, 1):
        match = PLATFORM_MACRO.search(line)
        if match and not system_code:
            yield f"{path}:{number}: {match.group(1)} may stand only below platform/posix and platform/win32"
        if path.startswith("platform/contract/include/") and CONDITIONAL.match(line):
            yield f"{path}:{number}: the contract has no conditional compilation"
        defined = DEFINE.match(line)
        own = defined and re.match(r"MULTIPROCESSING_|DOCTEST_CONFIG_|CATCH_CONFIG_", defined.group(1))
        if defined and path.startswith("include/") and not own:
            yield f"{path}:{number}: a public header may not define {defined.group(1)}"


def check_shape(path, text):
    if not text.startswith("//"):
        yield f"{path}:1: does not open with a comment that says what the file is responsible for"
    count = text.count("\n")
    if count > LONGEST_FILE:
        yield f"{path}:{count}: longer than {LONGEST_FILE} lines"


def main():
    root = Path(sys.argv[1])
    complaints = []
    count = 0
    for folder in ["include", "platform", "runtime", "tests", "examples", "benchmarks"]:
        for file in sorted((root / folder).rglob("*.[ch]pp")):
            path = file.relative_to(root).as_posix()
            text = file.read_text(encoding="utf-8")
            lines = without_comments(text).split("\n")
            complaints += check_includes(root, path, lines)
            complaints += check_macros(path, lines)
            complaints += check_shape(path, text)
            count += 1
    for complaint in complaints:
        print(complaint)
    print(f"{count} files, {len(complaints)} complaints")
    return 1 if complaints or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
