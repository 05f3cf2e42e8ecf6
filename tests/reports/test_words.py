"""What the terminal says: figures, sentences, the failure, the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checkers.history import Call, Op
from checkers.verdict import Validity, Verdict
from reports import words
from reports.record import Run
from reports.text import failure, printable, run_table, verdict_lines


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (0, "0 µs"),
        (850_400, "850 µs"),
        (999_600, "1.00 ms"),
        (12_340_000, "12.3 ms"),
        (108_800_000, "109 ms"),
        (1_240_000_000, "1.24 s"),
        (36_000_000_000, "36.0 s"),
        (125_000_000_000, "2 min 05 s"),
    ],
)
def test_durations(ns: int, said: str) -> None:
    assert words.duration(ns) == said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("bound_s", 15, ("bound", "15 s")),
        ("held_bytes", 41812, ("held", "41,812 bytes")),
        ("slowest_ns", 710_000_000, ("slowest", "710 ms")),
        ("host_too_slow", True, ("host too slow", "true")),
        ("share", 0.25, ("share", "0.25")),
        ("by_node", {"a": [1]}, ("by node", "{a: [1]}")),
    ],
)
def test_figures_carry_their_units(name: str, value: Any, said: tuple[str, str]) -> None:
    assert words.figure(name, value) == said


def test_long_lists_lose_their_middle_and_long_texts_their_end() -> None:
    assert words.compact([3, list(range(100))]) == "[3, [0, 1, 2, 3, … 92 more …, 96, 97, 98, 99]]"
    assert words.compact([3, list(range(9))]) == "[3, [0, 1, 2, 3, 4, 5, 6, 7, 8]]"
    assert len(words.compact("x" * 10_000)) == 200


def test_a_call_says_what_it_asked_and_got() -> None:
    invoke = Op(4, 10, 1, "invoke", "read", [3, None])
    assert words.describe_call(Call(invoke, None)) == "read [3, null]"
    assert words.describe_outcome(Call(invoke, None)) == "info, never completed"
    got = Call(invoke, Op(5, 20, 1, "ok", "read", [3, [1, 2]], witness=9))
    assert words.describe_call(got) == "read [3, null] → [3, [1, 2]]"
    assert words.describe_outcome(got) == "ok, log index 9"
    lost = Call(invoke, Op(5, 20, 1, "info", "read", [3, None], error="no answer within 1.0 s"))
    assert words.describe_outcome(lost) == "info, no answer within 1.0 s"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "vote", "for": "b", "term": 3}, "voted for b in term 3"),
        (
            {"event": "role", "role": "leader", "from": "candidate", "term": 3},
            "became leader of term 3 (was candidate)",
        ),
        ({"event": "truncate", "from_index": 8}, "removed index 8 and everything above it"),
        (
            {"event": "append", "entries": [[4, 2, "command", "ab"]]},
            "appended index 4 (term 2, command, digest ab)",
        ),
        (
            {
                "event": "append",
                "entries": [[4, 2, "no-op", "ab"], [5, 3, "command", "cd"]],
                "recovered": True,
            },
            "appended 2 entries, index 4 to 5 (term 3) read back from the WAL",
        ),
        (
            {
                "event": "apply",
                "index": 4,
                "term": 2,
                "kind": "no-op",
                "digest": "ab",
                "command": "",
                "outcome": "none",
            },
            "applied index 4 (term 2, no-op): none",
        ),
        ({"event": "role"}, "{event: role}"),
        ({"event": "later-kind", "x": 1, "seq": 3}, "{event: later-kind, x: 1}"),
        ({}, "{}"),
    ],
)
def test_events_are_sentences(event: dict[str, Any], said: str) -> None:
    assert words.describe_event(event) == said


def test_every_kind_of_event_that_nodes_write_has_its_sentence(saved: Callable[[str], Run]) -> None:
    events = [e for boots in saved("good").history.events.values() for boot in boots for e in boot]
    assert not [event for event in events if words.describe_event(event).startswith("{")]


YES = Verdict("monotone", Validity.YES, "terms never fell")
UNKNOWN = Verdict("recovery", Validity.UNKNOWN, "the host was late. Much later.")
VACUOUS = Verdict("at-most-once", Validity.VACUOUS, "no retry")


@pytest.mark.parametrize(
    ("verdicts", "status", "said"),
    [
        ([YES], "done", "No contradiction found: the one checker says yes over 9 operations."),
        ([YES, UNKNOWN], "done", "recovery could not decide: the host was late."),
        ([YES, VACUOUS], "done", "at-most-once shows nothing: it could not have failed: no retry"),
        (2 * [VACUOUS], "done", "at-most-once (and 1 other checker) shows nothing: it could not have failed"),
        ([], "crashed: ClusterError: gone", "The run was not judged: ClusterError: gone."),
        ([], "running", "The run was not judged: it is not finished."),
    ],
)  # fmt: skip
def test_headlines(verdicts: list[Verdict], status: str, said: str) -> None:
    validity = verdicts[-1].valid if verdicts else Validity.UNKNOWN
    assert words.headline(validity, verdicts, "9 operations", status).startswith(said)


def test_a_failure_ends_with_the_line_that_runs_it_again(saved: Callable[[str], Run]) -> None:
    run = saved("stale-read")
    lines = failure(run.path).splitlines()
    assert lines[-1] == "pytest --workload=append --nemesis=partition,pause,kill,latency --seed=7"
    assert lines[-2] == "reproduce (may take several tries (local)):"
    assert lines[0] == "FAIL  append-partition+pause+kill+latency-local-s7"
    assert "✕ no       linearizability  1 stale read among 1,967 acknowledged operations" in lines
    assert any("returned a list without" in line for line in lines)
    assert any("became leader of term 2 (was candidate)" in line for line in lines)
    assert f"report: {run.path / 'report.html'}" in lines
    assert "\x1b" not in "".join(lines)
    assert "\x1b[31;1mFAIL\x1b[0m" in failure(run.path, colour=True)


@pytest.mark.parametrize(
    ("kind", "outcome"), [("unknown", "UNKNOWN"), ("vacuous", "VACUOUS"), ("crashed", "UNKNOWN")]
)
def test_whatever_is_not_a_pass_says_so(saved: Callable[[str], Run], kind: str, outcome: str) -> None:
    assert failure(saved(kind).path).startswith(f"{outcome}  ")


def test_verdict_lines_are_aligned_and_only_coloured_when_asked() -> None:
    assert verdict_lines([YES, UNKNOWN, VACUOUS]) == (
        "✓ yes      monotone      terms never fell\n"
        "? unknown  recovery      the host was late. Much later.\n"
        "○ vacuous  at-most-once  no retry"
    )
    assert "\x1b[33m? unknown\x1b[0m" in verdict_lines([UNKNOWN], colour=True)


def _row(run: str, verdict: str, ok: int, duration_s: float) -> dict[str, Any]:
    figures = {"ok": ok, "fail": 25, "info": 0, "leader_changes": 2, "duration_s": duration_s}
    return {"run": run, "verdict": verdict, **figures, "report": f"runs/{verdict}/report.html"}


ROWS = [_row("append-kill-local-s7", "no", 1700, 36.04), _row("register-none-local-s7", "yes", 87, 9.0)]


def test_the_table_of_runs() -> None:
    assert run_table(ROWS) == (
        "run                     verdict     ok  fail  info  leader changes    time  report\n"
        "append-kill-local-s7    FAIL     1,700    25     0               2  36.0 s  runs/no/report.html\n"
        "register-none-local-s7  PASS        87    25     0               2   9.0 s  runs/yes/report.html"
    )
    painted = run_table(ROWS, colour=True)
    assert painted.replace("\x1b[31;1m", "").replace("\x1b[32m", "").replace("\x1b[0m", "") == run_table(ROWS)
    assert " \x1b[31;1mFAIL\x1b[0m " in painted


def test_nothing_printed_can_command_the_terminal() -> None:
    assert printable("a\x1b[2J\r\nb\x07\udc80") == "a\\x1b[2J b\\x07\\xdc80"
    hostile = Verdict("a\x1b[31m", Validity.UNKNOWN, "b\x1b]0;title\x07")
    assert "\x1b" not in verdict_lines([hostile])
