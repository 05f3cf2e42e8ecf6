"""Commitment and leader completeness (Raft, §5.4).

A leader commits what a majority holds on disk, entries of its own term only, and every leader of a later term
holds all of it. Disks speak through `append` events, which nodes write once an entry is durable and before
they acknowledge it.
"""

from __future__ import annotations

from typing import Any

from checkers import events
from checkers.history import History
from checkers.node_log import NodeLog
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import count, listed, name_event

NAME = "leader-completeness"
Event = dict[str, Any]


def leader_completeness(history: History) -> Verdict:
    gaps = events.gaps(history)
    timeline = events.timeline(history)
    anomalies, ledger = _commits(timeline, events.nodes(history))
    missing, elections = _missing(timeline, ledger)
    return conclude(
        NAME,
        f"{count(len(ledger), 'term')} committed entries, all on a majority's disks and with every later"
        " leader",
        # A missing event may be the very append that would explain things.
        anomalies=[] if gaps else anomalies + missing,
        unknown=gaps,
        vacuous=[] if ledger else ["no leader ever committed an entry"],
        evidence={"terms_with_commits": len(ledger), "elections": elections},
    )


def _commits(
    timeline: list[Event], nodes: list[str]
) -> tuple[list[Anomaly], dict[int, tuple[int, int, Event]]]:
    """Judges each leader's commits. Returns also, for each term, the highest entry committed in it: (index,
    the entry's term, the event). An entry counts for the term of the leader that committed it, not its own: a
    leader elected meanwhile, in a later term, must have it; one of an earlier term need not."""
    logs = {node: NodeLog() for node in nodes}
    held_by: dict[tuple[int, int], set[str]] = {}
    ledger: dict[int, tuple[int, int, Event]] = {}
    anomalies: list[Anomaly] = []
    for event in timeline:
        node, kind = event["node"], event["event"]
        logs[node].take(event)
        if kind == "append":
            for index, term, _, _ in event["entries"]:
                held_by.setdefault((index, term), set()).add(node)
        elif kind == "commit" and event["role"] == "leader":
            index, term = event["index"], event["term"]
            # A majority of followers may have it on disk before the leader does.
            entry_term = logs[node].term(index)
            entry_term = term if entry_term is None else entry_term
            if entry_term != term:
                message = (
                    f"{name_event(event)} led term {term} and committed index {index}, an entry of term"
                    f" {entry_term}, by"
                    " counting its copies; only an entry of the leader's own term is safe to count (§5.4.2)"
                )
                anomalies.append(Anomaly("committed-old-term", message, (), (event,), event["time_ns"]))
            holders = held_by.get((index, entry_term), set())
            if len(holders) <= len(nodes) // 2:
                message = (
                    f"{name_event(event)} committed index {index} (term {entry_term}) when {len(holders)} of"
                    f" {len(nodes)} nodes had it on disk ({listed(sorted(holders)) or 'none'}); it takes"
                    " a majority"
                )
                anomalies.append(Anomaly("commit-without-majority", message, (), (event,), event["time_ns"]))
            if term not in ledger or ledger[term][0] < index:
                ledger[term] = (index, entry_term, event)
    return anomalies, ledger


def _missing(timeline: list[Event], ledger: dict[int, tuple[int, int, Event]]) -> tuple[list[Anomaly], int]:
    """Leaders that lack, when elected, what an earlier term committed; and how many elections were judged."""
    logs: dict[str, NodeLog] = {}
    anomalies, elections = [], 0
    for event in timeline:
        log = logs.setdefault(event["node"], NodeLog())
        log.take(event)
        if event["event"] != "role" or event["role"] != "leader":
            continue
        elections += 1
        for term, (index, entry_term, commit) in sorted(ledger.items()):
            if term >= event["term"] or index < log.base_index or log.term(index) == entry_term:
                continue
            has = log.term(index)
            message = (
                f"{name_event(event)} became leader of term {event['term']} without index {index} (term"
                f" {entry_term}),"
                f" which {name_event(commit)} had committed in term {term}; it has"
                f" {'nothing' if has is None else f'an entry of term {has}'} there"
            )
            anomalies.append(Anomaly("leader-incomplete", message, (), (commit, event), event["time_ns"]))
            break
    return anomalies, elections
