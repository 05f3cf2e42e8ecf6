"""Log matching and state machine safety (Raft, §5.3 and §5.4.3).

If two logs hold an entry of the same index and term, it is the same entry, and so is everything before it;
and once a node has applied an entry at an index, no node ever applies another one there.
"""

from __future__ import annotations

from typing import Any

from checkers import events
from checkers.history import History
from checkers.node_log import NodeLog
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import name_entry, name_event

NAME = "log-matching"
Event = dict[str, Any]


def log_matching(history: History) -> Verdict:
    gaps = events.gaps(history)
    logs = _Logs(complete=not gaps)
    for node in events.nodes(history):
        for boot in history.events.get(node, ()):
            logs.take_boot(node, boot)
    return conclude(
        NAME,
        f"{len(logs.applied)} committed entries are the same on every node that has them",
        anomalies=logs.anomalies,
        unknown=gaps,
        vacuous=[] if logs.applied else ["no node ever applied an entry"],
        evidence={"entries": len(logs.entries), "applied": len(logs.applied), "applies": logs.applies},
    )


class _Logs:
    """What all nodes' logs say together.

    entries: (index, term) -> digest, the term of the entry before it (None: not told), an event that says so
    applied: index -> the first event that applied it
    """

    def __init__(self, *, complete: bool) -> None:
        self.complete = complete
        self.entries: dict[tuple[int, int], tuple[str, int | None, Event]] = {}
        self.applied: dict[int, Event] = {}
        self.applies = 0
        self.anomalies: list[Anomaly] = []
        # node -> index -> term of what it applied, over all of its boots.
        self._applied_by: dict[str, dict[int, int]] = {}

    def take_boot(self, node: str, boot: list[Event]) -> None:
        log = NodeLog()
        applied_by = self._applied_by.setdefault(node, {})
        commit_index = applied_index = 0
        for event in boot:
            kind = event["event"]
            if kind == "truncate" and self.complete:
                self._check_truncate(log, applied_by, event)
            log.take(event)
            if kind == "boot":
                commit_index = applied_index = event["base_index"]
            elif kind == "append":
                for index, term, _, digest in event["entries"]:
                    # A missing event may have put another entry there.
                    before = log.term(index - 1) if self.complete else None
                    self._take_entry(index, term, digest, before, event)
            elif kind == "commit":
                commit_index = max(commit_index, event["index"])
            elif kind == "apply":
                if self.complete:
                    self._check_turn(event, applied_index, commit_index)
                    self._check_held(log, event)
                applied_index = event["index"]
                applied_by[event["index"]] = event["term"]
                self._take_apply(event)

    def _take_entry(self, index: int, term: int, digest: str, before: int | None, event: Event) -> None:
        known_digest, known_before, first = self.entries.setdefault((index, term), (digest, before, event))
        if known_digest != digest:
            message = (
                f"index {index} of term {term} is one entry (digest {known_digest}) for"
                f" {name_event(first)} and"
                f" another (digest {digest}) for {name_event(event)}; a leader makes one entry an index"
            )
            self._add("log-mismatch", message, first, event)
        elif known_before is None:
            self.entries[index, term] = (digest, before, event)
        elif before is not None and known_before != before:
            message = (
                f"both {name_event(first)} and {name_event(event)} hold index {index} of term {term}, but"
                " before it"
                f" an entry of term {known_before} and of term {before}; the same entry has the same log"
                " before it"
            )
            self._add("prefix-mismatch", message, first, event)

    def _take_apply(self, event: Event) -> None:
        self.applies += 1
        index, term, digest = event["index"], event["term"], event["digest"]
        first = self.applied.setdefault(index, event)
        if (first["term"], first["digest"]) != (term, digest):
            message = (
                f"at index {index} {name_event(first)} applied {name_entry(first)}, and {name_event(event)}"
                f" applied {name_entry(event)}; an index is applied as one entry, for ever"
            )
            self._add("diverged-apply", message, first, event)
        else:
            self._take_entry(index, term, digest, None, event)

    def _check_turn(self, event: Event, applied_index: int, commit_index: int) -> None:
        index = event["index"]
        if index != applied_index + 1:
            message = f"{name_event(event)} applied index {index} right after index {applied_index}"
            self._add("apply-order", message, event)
        if index > commit_index:
            message = (
                f"{name_event(event)} applied index {index} when it knew only {commit_index} to be committed"
            )
            self._add("applied-uncommitted", message, event)

    def _check_held(self, log: NodeLog, event: Event) -> None:
        """A leader may apply what a majority has before its own disk does: then its events tell nothing."""
        held = log.term(event["index"])
        if held is not None and held != event["term"]:
            message = (
                f"{name_event(event)} applied {name_entry(event)} at index {event['index']}, where its own"
                f" log holds an entry of term {held}"
            )
            self._add("applied-unheld", message, event)

    def _check_truncate(self, log: NodeLog, applied_by: dict[int, int], event: Event) -> None:
        for index in range(event["from_index"], log.last_index + 1):
            term = log.term(index)
            if term is not None and applied_by.get(index) == term:
                message = (
                    f"{name_event(event)} removed its log from index {event['from_index']} on, although"
                    " it had"
                    f" applied index {index} (term {term}); what is committed stays"
                )
                self._add("truncated-committed", message, event)
                return

    def _add(self, kind: str, message: str, *concerned: Event) -> None:
        self.anomalies.append(Anomaly(kind, message, (), concerned, concerned[-1]["time_ns"]))
