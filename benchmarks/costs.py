"""What the library costs besides time at run: the compiler's time for its headers, a program's size, and what a
pool does while nobody uses it. Usage: costs.py BUILD, a build of the release preset with its examples. Prints rows
of the table in docs/benchmarks.md."""

import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

build = Path(sys.argv[1]).resolve()
commands = json.loads((build / "compile_commands.json").read_text())
hello = next(each for each in commands if each["file"].endswith("examples/hello.cpp"))
words = shlex.split(hello["command"])
compiler = next(i for i, word in enumerate(words) if "ccache" not in word)
compile_with = words[compiler : words.index("-o")]

PLAIN = ["thread", "vector", "string", "functional", "map"]
IDLE = """
#include <multiprocessing/multiprocessing.hpp>
#include <iostream>
int square(int x) { return x * x; }
int main(int argc, char** argv) {
  multiprocessing::freeze_support(argc, argv);
  multiprocessing::Pool pool(2);
  pool.map(square, std::vector<int>(100, 2));
  std::cout << "ready" << std::endl;
  std::cin.get();
}
"""


def compiled(source, folder, name):
    file = folder / (name + ".cpp")
    file.write_text(source)
    subprocess.run([*compile_with, "-o", str(folder / name) + ".o", "-c", str(file)], check=True)
    return str(folder / name) + ".o"


def linked(source, folder, name, *options):
    program = folder / name
    link = [compile_with[0], compiled(source, folder, name), str(build / "libmultiprocessing.a"), "-pthread", "-ldl"]
    backtrace = ["-lbacktrace"] if "LIBBACKTRACE" in (build / "CMakeCache.txt").read_text() else []
    subprocess.run([*link, *backtrace, *options, "-o", str(program)], check=True)
    return program


def seconds_to_compile(headers, folder):
    source = "".join(f"#include <{header}>\n" for header in headers)
    begin = time.perf_counter()
    compiled(source, folder, "headers")
    return time.perf_counter() - begin


def row(work, ours, floor, ratio, goal, met):
    print(f"| {work} | {ours} | {floor} | {ratio} | {goal} | {'met' if met else 'missed'} |")


def compile_times(folder):
    sides = {"plain": PLAIN, "process": ["multiprocessing/process.hpp"], "all": ["multiprocessing/multiprocessing.hpp"]}
    times = {side: [] for side in sides}
    for _ in range(9):
        for side, headers in sides.items():
            times[side].append(seconds_to_compile(headers, folder))
    median = {side: statistics.median(all_of_it) for side, all_of_it in times.items()}
    names = {"process": "`process.hpp`, to compile", "all": "`multiprocessing.hpp`, to compile"}
    for side, goal in (("process", 1.8), ("all", 2.5)):
        ratio = median[side] / median["plain"]
        headers = ", ".join(f"`<{header}>`" for header in PLAIN)
        row(names[side], f"{median[side]:.2f} s", f"{headers} {median['plain']:.2f} s", f"{ratio:.2f}",
            f"<= {goal} x floor", ratio <= goal)


def size_of_hello(folder):
    plain = "#include <iostream>\n#include <thread>\nint main() { std::thread([] { std::cout << 1; }).join(); }\n"
    sizes = [linked(source, folder, name, "-static", "-s", "-Wl,--gc-sections").stat().st_size / 2**20
             for source, name in ((Path(hello["file"]).read_text(), "hello"), (plain, "plain"))]
    row("`examples/hello.cpp`, static, stripped, `--gc-sections`", f"{sizes[0]:.2f} MiB", f"streams and a thread {sizes[1]:.2f} MiB",
        f"{sizes[0] / sizes[1]:.2f}", "<= 2.2 MiB", sizes[0] <= 2.2)


def switches(pid):
    count = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        count += int(fields["voluntary_ctxt_switches"])
    return count


def idle_pool(folder):
    program = subprocess.Popen([linked(IDLE, folder, "idle")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    program.stdout.readline()
    time.sleep(1)
    pids = [program.pid, *map(int, Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split())]
    before = [switches(pid) for pid in pids]
    span = 10
    time.sleep(span)
    most = max(switches(pid) - count for pid, count in zip(pids, before)) / span
    program.communicate("\n")
    row("a pool that nobody uses, wake-ups of a process", f"{most:.1f} per second", "-", "-", "<= 1 per second", most <= 1)


print("| what | ours | floor | ours / floor | goal | |\n|---|---|---|---|---|---|")
with tempfile.TemporaryDirectory() as name:
    compile_times(Path(name))
    size_of_hello(Path(name))
    idle_pool(Path(name))
