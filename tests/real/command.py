"""`tamis` as a program, without its start: a process that has loaded it all forks for each command.

A command of its own loads for a second what it uses for a few milliseconds, and the road asks hundreds of them. As a
shell does, tests/real/demo.py and tests/installation start it.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import multiprocessing
import os
import pkgutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tamis import cli
from tests.real.support import REPOSITORY, HarnessError


class _Ready:
    """The process that forks; it is started by the first command."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: object) -> int:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=REPOSITORY,
                )
                atexit.register(self._stop)
            to, of = self._process.stdin, self._process.stdout
            assert to is not None
            assert of is not None
            to.write(json.dumps(request).encode() + b"\n")
            to.flush()
            answer = of.readline()
        if not answer:
            raise HarnessError("the process that forks for commands is gone")
        return int(answer)

    def _stop(self) -> None:
        assert self._process is not None
        self._process.communicate()


_READY = _Ready()


def tamis(*arguments: str) -> tuple[int, str, str]:
    """Run a command to its end: its status, what it printed, and what it said on standard error."""
    with tempfile.TemporaryDirectory(prefix="tamis-command-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        status = _READY.ask([arguments, dict(os.environ), str(out), str(err)])
        return status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")


def _serve() -> None:
    """For each line that asks: fork, and answer with the status of the child."""
    for module in pkgutil.walk_packages(cli.__path__, "tamis.cli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()  # else each child would copy all of it
    while line := sys.stdin.buffer.readline():
        child = multiprocessing.get_context("fork").Process(target=_become, args=json.loads(line))
        child.start()
        child.join()
        sys.stdout.write(f"{child.exitcode}\n")
        sys.stdout.flush()
    os._exit(0)  # what is frozen some libraries take for leaked


def _become(arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    """This process is the command."""
    for descriptor, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    try:
        cli.main(arguments)
    finally:
        atexit._run_exitfuncs()  # helper processes end with the command, as they do at an interpreter's end


if __name__ == "__main__":
    _serve()
