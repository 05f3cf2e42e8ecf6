"""Raft's safety properties, checked while a storm runs: against the nodes' own event logs, their disks, and
what the clients saw. A broken one raises BrokenError at once, named as in the paper's figure 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.raft.stage import Actor


class BrokenError(AssertionError):
    """A safety property does not hold. rule: its name."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(f"{rule}: {why}")
        self.rule = rule


@dataclass
class Op:
    """One client operation. value: what was appended, or the list that was read. index: the log index that
    an append took, or the applied index of a read."""

    kind: str
    key: str
    invoked_ns: int
    value: Any = None
    index: int | None = None
    completed_ns: int | None = None


@dataclass
class NodeView:
    """A node as its event log shows it."""

    term: int = 0
    commit: int = 0
    applied: int = 0
    # (term, digest) of entries 1, 2, …
    log: list[tuple[int, str]] = field(default_factory=list)


class Judge:
    def __init__(self, actors: Mapping[str, Actor]) -> None:
        self.actors = actors
        self.ops: list[Op] = []
        self.views: dict[str, NodeView] = {}
        self.leaders: dict[int, str] = {}
        self.votes: dict[tuple[str, int], str] = {}
        # (index, term) -> (digest, term of the entry before)
        self.entries: dict[tuple[int, int], tuple[str, int]] = {}
        # What was committed: entry 1, 2, … as (term, digest), and the earliest term it was committed in.
        self.committed: list[tuple[int, str]] = []
        self.committed_in: list[int] = []
        # The lists' contents as applied: key -> [(log index, value)]
        self.lists: dict[str, list[tuple[int, str]]] = {}

    def on_event(self, node: str, event: str, fields: Mapping[str, Any]) -> None:
        getattr(self, f"_on_{event}")(node, self.views.setdefault(node, NodeView()), fields)

    def _on_boot(self, node: str, view: NodeView, fields: Mapping[str, Any]) -> None:
        if fields["term"] < view.term:
            raise BrokenError("term", f"{node} starts in term {fields['term']} after {view.term}")
        view.term, view.commit, view.applied = fields["term"], 0, 0
        view.log = []

    def _on_term(self, node: str, view: NodeView, fields: Mapping[str, Any]) -> None:
        if fields["term"] <= view.term:
            raise BrokenError("term", f"{node} goes from term {view.term} to {fields['term']}")
        view.term = fields["term"]

    def _on_vote(self, node: str, view: NodeView, fields: Mapping[str, Any]) -> None:
        first = self.votes.setdefault((node, fields["term"]), fields["for"])
        if first != fields["for"]:
            raise BrokenError("one vote", f"{node} votes for {first} and {fields['for']} in {fields['term']}")

    def _on_role(self, node: str, view: NodeView, fields: Mapping[str, Any]) -> None:
        if fields["role"] != "leader":
            return
        term = fields["term"]
        if self.leaders.setdefault(term, node) != node:
            raise BrokenError("election safety", f"{self.leaders[term]} and {node} lead in term {term}")
        log = self.actors[node].replica.node.log
        for index, (entry_term, _) in enumerate(self.committed, start=1):
            # What a later term committed says nothing of a leader that was elected before it.
            if self.committed_in[index - 1] < term and log.term_at(index) != entry_term:
                raise BrokenError("leader completeness", f"{node}, leader of {term}, lacks entry {index}")

    def _on_append(self, node: str, view: NodeView, fields: Mapping[str, Any]) -> None:
        for index, term, _, digest in fields["entries"]:
            if index != len(view.log) + 1:
                raise BrokenError("event log", f"{node} appends {index} after {len(view.log)}")
            before = view.log[-1][0] if view.log else 0
            view.log.append((term, digest))
            if self.entries.setdefault((index, term), (digest, before)) != (digest, before):
                raise BrokenError("log matching", f"two entries {index} of term {term}, one on {node}")

    def _on_truncate(self, node: str, view: NodeView, fields: Mapping[str, Any]) -> None:
        if fields["from_index"] <= view.commit:
            raise BrokenError("state machine safety", f"{node} truncates {fields['from_index']}, committed")
        del view.log[fields["from_index"] - 1 :]

    def _on_commit(self, node: str, view: NodeView, fields: Mapping[str, Any]) -> None:
        index = fields["index"]
        if index <= view.commit:
            raise BrokenError("commit index", f"{node} commits {index} after {view.commit}")
        view.commit = index
        if fields["role"] == "leader":
            self._check_durable_on_majority(node, index)

    def _check_durable_on_majority(self, leader: str, index: int) -> None:
        term = self.actors[leader].replica.node.log[index].term
        holders = [name for name, actor in self.actors.items() if actor.disk.log.term_at(index) == term]
        if len(holders) <= len(self.actors) // 2:
            raise BrokenError("durability", f"{leader} commits {index}@{term}, which only {holders} hold")

    def _on_apply(self, node: str, view: NodeView, fields: Mapping[str, Any]) -> None:
        index, entry = fields["index"], (fields["term"], fields["digest"])
        if index != view.applied + 1 or index > view.commit:
            raise BrokenError("apply", f"{node} applies {index} after {view.applied}, commit {view.commit}")
        view.applied = index
        if index == len(self.committed) + 1:
            self.committed.append(entry)
            self.committed_in.append(view.term)
            self._apply(index, fields)
        elif self.committed[index - 1] != entry:
            raise BrokenError("state machine safety", f"{node} applies another entry {index}")
        self.committed_in[index - 1] = min(self.committed_in[index - 1], view.term)

    def _apply(self, index: int, fields: Mapping[str, Any]) -> None:
        if fields["kind"] != "command" or fields["outcome"] != "applied":
            return
        command = json.loads(fields["command"])
        content = self.lists.setdefault(command["key"], [])
        if any(value == command["value"] for _, value in content):
            raise BrokenError("at most once", f"{command['value']} is applied again at {index}")
        content.append((index, command["value"]))

    def check_end(self) -> None:
        """Once all is calm: event logs tell the disks' truth, and the clients' history is linearizable."""
        for name, actor in self.actors.items():
            last = actor.disk.log.last_index
            on_disk = [(entry.term, entry.digest) for entry in actor.disk.log.slice(1, last)]
            if self.views[name].log[:last] != on_disk or self.views[name].term != actor.disk.state.term:
                raise BrokenError("event log", f"{name}'s event log does not show what its disk holds")
        self._check_history()

    def _check_history(self) -> None:
        """Every answer against the log, and the log's order against real time: an operation comes after all
        that had completed before it was invoked."""
        done = [op for op in self.ops if op.completed_ns is not None]
        for op in done:
            self._check_answer(op)
        by_completion = sorted(done, key=lambda op: op.completed_ns or 0)
        highest, position = 0, 0
        for op in sorted(done, key=lambda op: op.invoked_ns):
            while (by_completion[position].completed_ns or 0) < op.invoked_ns:
                highest = max(highest, by_completion[position].index or 0)
                position += 1
            if (op.index or 0) < highest + (op.kind == "append"):
                raise BrokenError("linearizability", f"{op} does not see index {highest}")

    def _check_answer(self, op: Op) -> None:
        content = self.lists.get(op.key, [])
        if op.kind == "append" and (op.index, op.value) not in content:
            raise BrokenError("durability", f"the acknowledged {op} is not in the log")
        if op.kind == "read" and op.value != [value for index, value in content if index <= (op.index or 0)]:
            raise BrokenError("linearizability", f"{op} does not show the log up to {op.index}")
