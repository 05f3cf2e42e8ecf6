"""A saved run of the simulator, carried out again: the same trace, or where the two part."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path

from harness import saved
from harness.probe import Probe, probe
from harness.run import RUNS, Result, again
from reports.record import RecordError

WHAT = {
    1: "took in a vote request",
    2: "took in a vote reply",
    3: "took in AppendEntries",
    4: "took in an AppendEntries reply",
    5: "took in a client's request",
    6: "heard from its disk",
    7: "had its timer fire",
    9: "was killed",
}


class PartedError(Exception):
    """The run went another way this time; says where."""


def replay(path: Path, runs: Path = RUNS) -> Result:
    """Carries the run out once more, into a directory of its own. Raises RecordError for what cannot be,
    PartedError where the traces differ."""
    was = saved.of_run(path)
    result = again(was.plan, runs, was.schedule, was.tuning)
    if saved.of_run(result.directory).trace_hash != was.trace_hash:
        raise PartedError(_where(path, result.directory))
    return result


def found_again(text: str) -> Probe:
    """Carries out what `crosswind shrink` wrote down. Raises RecordError."""
    was = saved.of_json(text, "this schedule")
    return probe(was.plan, schedule=was.schedule, tuning=was.tuning)


def _where(before: Path, now: Path) -> str:
    """The first step in which two traces differ."""
    traces = [_trace(path / "nodes" / "trace.jsonl") for path in (before, now)]
    for number, (then, this) in enumerate(zip_longest(*traces), start=1):
        if then != this:
            return f"step {number} of the trace: it {_said(then)} then, and it {_said(this)} now ({now})"
    return f"the traces are equal, but not what they were made of ({now})"


def _trace(path: Path) -> list[list[int]]:
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: cannot be read: {error}") from None


def _said(step: list[int] | None) -> str:
    if step is None:
        return "was over"
    time_ns, node, what, number = step
    return f"was node {node} that {WHAT.get(what, what)} ({number}) at {time_ns / 1e9:.6f} s"
