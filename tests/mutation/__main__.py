"""Breaks the judges one by one, in copies, runs the tests that should notice, and prints the score."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from tests.mutation.mutant import Mutant, mutants
from tests.mutation.trees import Broken, Tree

# A mutant that does not end is noticed too: what it is run against ends in a fraction of this.
LIMIT_S = 120.0
# pytest's exit codes for its own errors, wrong arguments, and no tests at all.
_NO_RESULT = (3, 4, 5)


@dataclass(frozen=True, slots=True)
class Result:
    """killed_by: the test that noticed; empty where none did"""

    mutant: Mutant
    killed_by: str
    took_s: float

    def line(self) -> str:
        fate = f"killed by {self.killed_by}" if self.killed_by else "SURVIVED"
        return f"{self.mutant.file}: {self.mutant.breaks}: {fate} ({self.took_s:.1f} s)"


@dataclass(frozen=True, slots=True)
class _Running:
    mutant: Mutant
    tree: Tree
    broken: Broken
    process: ForkProcess
    began_s: float

    @classmethod
    def begin(cls, mutant: Mutant, tree: Tree) -> _Running:
        broken = tree.broken(mutant)
        process = tree.pytest(mutant.tests, compiled=not mutant.compiled)
        return cls(mutant, tree, broken, process, time.monotonic())

    def end(self) -> Result:
        late = self.process.is_alive()
        if late:
            self.process.kill()
        self.process.join()
        self.broken.mend()
        if late:
            self._end_without()
        if self.process.exitcode in _NO_RESULT:
            raise SystemExit(f"pytest cannot run {' '.join(self.mutant.tests)}:\n{self.tree.said()}")
        killed_by = "the time limit" if late else self.tree.said() if self.process.exitcode else ""
        return Result(self.mutant, killed_by, time.monotonic() - self.began_s)

    def _end_without(self) -> None:
        """That the tests did not end was the mutant's doing: without it they do, in half the time."""
        process = self.tree.pytest(self.mutant.tests, compiled=not self.mutant.compiled)
        process.join(LIMIT_S / 2)
        if process.is_alive():
            process.kill()
            process.join()
            raise SystemExit(
                f"{' '.join(self.mutant.tests)}: longer than {LIMIT_S / 2:g} s with nothing broken, so that a"
                f" mutant of {self.mutant.file} took {LIMIT_S:g} s proves nothing; name fewer tests"
            )


def run_all(some: Sequence[Mutant], jobs: int) -> Iterator[Result]:
    """As they end. Raises SystemExit where the tests fail without any mutant, or cannot be run."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        first = Tree(Path(folder) / "0")
        _check(first, some)
        trees = [first, *(Tree(Path(folder) / str(job), first.root) for job in range(1, jobs))]
        waiting = list(reversed(some))
        running: list[_Running] = []
        while waiting or running:
            while trees and waiting:
                running.append(_Running.begin(waiting.pop(), trees.pop()))
            wait([one.process.sentinel for one in running], timeout=1.0)
            for one in list(running):
                if not one.process.is_alive() or time.monotonic() - one.began_s > LIMIT_S:
                    running.remove(one)
                    yield one.end()
                    trees.append(one.tree)


def _check(tree: Tree, some: Sequence[Mutant]) -> None:
    """The tests pass while nothing is broken, or else what they say of mutants means nothing. What is
    compiled is compiled now."""
    for compiled in (True, False):
        tests = list(dict.fromkeys(test for one in some if one.compiled != compiled for test in one.tests))
        if not tests:
            continue
        began_s = time.monotonic()
        process = tree.pytest(tests, compiled=compiled)
        process.join()
        if process.exitcode:
            raise SystemExit(f"fails while nothing is broken: {tree.said()}")
        how = "compiled" if compiled else "not compiled"
        print(f"nothing broken, {how}: all pass ({time.monotonic() - began_s:.0f} s)", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="", metavar="FILE", help="only files that have this in their name")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default 2)")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    options = parser.parse_args()
    chosen = mutants(options.only)
    if options.list:
        for mutant in chosen:
            reason = f" (equivalent: {mutant.equivalent})" if mutant.equivalent else ""
            print(f"{mutant.file}: {mutant.breaks}{reason}")
        return 0
    results = []
    for result in run_all([mutant for mutant in chosen if not mutant.equivalent], options.jobs):
        results.append(result)
        print(result.line(), flush=True)
    survivors = [result.mutant for result in results if not result.killed_by]
    for mutant in survivors:
        print(f"\nsurvived: {mutant.breaks}\n  {mutant.file}\n  - {mutant.old}\n  + {mutant.new}")
    equivalent = len(chosen) - len(results)
    print(
        f"{len(results) - len(survivors)} of {len(results)} mutants killed"
        + (f"; {equivalent} more change nothing that a test could notice" if equivalent else "")
    )
    return 1 if survivors or not results else 0


if __name__ == "__main__":
    sys.exit(main())
