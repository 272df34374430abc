"""Runs the compiler of the build with the flags of its tests, for checks that only ask whether something
compiles. The build writes both into a JSON file whose path is the first argument of every such check."""

import json
import subprocess
import tempfile
from pathlib import Path


class Compiler:
    def __init__(self, description):
        told = json.loads(Path(description).read_text(encoding="utf-8"))
        self.name = told["id"]
        self.command = [told["compiler"], *told["flags"].split(), "-std=c++20"]
        if "MSVC" in self.name:
            self.command = [told["compiler"], "/nologo", "/std:c++20", "/Zs", "/EHsc", *told["flags"].split()]
        for folder in told["include"].split(";"):
            self.command += [f"-I{folder}"]
        for folder in told["system_include"].split(";"):
            if folder not in ("", "/usr/include"):  # already searched, and in the right place
                self.command += ["-isystem", folder]
        self.warnings = told["warnings"].split(";")
        self.only_syntax = [] if "MSVC" in self.name else ["-fsyntax-only"]

    def compile(self, file, extra=()):
        """(whether it compiled, what the compiler said)"""
        done = subprocess.run([*self.command, *self.only_syntax, *extra, str(file)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", check=False)
        return done.returncode == 0, done.stdout

    def compile_text(self, text, extra=()):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "snippet.cpp"
            file.write_text(text, encoding="utf-8")
            return self.compile(file, extra)
