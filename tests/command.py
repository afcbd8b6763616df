"""Become a command: what a process that was forked for it runs; its folder, output and so on are given as globals."""

import multiprocessing
import os
import runpy
import site
import sys
import tempfile
from pathlib import Path

folder: Path
environment: dict[str, str]
arguments: list[str]
outputs: dict[int, Path]
fresh: bool

for number, path in outputs.items():
    with path.open("wb") as file:
        os.dup2(file.fileno(), number)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
tempfile.tempdir = None  # to be looked up again
multiprocessing.set_start_method(None, force=True)  # to be the default, not the way in which this process was started
if fresh:
    os.execv(arguments[0], arguments)  # noqa: S606
sys.argv = arguments
sys.path[:1] = [str(Path(arguments[0]).parent), *environment.get("PYTHONPATH", "").split(os.pathsep)]
site.execsitecustomize()
runpy.run_path(arguments[0], run_name="__main__")
