"""What only ever grows: a node's term, restarts included, with the vote it gave in it; its commit index
within one boot; its log on disk, but for what it truncated (Raft, figure 2: persistent state)."""

from __future__ import annotations

from typing import Any

from checkers import events
from checkers.answers import answers
from checkers.history import History
from checkers.node_log import NodeLog
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import count, name_event, shown

NAME = "monotone"
Event = dict[str, Any]


def monotone(history: History) -> Verdict:
    anomalies: list[Anomaly] = []
    checked = restarts = 0
    gaps = events.gaps(history)
    for node in events.nodes(history):
        record = _Node(complete=not gaps)
        for event in events.stream(history, node):
            checked += 1
            record.take(event)
        anomalies += record.anomalies
        restarts += max(0, len(history.events.get(node, ())) - 1)
    anomalies += _fallen_answers(history)
    return conclude(
        NAME,
        f"{count(checked, 'event')} and {count(restarts, 'restart')}: no term, vote, commit index or durable"
        " entry was ever taken back",
        anomalies=anomalies,
        unknown=gaps,
        vacuous=[] if checked else ["no node left an event"],
        evidence={"events": checked, "restarts": restarts, "observations": len(history.observations)},
    )


class _Node:
    """One node's promises so far: `term` and `voted_for` are on its disk, as is `log`. complete: no event is
    missing."""

    def __init__(self, *, complete: bool) -> None:
        self._complete = complete
        self.anomalies: list[Anomaly] = []
        self._term = 0
        self._voted_for: str | None = None
        self._promise: Event | None = None
        self._commit: Event | None = None
        self._log = NodeLog()

    def take(self, event: Event) -> None:
        kind = event["event"]
        if kind == "boot":
            self._take_boot(event)
        elif kind in ("term", "vote", "role"):
            self._take_term(event)
        elif kind == "commit":
            self._take_commit(event)
        self._log.take(event)

    def _take_boot(self, event: Event) -> None:
        self._take_term(event)
        if event["term"] == self._term and self._voted_for not in (None, event["voted_for"]):
            message = (
                f"{name_event(event)} came back in term {self._term} with its vote for"
                f" {shown(event['voted_for'])},"
                f" but it had voted for {self._voted_for}; a vote outlives a restart"
            )
            self._add("vote-lost", message, event)
        self._voted_for = event["voted_for"]
        self._commit = None
        last_index, lost = event["last_index"], self._log.last_index - event["last_index"]
        # Shorter *and* the same at its end: nothing was written over what is gone. (A log that ends in
        # another entry may have been truncated and overwritten just before the kill, with the event
        # unwritten.) A missing event may be the truncation that took it.
        if self._complete and lost > 0 and self._log.term(last_index) == event["last_term"]:
            message = (
                f"{name_event(event)} came back with a log up to index {last_index}, but it had made entries"
                f" durable up to index {self._log.last_index}; {lost} are lost"
            )
            self._add("log-lost", message, event)

    def _take_term(self, event: Event) -> None:
        """These three are written once the term is durable, in the order in which it was reached."""
        term = event["term"]
        if term < self._term:
            how = "came back in" if event["event"] == "boot" else "went to"
            message = f"{name_event(event)} {how} term {term} after term {self._term}; terms never fall"
            self._add("term-fell", message, *([self._promise] if self._promise else []), event)
        if term != self._term:
            self._term, self._voted_for = term, None
        if event["event"] == "vote" and term == self._term:
            self._voted_for = event["for"]
        self._promise = event

    def _take_commit(self, event: Event) -> None:
        before = self._commit
        if before is not None and before["boot"] != event["boot"]:
            before = None  # the event of the boot is missing
        if before is not None and event["index"] < before["index"]:
            message = (
                f"{name_event(event)} took its commit index back from {before['index']} to {event['index']}"
                " within one boot"
            )
            self._add("commit-fell", message, before, event)
        if before is not None and event["term"] < before["term"]:
            message = (
                f"{name_event(event)} committed in term {event['term']} after it had in term {before['term']}"
            )
            self._add("term-fell", message, before, event)
        self._commit = event

    def _add(self, kind: str, message: str, *concerned: Event) -> None:
        self.anomalies.append(Anomaly(kind, message, (), concerned, concerned[-1]["time_ns"]))


def _fallen_answers(history: History) -> list[Anomaly]:
    """Within one boot only: a term that was answered need not have been durable yet."""
    anomalies = []
    last: dict[tuple[str, int], Event] = {}
    for seen in answers(history):
        before = last.get((seen["node"], seen["boot"]))
        last[seen["node"], seen["boot"]] = seen
        for kind, name in (("term-fell", "term"), ("commit-fell", "commit_index")):
            if before is not None and seen[name] < before[name]:
                message = (
                    f"{seen['node']} (boot {seen['boot']}) answered Status with {name} {before[name]},"
                    " and later with"
                    f" {seen[name]}"
                )
                anomalies.append(Anomaly(kind, message, (), (before, seen), seen["time_ns"]))
    return anomalies
