"""Copies of what is broken and of what must notice, and pytest run on them."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

from tests.mutation.mutant import ROOT, Mutant

_COPIED = (
    "checkers",
    "tests/checkers",
    "tests/__init__.py",
    "pyproject.toml",
    "system/__init__.py",
    "system/raft",
)
# Every test needs these, and importing them takes longer than most tests: a process that is forked has them.
_HEAVY = ("hypothesis", "msgspec", "networkx", "numba", "numpy")
_OPTIONS = ("-x", "-q", "--tb=no", "-rfE", "--noconftest", "-p", "no:cacheprovider")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (?:tests/checkers/)?(.+?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Broken:
    """What a mutant replaced: the file's content, and its times."""

    path: Path
    whole: bytes
    times: os.stat_result

    def mend(self) -> None:
        self.path.write_bytes(self.whole)
        self.touch()

    def touch(self) -> None:
        """Keeps the file's time, by which numba knows what is stale, and drops its bytecode, which goes by
        the same."""
        os.utime(self.path, ns=(self.times.st_atime_ns, self.times.st_mtime_ns))
        Path(importlib.util.cache_from_source(str(self.path))).unlink(missing_ok=True)


class Tree:
    """A copy in which nobody else sees what is broken."""

    def __init__(self, root: Path, source: Path = ROOT) -> None:
        self._root = root
        self._output = root / "output"
        for name in _COPIED:
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (source / name).is_dir():
                shutil.copytree(source / name, target)
            else:
                shutil.copy2(source / name, target)

    @property
    def root(self) -> Path:
        return self._root

    def broken(self, mutant: Mutant) -> Broken:
        path = self._root / mutant.file
        broken = Broken(path, path.read_bytes(), path.stat())
        path.write_text(mutant.apply(broken.whole.decode()))
        broken.touch()
        return broken

    def pytest(self, tests: Sequence[str], *, compiled: bool) -> ForkProcess:
        """pytest as a process of its own that has begun; its exit code is pytest's."""
        for name in _HEAVY:
            importlib.import_module(name)
        process = multiprocessing.get_context("fork").Process(target=self._run, args=(tests, compiled))
        process.start()
        return process

    def _run(self, tests: Sequence[str], compiled: bool) -> None:
        from numba.core import config

        vars(config)["DISABLE_JIT"] = int(not compiled)
        os.chdir(self._root)
        output = self._output.open("w")
        sys.stdout = sys.stderr = output
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
        for name in [name for name in sys.modules if name.split(".")[0] in ("checkers", "tests")]:
            del sys.modules[name]
        sys.path.insert(0, str(self._root))
        code = pytest.main([*_OPTIONS, f"--rootdir={self._root}", *tests])
        output.flush()
        os._exit(int(code))

    def said(self) -> str:
        """The first test that failed, or the end of what pytest said."""
        text = self._output.read_text(errors="replace")
        failed = _FAILED.search(text)
        return failed[1] if failed else text.strip()[-2000:]
