"""Correct runs are judged `yes`, and each of many violations planted in one is found, by the right checker
and name."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest

from checkers import CHECKERS, RUN_CHECKERS
from checkers.history import Call, History, Op
from checkers.verdict import Validity
from tests.checkers.build import counted, digest
from tests.checkers.model import NODES, correct
from workloads import WORKLOADS

Event = dict[str, Any]
# Changes a history for the worse, in place; False where this one offers no opportunity.
Corruption = Callable[[History, Random], bool]

RAFT = ("single-leader", "one-vote", "log-matching", "leader-completeness", "monotone")
OF_WORKLOAD = {"append": "list-append", "register": "linearizability"}


@cache
def saved(seed: int, workload: str) -> bytes:
    return pickle.dumps(correct(seed, workload))


def run(seed: int, workload: str) -> History:
    """A correct run's history, to do with as one likes."""
    history: History = pickle.loads(saved(seed, workload))
    return history


@pytest.mark.parametrize("workload", OF_WORKLOAD)
def test_correct_runs_are_judged_yes(workload: str) -> None:
    for seed in range(25):
        history = run(seed, workload)
        for name in (*RUN_CHECKERS, *WORKLOADS[workload].checkers):
            verdict = CHECKERS[name](history)
            assert verdict.valid is Validity.YES, (seed, verdict)
            assert verdict.checker == name


# Finding a place, and putting things there


def logs_of(history: History) -> Iterator[list[Event]]:
    for node in NODES:
        yield from history.events[node]


def places(history: History, kind: str) -> list[tuple[list[Event], int]]:
    """(a boot's log, position in it) of every event of a kind."""
    return [(log, at) for log in logs_of(history) for at, event in enumerate(log) if event["event"] == kind]


def pick(rng: Random, history: History, kind: str, where: Callable[[Event], bool]) -> tuple[list[Event], int]:
    """One such place whose event is as asked for."""
    return rng.choice([(log, at) for log, at in places(history, kind) if where(log[at])])


def insert(log: list[Event], at: int, event: Event) -> None:
    """An event right after position `at`, with the numbers made to fit."""
    before = log[at]
    same = {name: before[name] for name in ("v", "node", "boot", "time_ns")}
    log.insert(at + 1, same | {"seq": 0} | event)
    renumber(log)


def renumber(log: list[Event]) -> None:
    for seq, event in enumerate(log):
        event["seq"] = seq


def calls(history: History, f: str, kind: str = "ok") -> list[Call]:
    return [call for call in history.calls() if call.invoke.f == f and call.type == kind]


def ended(call: Call) -> Op:
    assert call.completion is not None
    return call.completion


def put(history: History, op: Op) -> None:
    """Replaces the operation of the same index."""
    assert isinstance(history.ops, list)
    history.ops[op.index] = op
    vars(history).pop("_calls", None)


def rewrite(history: History, index: int, command: str) -> None:
    """Has every node hold, apply and always have held this command at a log index."""
    code = digest("command", command)
    for log in logs_of(history):
        for event in log:
            if event["event"] == "apply" and event["index"] == index:
                event |= {"command": command, "digest": code}
            for row in event.get("entries", ()):
                if row[0] == index:
                    row[3] = code


def command_at(history: History, index: int) -> dict[str, Any]:
    log, at = next((log, at) for log, at in places(history, "apply") if log[at]["index"] == index)
    found: dict[str, Any] = json.loads(log[at]["command"])
    return found


def leader_of(history: History, term: int) -> str:
    wins = (log[at] for log, at in places(history, "role") if is_win(log[at]))
    return next(str(event["node"]) for event in wins if event["term"] == term)


def is_win(event: Event) -> bool:
    return bool(event["event"] == "role" and event["role"] == "leader")


# The violations


def second_leader(history: History, rng: Random) -> bool:
    log, at = pick(rng, history, "vote", lambda event: event["for"] != event["node"])
    insert(log, at, {"event": "role", "role": "leader", "from": "candidate", "term": log[at]["term"]})
    return True


def second_leader_seen(history: History, rng: Random) -> bool:
    seen = rng.choice([seen for seen in history.observations if seen["role"] == "follower"])
    if leader_of(history, seen["term"]) == seen["node"]:
        return False
    seen["role"] = "leader"
    return True


def leader_without_votes(history: History, rng: Random) -> bool:
    log, at = pick(rng, history, "role", is_win)
    winner, term = log[at]["node"], log[at]["term"]
    for other in logs_of(history):
        if other[0]["node"] != winner:
            if any(e["event"] == "boot" and e["term"] == term for e in other):
                return False
            other[:] = [e for e in other if not (e["event"] == "vote" and e["term"] == term)]
            renumber(other)
    return True


def second_vote(history: History, rng: Random) -> bool:
    log, at = rng.choice(places(history, "vote"))
    other = rng.choice([node for node in NODES if node != log[at]["for"]])
    insert(log, at, {"event": "vote", "term": log[at]["term"], "for": other})
    return True


def restarts(history: History) -> list[list[Event]]:
    return [boot for node in NODES for boot in history.events[node][1:]]


def vote_forgotten(history: History, rng: Random) -> bool:
    boots = [boot for boot in restarts(history) if boot[0]["voted_for"] is not None]
    if not boots:
        return False
    rng.choice(boots)[0]["voted_for"] = None
    return True


def term_forgotten(history: History, rng: Random) -> bool:
    if not restarts(history):
        return False
    rng.choice(restarts(history))[0].update(term=0, voted_for=None)
    return True


def commit_taken_back(history: History, rng: Random) -> bool:
    log, at = pick(rng, history, "commit", lambda event: event["index"] > 1)
    insert(log, at, log[at] | {"index": log[at]["index"] - 1})
    return True


def tail_lost(history: History, rng: Random) -> bool:
    for boot in restarts(history):
        rows = boot[1]["entries"] if boot[1].get("recovered") else []
        if len(rows) > 1:
            rows.pop()
            boot[0].update(last_index=rows[-1][0], last_term=rows[-1][1])
            return True
    return False


def other_entry(history: History, rng: Random) -> bool:
    log, at = rng.choice(places(history, "append"))
    rng.choice(log[at]["entries"])[3] = "0" * 16
    return True


def other_prefix(history: History, rng: Random) -> bool:
    """The same last entry, after an entry of another term."""
    several = [(log, at) for log, at in places(history, "append") if len(log[at]["entries"]) > 1]
    if not several:
        return False
    log, at = rng.choice(several)
    log[at]["entries"][-2][1] += 1000
    return True


def other_apply(history: History, rng: Random) -> bool:
    log, at = pick(rng, history, "apply", lambda event: event["kind"] == "command")
    log[at] |= {"digest": "0" * 16}
    return True


def apply_skipped(history: History, rng: Random) -> bool:
    log, at = rng.choice(places(history, "apply"))
    if not any(event["event"] == "apply" for event in log[at + 1 :]):
        return False
    del log[at]
    renumber(log)
    return True


def applied_uncommitted(history: History, rng: Random) -> bool:
    log, at = pick(rng, history, "commit", lambda event: event["index"] > 1)
    del log[at]
    renumber(log)
    return bool(log[at]["event"] == "apply")


def committed_removed(history: History, rng: Random) -> bool:
    log, at = pick(rng, history, "apply", lambda event: event["index"] > 2)
    insert(log, at, {"event": "truncate", "from_index": log[at]["index"] - 1})
    return True


def committed_too_early(history: History, rng: Random) -> bool:
    """The leader commits before anybody else has the entry."""
    log, at = pick(rng, history, "commit", lambda event: event["role"] == "leader")
    appended = max(i for i, event in enumerate(log[:at]) if event["event"] == "append")
    log.insert(appended + 1, log.pop(at) | {"time_ns": log[appended]["time_ns"]})
    renumber(log)
    return True


def old_term_committed(history: History, rng: Random) -> bool:
    for log, at in places(history, "role"):
        if (
            is_win(log[at])
            and at + 2 < len(log)
            and log[at + 2]["event"] == "commit"
            and log[at + 2]["index"] > 1
        ):
            insert(log, at, log[at + 2] | {"index": log[at + 2]["index"] - 1})
            return True
    return False


def leader_lacks_entry(history: History, rng: Random) -> bool:
    """A node wins that never had the last entry of the term before."""
    for log, at in places(history, "role"):
        if not is_win(log[at]):
            continue
        rows = [(event, row) for event in log[:at] for row in event.get("entries", ())]
        if rows and rows[-1][1][0] > 3:
            event, row = rows[-1]
            event["entries"].remove(row)
            return True
    return False


def index_of(call: Call) -> int:
    """The log index it was answered with."""
    index = ended(call).witness
    assert index is not None
    return index


def lost(history: History, rng: Random) -> bool:
    """An acknowledged command is not in the log: another stands in its place."""
    index = index_of(rng.choice(calls(history, "append") or calls(history, "write")))
    rewrite(history, index, json.dumps(command_at(history, index) | {"value": "999999"}))
    return True


def stale(history: History, rng: Random) -> bool:
    """A read is served from the state before everything, after operations that were over when it began."""
    call = rng.choice([call for call in calls(history, "read") if index_of(call) > 20])
    nothing = [call.invoke.value[0], [] if is_list(call) else None]
    put(history, replace(ended(call), witness=2, value=nothing))
    return True


def is_list(call: Call) -> bool:
    return isinstance(ended(call).value[1], list)


def element_missing(history: History, rng: Random) -> bool:
    reads = [ended(call) for call in calls(history, "read") if is_list(call)]
    reads = [read for read in reads if len(read.value[1]) > 2]
    if not reads:
        return False
    completion = rng.choice(reads)
    elements = list(completion.value[1])
    del elements[rng.randrange(len(elements) - 1)]
    put(history, replace(completion, value=[completion.value[0], elements]))
    return True


def wrong_value(history: History, rng: Random) -> bool:
    reads = [call for call in calls(history, "read") if not is_list(call)]
    if not reads:
        return False
    completion = ended(rng.choice(reads))
    put(history, replace(completion, value=[completion.value[0], 999_999]))
    return True


def acknowledged_as_refused(history: History, rng: Random) -> bool:
    call = rng.choice(calls(history, "append") or calls(history, "write"))
    put(history, replace(ended(call), type="fail", error="not the leader", witness=None))
    return True


def mismatch_that_matched(history: History, rng: Random) -> bool:
    found = calls(history, "cas")
    if not found:
        return False
    completion = ended(rng.choice(found))
    put(history, replace(completion, type="fail", error="mismatch"))
    return True


def match_that_did_not(history: History, rng: Random) -> bool:
    found = [call for call in calls(history, "cas", "fail") if ended(call).error == "mismatch"]
    if not found:
        return False
    completion = ended(rng.choice(found))
    put(history, replace(completion, type="ok", error=None))
    return True


def swapped_in_log(history: History, rng: Random) -> bool:
    """Of two commands, one after the other, the second stands first in the log."""
    done = calls(history, "append") or calls(history, "write")
    first, second = rng.choice(
        [(a, b) for a in done for b in done if ended(a).time_ns < b.invoke.time_ns],
    )
    a, b = index_of(first), index_of(second)
    one, other = command_at(history, a), command_at(history, b)
    sessions = [{name: command[name] for name in ("client", "seq")} for command in (one, other)]
    rewrite(history, a, json.dumps(other | sessions[0]))
    rewrite(history, b, json.dumps(one | sessions[1]))
    put(history, replace(ended(first), witness=b))
    put(history, replace(ended(second), witness=a))
    return True


def copies(history: History) -> list[Event]:
    return [log[at] for log, at in places(history, "apply") if log[at]["outcome"] == "duplicate"]


def copy_applied(history: History, rng: Random) -> bool:
    rng.choice(copies(history))["outcome"] = "applied"
    return True


def copy_under_new_sequence(history: History, rng: Random) -> bool:
    """What a client that numbers its second attempt anew would do."""
    event = rng.choice(copies(history))
    command = json.loads(event["command"])
    if command["op"] == "cas":
        return False
    rewrite(history, event["index"], json.dumps(command | {"seq": command["seq"] + 1_000_000}))
    return True


def copy_answered(history: History, rng: Random) -> bool:
    event = rng.choice(copies(history))
    wanted = json.loads(event["command"])["value"]
    for call in history.calls():
        value = call.invoke.value[1]
        written = value[1] if call.invoke.f == "cas" and isinstance(value, list) else value
        if call.completion is not None and call.completion.witness and str(written) == wanted:
            put(history, replace(call.completion, witness=event["index"]))
            return True
    return False


PLANTED: list[tuple[Corruption, str, str]] = [
    (second_leader, "single-leader", "two-leaders"),
    (second_leader_seen, "single-leader", "two-leaders"),
    (leader_without_votes, "single-leader", "no-majority"),
    (second_vote, "one-vote", "two-votes"),
    (vote_forgotten, "monotone", "vote-lost"),
    (term_forgotten, "monotone", "term-fell"),
    (commit_taken_back, "monotone", "commit-fell"),
    (tail_lost, "monotone", "log-lost"),
    (other_entry, "log-matching", "log-mismatch"),
    (other_prefix, "log-matching", "prefix-mismatch"),
    (other_apply, "log-matching", "diverged-apply"),
    (other_apply, "committed-log", "diverged-log"),
    (apply_skipped, "log-matching", "apply-order"),
    (applied_uncommitted, "log-matching", "applied-uncommitted"),
    (committed_removed, "log-matching", "truncated-committed"),
    (committed_too_early, "leader-completeness", "commit-without-majority"),
    (old_term_committed, "leader-completeness", "committed-old-term"),
    (leader_lacks_entry, "leader-completeness", "leader-incomplete"),
    (lost, "committed-log", "lost-*"),
    (stale, "committed-log", "stale-read"),
    (element_missing, "committed-log", "wrong-content"),
    (element_missing, "list-append", "incompatible-reads"),
    (wrong_value, "committed-log", "wrong-content"),
    (wrong_value, "linearizability", "never-written"),
    (acknowledged_as_refused, "committed-log", "refused-yet-applied"),
    (mismatch_that_matched, "committed-log", "refused-yet-applied"),
    (match_that_did_not, "committed-log", "lost-cas"),
    (swapped_in_log, "committed-log", "real-time-order"),
    (copy_applied, "at-most-once", "applied-twice"),
    (copy_under_new_sequence, "at-most-once", "applied-twice"),
    (copy_under_new_sequence, "committed-log", "duplicate-apply"),
    (copy_answered, "at-most-once", "wrong-answer"),
]


@pytest.mark.parametrize(
    ("corrupt", "checker", "kind"), PLANTED, ids=lambda part: getattr(part, "__name__", part)
)
def test_a_planted_violation_is_found(corrupt: Corruption, checker: str, kind: str) -> None:
    planted = 0
    for seed in range(6):
        for workload in OF_WORKLOAD:
            history = run(seed, workload)
            if not corrupt(history, Random(seed)):
                continue
            planted += 1
            history.facts["events"] = counted(history.events)  # so the nodes have written it
            verdict = CHECKERS[checker](history)
            kinds = {
                anomaly.kind.partition("-")[0] + "-*" if kind.endswith("*") else anomaly.kind
                for anomaly in verdict.anomalies
            }
            assert verdict.valid is Validity.NO, (seed, workload, verdict)
            assert kind in kinds or verdict.evidence["anomalies"].get(kind), (seed, workload, verdict)
            assert all(anomaly.ops or anomaly.events for anomaly in verdict.anomalies)
    assert planted >= 3


OF_EVENTS = (*RAFT, "committed-log", "at-most-once", "recovery")


@pytest.mark.parametrize("name", OF_EVENTS)
def test_no_checker_of_events_says_yes_over_a_gap(name: str) -> None:
    def lose_event(history: History) -> None:
        del history.events["n2"][0][5]

    def lose_first(history: History) -> None:
        del history.events["n2"][0][0]

    def lose_boot(history: History) -> None:
        history.events["n3"].pop()

    def lose_node(history: History) -> None:
        del history.events["n1"]

    def lose_starts(history: History) -> None:
        del history.facts["starts"]

    def lose_count(history: History) -> None:
        del history.facts["events"]

    for lose in (lose_event, lose_first, lose_boot, lose_node, lose_starts, lose_count):
        history = run(3, "append")
        lose(history)
        verdict = CHECKERS[name](history)
        assert verdict.valid is Validity.UNKNOWN, (lose.__name__, verdict)


def lose_tail(history: History, nodes: Sequence[str], share: float) -> None:
    """Takes this share of the last boot's events from the end of the nodes' logs, one event at least."""
    for node in nodes:
        log = history.events[node][-1]
        del log[-max(1, int(share * len(log))) :]


SHARES = (0.0, 0.01, 0.1, 0.3, 0.6, 0.9)


@pytest.mark.parametrize("name", OF_EVENTS)
@pytest.mark.parametrize("nodes", [("n1",), ("n2",), NODES])
def test_a_lost_end_is_a_gap_however_long_it_is(name: str, nodes: tuple[str, ...]) -> None:
    """And whoever lost it: nothing that is only missing is held against the nodes."""
    for seed in range(3):
        for share in SHARES:
            history = run(seed, "append")
            lose_tail(history, nodes, share)
            verdict = CHECKERS[name](history)
            assert verdict.valid is Validity.UNKNOWN, (seed, share, verdict)


@pytest.mark.parametrize("name", OF_EVENTS)
def test_an_end_lost_before_it_was_counted_shows_in_what_the_node_had_answered(name: str) -> None:
    for seed in range(3):
        for share in SHARES:
            history = run(seed, "append")
            lose_tail(history, NODES, share)
            history.facts["events"] = counted(history.events)
            verdict = CHECKERS[name](history)
            assert verdict.valid is Validity.UNKNOWN, (seed, share, verdict)
            assert "had answered Status with" in str(verdict.evidence["reasons"])


def test_what_present_events_contradict_is_a_no_over_a_gap_too() -> None:
    for corrupt, checker in (
        (second_leader, "single-leader"),
        (second_vote, "one-vote"),
        (other_apply, "log-matching"),
        (other_apply, "committed-log"),
        (commit_taken_back, "monotone"),
    ):
        history = run(3, "append")
        assert corrupt(history, Random(3))
        del history.facts["events"]
        assert CHECKERS[checker](history).valid is Validity.NO, checker


def test_every_checker_is_registered_under_the_name_of_its_verdicts() -> None:
    for workload in OF_WORKLOAD:
        for history in (History(), run(3, workload)):
            said = [check(history).checker for check in CHECKERS.values()]
            assert said == list(CHECKERS)
