"""`crosswind shrink` and `crosswind replay`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from checkers.cli import EXIT_CODES, duration_s
from checkers.verdict import Validity
from harness import saved
from harness.replay import PartedError, replay
from harness.run import RUNS, again
from harness.shrink import CannotShrinkError, Shrunk, shrink

TEST = '''"""The smallest schedule that was found to show {kind}. Fails for as long as it does."""

from harness.replay import found_again

SCHEDULE = r"""
{schedule}
"""


def test_{name}() -> None:
    findings = found_again(SCHEDULE).findings
    assert not findings, findings[0].message
'''


def add_shrink_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="the run directory of a failing run of the simulator")
    parser.add_argument("--limit", type=duration_s, default=60.0, help="CPU time at most (default 60s)")
    parser.add_argument("--test", type=Path, help="where the pytest file goes (default: beside the new run)")


def run_shrink(options: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 the run breaks no promise. Raises RecordError."""
    was = saved.of_run(options.run)
    try:
        shrunk = shrink(was, options.limit)
    except CannotShrinkError as error:
        print(f"crosswind: {error}", file=sys.stderr)
        return 1
    left = shrunk.saved
    result = again(left.plan, RUNS, left.schedule, left.tuning)
    test = options.test or result.directory / f"test_{_name(left)}.py"
    test.write_text(_test(left), encoding="utf-8")
    print(_told(shrunk))
    print(f"  run:    {os.path.relpath(result.directory)}\n  test:   pytest {os.path.relpath(test)}")
    return 0


def _told(shrunk: Shrunk) -> str:
    kind, took = shrunk.saved.kinds[0], f"{shrunk.tries} runs, {shrunk.cpu_s:.1f} CPU s"
    steps = [f"  {s.at_s:7.3f} s  {s.action:<6}  {s.nemesis} {s.target}" for s in shrunk.saved.schedule]
    return "\n".join([f"{kind} with {shrunk.after} of {shrunk.before} faults ({took})", *steps])


def _test(left: saved.Saved) -> str:
    text = json.dumps(left.to_json(), indent=1)
    return TEST.format(kind=left.kinds[0], schedule=text, name=_name(left))


def _name(left: saved.Saved) -> str:
    return f"{left.kinds[0]}_seed_{left.plan.seed}".replace("-", "_")


def add_replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a run directory of the simulator")


def run_replay(options: argparse.Namespace) -> int:
    """The run's own exit code; 1 where it went another way. Raises RecordError."""
    try:
        result = replay(options.run)
    except PartedError as error:
        print(f"crosswind: this run went another way: {error}", file=sys.stderr)
        return EXIT_CODES[Validity.NO]
    print(f"the same trace, verdict {result.validity.value}: {os.path.relpath(result.directory)}")
    return EXIT_CODES[result.validity]
