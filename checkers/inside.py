"""Raft's promises, watched from inside a simulated cluster at every step, its disks included.

The event log tells what a node said of itself; the disks tell what would be left of that if the machine died
now. Both together show a bug at the step at which it happens, long before a client could.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

NO_TERM = 0
# So often no election timeout comes to be the same by chance.
SAME = 3
# At a run's end all is mended, and whoever is asked answers much sooner than that.
PATIENCE_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Violation:
    """kind: one word or two, such as "lost-commit". node: who is at fault, as far as can be told."""

    kind: str
    message: str
    time_ns: int
    node: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class _Node:
    """What is known of one node.

    disk:  the terms of the entries on its disk that are synced, from index 1 on
    first_held: {index: the lowest term of an entry that its disk held there since it started}
    promised: the highest term it ever entered, of which its event log tells. votes: {term: candidate}
    """

    disk: list[int] = field(default_factory=list)
    first_held: dict[int, int] = field(default_factory=dict)
    disk_term: int = 0
    disk_vote: str | None = None
    promised: int = 0
    votes: dict[int, str] = field(default_factory=dict)
    commit_index: int = 0
    applied_index: int = 0

    def hold(self, term: int) -> None:
        """One entry more is on the disk."""
        self.disk.append(term)
        index = len(self.disk)
        self.first_held[index] = min(term, self.first_held.get(index, term))


class Watchdog:
    """Told of everything as it happens; `violations` holds what must not have.

    term_at: (node, index) -> the term of that entry in the node's log in memory, None where it has none
    terms:   node -> the terms of all entries of its log, from index 1 on
    """

    def __init__(
        self,
        nodes: Sequence[str],
        term_at: Callable[[str, int], int | None],
        terms: Callable[[str], list[int]],
    ) -> None:
        self.violations: list[Violation] = []
        self.on_violation: Callable[[], None] | None = None
        self.steps = 0
        self.commits = 0
        self._nodes = {node: _Node() for node in nodes}
        self._quorum = len(nodes) // 2 + 1
        self._term_at = term_at
        self._terms = terms
        self._leaders: dict[int, str] = {}
        self._entries: dict[tuple[int, int], tuple[str, int]] = {}
        # Of every committed index from 1 on: the entry's term, and the term in which it was first committed.
        self._ledger: list[int] = []
        self._committed_in: list[int] = []
        self._applied: dict[int, tuple[int, str, str]] = {}
        # Since when clients ask and nothing is done, when they asked last, and how many of them wait.
        self._asked_ns: int | None = None
        self._last_asked_ns = 0
        self._waiting = 0
        self._done: dict[tuple[str, int], int] = {}
        self._timeouts: Counter[int] = Counter()
        self._take = {
            "boot": self._boot,
            "term": self._term,
            "vote": self._vote,
            "role": self._role,
            "append": self._append,
            "commit": self._commit,
            "apply": self._apply,
        }

    def note(self, node: str, time_ns: int, event: str, fields: dict[str, Any]) -> None:
        """A line of the node's event log (docs/event-log.md)."""
        self.steps += 1
        take = self._take.get(event)
        if take is not None:
            take(node, time_ns, fields)

    def durable(self, node: str, time_ns: int, records: Iterable[Any]) -> None:
        """Records of the node's log (system.raft.records) that its disk has just synced."""
        of = self._nodes[node]
        for record in records:
            entry = getattr(record, "entry", None)
            if entry is not None:
                of.hold(entry.term)
            elif hasattr(record, "from_index"):
                del of.disk[record.from_index - 1 :]
            else:
                if record.term < of.disk_term:
                    self._object(
                        "term-fell", f"its disk holds term {record.term} after {of.disk_term}", time_ns, node
                    )
                of.disk_term, of.disk_vote = record.term, record.voted_for

    def sends_vote(self, node: str, time_ns: int, term: int, candidate: str) -> None:
        """A vote leaves the node: its own disk must remember it."""
        of = self._nodes[node]
        if of.disk_term < term or (of.disk_term == term and of.disk_vote != candidate):
            held = f"term {of.disk_term} and a vote for {of.disk_vote or 'nobody'}"
            self._object(
                "vote-not-durable",
                f"it votes for {candidate} in term {term}, while its disk holds {held}",
                time_ns,
                node,
            )

    def sends_match(self, node: str, time_ns: int, term: int, index: int, entry_term: int | None) -> None:
        """An acknowledgement leaves the node: what it acknowledges must be on its disk.

        entry_term: of the entry that it acknowledges; None: the node is in a later term by now, and its log
        may have changed since. Then the message is as good as one that the network held up, and the disk must
        have held at some time what a leader of that term can have had there.
        """
        of = self._nodes[node]
        if entry_term is None:
            is_held = index == 0 or of.first_held.get(index, term + 1) <= term
        else:
            is_held = index == 0 or (index <= len(of.disk) and of.disk[index - 1] == entry_term)
        if not is_held:
            past_end = index > len(of.disk)
            held = f"up to {len(of.disk)}" if past_end else f"index {index} of term {of.disk[index - 1]}"
            self._object(
                "ack-not-durable",
                f"in term {term} it acknowledges entries up to {index}, while its disk holds {held}",
                time_ns,
                node,
            )

    def asked(self, time_ns: int) -> None:
        """A client asks for something."""
        if self._asked_ns is None:
            self._asked_ns = time_ns
        self._last_asked_ns = time_ns
        self._waiting += 1

    def answered(self) -> None:
        """Whatever the answer was. Who was refused and never asks again is not waiting for anything."""
        self._waiting -= 1

    def calm(self, since_ns: int, now_ns: int, healthy: int, bound_ns: int) -> None:
        """From since_ns to now nothing changed, and so many nodes were up and heard each other: a majority of
        them goes on by itself."""
        if healthy < self._quorum or self._asked_ns is None:
            return
        until_ns = now_ns if self._waiting else self._last_asked_ns
        waited_ns = until_ns - max(since_ns, self._asked_ns)
        if waited_ns > bound_ns:
            message = (
                f"for {waited_ns / 1e9:.1f} s nothing was committed, although clients asked, and {healthy} of"
                f" {len(self._nodes)} nodes were up and heard each other"
            )
            self._object("no-progress", message, now_ns, "")

    def waits(self, node: str, time_ns: int, timeout_ns: int) -> None:
        """It wants an election, and waits so long before it wants the next."""
        self._timeouts[timeout_ns] += 1
        if self._timeouts[timeout_ns] == SAME:
            message = (
                f"{SAME} election timeouts by now are {timeout_ns / 1e6:.3f} ms to the nanosecond, so they"
                " are not drawn at random (Raft, 5.2)"
            )
            self._object("same-timeout", message, time_ns, node)

    def stands_at(self, node: str, time_ns: int, applied_index: int) -> None:
        """So far the node has applied the log. What its event log does not tell of, nobody has watched."""
        of = self._nodes[node]
        told = min(of.commit_index, of.applied_index)
        if told < applied_index:
            message = f"it has applied entries up to {applied_index}, and its event log tells of {told}"
            self._object("untold", message, time_ns, node)

    def still_owes(self, node: str, time_ns: int, asked_ns: int) -> None:
        """The run ends, and the node, which is up, has not answered what it was asked then. A client asks
        another after a while, and would not mind."""
        if time_ns - asked_ns > PATIENCE_NS:
            message = f"it has not answered what it was asked {(time_ns - asked_ns) / 1e9:.1f} s ago"
            self._object("unanswered", message, time_ns, node)

    @property
    def committed(self) -> int:
        """The last index that is known to be committed."""
        return len(self._ledger)

    def is_deposed(self, node: str) -> bool:
        """Whether another node was elected after this one."""
        return bool(self._leaders) and self._leaders[max(self._leaders)] != node

    def has_read(self, node: str, time_ns: int, applied_index: int, committed: int) -> None:
        """A read was answered from the state after applied_index; when it began, so many were committed."""
        self._asked_ns = None
        if applied_index < committed:
            message = (
                f"it answers a read from the state after entry {applied_index}, though {committed} were"
                " committed before the read began"
            )
            self._object("stale-answer", message, time_ns, node)

    def died(self, node: str, time_ns: int, why: str) -> None:
        """The node stopped itself, since it was where no correct node gets."""
        self._object("node-died", f"it stopped itself: {why}", time_ns, node)

    def object(self, kind: str, message: str, time_ns: int, node: str = "") -> None:
        """What somebody else saw."""
        self._object(kind, message, time_ns, node)

    def _object(self, kind: str, message: str, time_ns: int, node: str) -> None:
        said = f"{node}: {message}" if node else message
        self.violations.append(Violation(kind, said, time_ns, node))
        if self.on_violation is not None:
            self.on_violation()

    def _boot(self, node: str, time_ns: int, fields: dict[str, Any]) -> None:
        of = self._nodes[node]
        term, vote = fields["term"], fields["voted_for"]
        if term < of.promised:
            self._object(
                "term-fell", f"it starts again in term {term}, but had been in {of.promised}", time_ns, node
            )
        known = of.votes.get(term)
        if known is not None and vote != known:
            message = f"it starts again without its vote for {known} in term {term}, but with {vote}"
            self._object("vote-forgotten", message, time_ns, node)
        of.disk, of.first_held, of.disk_term, of.disk_vote = [], {}, term, vote
        of.commit_index = of.applied_index = fields["base_index"]

    def _term(self, node: str, time_ns: int, fields: dict[str, Any]) -> None:
        of = self._nodes[node]
        if fields["term"] < of.promised:
            self._object("term-fell", f"it enters term {fields['term']} after {of.promised}", time_ns, node)
        of.promised = max(of.promised, fields["term"])

    def _vote(self, node: str, time_ns: int, fields: dict[str, Any]) -> None:
        of, term, candidate = self._nodes[node], fields["term"], fields["for"]
        known = of.votes.setdefault(term, candidate)
        if known != candidate:
            self._object(
                "two-votes", f"it votes for {known} and for {candidate} in term {term}", time_ns, node
            )

    def _role(self, node: str, time_ns: int, fields: dict[str, Any]) -> None:
        if fields["role"] != "leader":
            return
        term = fields["term"]
        known = self._leaders.setdefault(term, node)
        if known != node:
            self._object("two-leaders", f"{known} and {node} both lead term {term}", time_ns, node)
        # Only what earlier terms committed: a commit of a later one may come after this election was decided.
        terms = self._terms(node)
        for index, (entry_term, committed_in) in enumerate(
            zip(self._ledger, self._committed_in, strict=True), 1
        ):
            if committed_in < term and (index > len(terms) or terms[index - 1] != entry_term):
                has = f"one of term {terms[index - 1]}" if index <= len(terms) else "none"
                message = (
                    f"it leads term {term} without entry {index} of term {entry_term}, which was committed in"
                    f" term {committed_in}; it has {has} there"
                )
                self._object("lost-commit", message, time_ns, node)
                return

    def _append(self, node: str, time_ns: int, fields: dict[str, Any]) -> None:
        recovered = fields.get("recovered")
        of = self._nodes[node]
        for index, term, _, digest in fields["entries"]:
            if recovered:
                of.hold(term)
            # By now the log in memory may have changed; then this entry's neighbour is no longer to be seen.
            before = self._term_at(node, index - 1) if self._term_at(node, index) == term else None
            known = self._entries.setdefault((index, term), (digest, before if before is not None else -1))
            if known[0] != digest:
                self._object(
                    "log-mismatch",
                    f"entry {index} of term {term} is not what others have there",
                    time_ns,
                    node,
                )
            elif before is not None and known[1] >= 0 and known[1] != before:
                message = (
                    f"before entry {index} of term {term} are entries of term {known[1]} and of term {before}"
                )
                self._object("log-mismatch", message, time_ns, node)

    def _commit(self, node: str, time_ns: int, fields: dict[str, Any]) -> None:
        of, index, term = self._nodes[node], fields["index"], fields["term"]
        if index <= of.commit_index:
            self._object(
                "commit-fell", f"its commit index goes from {of.commit_index} to {index}", time_ns, node
            )
            return
        self.commits += 1
        self._asked_ns = None
        if fields["role"] == "leader" and self._term_at(node, index) != term:
            message = (
                f"leading term {term} it commits entry {index} of term {self._term_at(node, index)} by"
                " counting; only an entry of its own term commits so (Raft, 5.4.2)"
            )
            self._object("commit-of-earlier-term", message, time_ns, node)
        for one in range(of.commit_index + 1, index + 1):
            self._commit_one(node, time_ns, one, term)
        of.commit_index = index

    def _commit_one(self, node: str, time_ns: int, index: int, term: int) -> None:
        entry_term = self._term_at(node, index)
        if entry_term is None:
            self._object(
                "commit-of-nothing", f"it commits entry {index}, which it does not have", time_ns, node
            )
            return
        if index <= len(self._ledger):
            if self._ledger[index - 1] != entry_term:
                message = (
                    f"it commits entry {index} of term {entry_term}, where one of term"
                    f" {self._ledger[index - 1]} was committed before"
                )
                self._object("commit-differs", message, time_ns, node)
            return
        holders = [
            name
            for name, of in self._nodes.items()
            if len(of.disk) >= index and of.disk[index - 1] == entry_term
        ]
        if len(holders) < self._quorum:
            message = (
                f"it commits entry {index} of term {entry_term}, which is on the disks of"
                f" {', '.join(holders) or 'nobody'} only"
            )
            self._object("commit-not-durable", message, time_ns, node)
        self._ledger.append(entry_term)
        self._committed_in.append(term)

    def _apply(self, node: str, time_ns: int, fields: dict[str, Any]) -> None:
        of, index = self._nodes[node], fields["index"]
        if index != of.applied_index + 1:
            self._object(
                "apply-order", f"it applies entry {index} right after {of.applied_index}", time_ns, node
            )
        of.applied_index = index
        said = (fields["term"], fields["digest"], fields["outcome"])
        known = self._applied.get(index)
        if known is None:
            self._applied[index] = said
            if fields["outcome"] == "applied" and fields["kind"] == "command":
                self._apply_once(node, time_ns, index, fields["command"])
        elif known != said:
            message = (
                f"it applies entry {index} as {_said(said)}, where it was applied as {_said(known)} before"
            )
            self._object("apply-differs", message, time_ns, node)

    def _apply_once(self, node: str, time_ns: int, index: int, command: str) -> None:
        """What a client sends again under the same number takes effect once."""
        said = json.loads(command)
        if "seq" not in said:
            return
        first = self._done.setdefault((said["client"], said["seq"]), index)
        if first != index:
            message = (
                f"command {said['seq']} of {said['client']} takes effect at {first}, and again at {index}"
            )
            self._object("applied-twice", message, time_ns, node)


def _said(applied: tuple[int, str, str]) -> str:
    term, digest, outcome = applied
    return f"{digest} of term {term}, {outcome}"
