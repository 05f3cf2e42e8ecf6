"""A cluster told by hand to the watchdog inside it (checkers/inside.py): what its nodes do, a line each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from checkers.inside import PATIENCE_NS, Watchdog
from system.raft.log import EntryKind, LogEntry
from system.raft.records import Append, HardState, Truncate

A, B, C = NODES = ("a", "b", "c")
BOUND_NS = 6_000_000_000


class Story:
    """A cluster of three that does what it is told, and a watchdog beside it.

    logs: the terms of the entries that each node has in memory
    """

    def __init__(self) -> None:
        self.logs: dict[str, list[int]] = {node: [] for node in NODES}
        self.dog = Watchdog(NODES, self._term_at, lambda node: list(self.logs[node]))
        self.now_ns = 0

    def _term_at(self, node: str, index: int) -> int | None:
        log = self.logs[node]
        return 0 if index == 0 else log[index - 1] if index <= len(log) else None

    @property
    def kinds(self) -> list[str]:
        return [violation.kind for violation in self.dog.violations]

    def note(self, node: str, event: str, **fields: Any) -> None:
        self.now_ns += 1
        self.dog.note(node, self.now_ns, event, fields)

    def boot(self, node: str, term: int, vote: str | None = None, base_index: int = 0) -> None:
        self.note(node, "boot", term=term, voted_for=vote, base_index=base_index)

    def has(self, node: str, *terms: int, digest: str = "d", recovered: bool = False) -> None:
        """These are the entries of its log from now on, told as if all were new."""
        self.logs[node] = list(terms)
        entries = [[index, term, "command", digest] for index, term in enumerate(terms, 1)]
        self.note(node, "append", entries=entries, **({"recovered": True} if recovered else {}))

    def syncs(self, node: str, *terms: int, after: int = 0) -> None:
        """These reach its disk behind the first `after`; what was behind those is gone."""
        entries = [Append(LogEntry(after + n, t, EntryKind.COMMAND)) for n, t in enumerate(terms, 1)]
        self.dog.durable(node, self.now_ns, [Truncate(after + 1), *entries])

    def everywhere(self, *terms: int) -> None:
        for node in NODES:
            self.has(node, *terms)
            self.syncs(node, *terms)

    def leads(self, node: str, term: int) -> None:
        self.note(node, "role", role="leader", term=term)

    def commits(self, node: str, index: int, term: int, role: str = "follower") -> None:
        self.note(node, "commit", index=index, term=term, role=role)

    def applies(self, node: str, index: int, **other: Any) -> None:
        command = json.dumps({"client": "c1", "seq": index})
        usual = {"term": 1, "digest": f"d{index}", "outcome": "applied", "kind": "command"}
        self.note(node, "apply", index=index, **(usual | {"command": command} | other))

    def says_state(self, node: str, term: int, vote: str | None) -> None:
        """Term and vote reach its disk."""
        self.dog.durable(node, self.now_ns, [HardState(term, vote)])


Told = Callable[[Story], None]


def enters_terms(*terms: int) -> Told:
    def tell(story: Story) -> None:
        for term in terms:
            story.note(A, "term", term=term)

    return tell


def starts_again(term: int, vote: str | None) -> Told:
    """After it voted for b in term 3."""

    def tell(story: Story) -> None:
        story.note(A, "term", term=3)
        story.note(A, "vote", term=3, **{"for": B})
        story.boot(A, term, vote)

    return tell


def disk_holds_terms(*terms: int) -> Told:
    def tell(story: Story) -> None:
        for term in terms:
            story.says_state(A, term, None)

    return tell


def vote_leaves(term: int, vote: str | None) -> Told:
    """A vote for b in term 3, while the disk holds this."""

    def tell(story: Story) -> None:
        story.says_state(A, term, vote)
        story.dog.sends_vote(A, 1, 3, B)

    return tell


def vote_leaves_after_a_boot(term: int, vote: str | None) -> Told:
    """What it says of itself as it starts is what it read from its disk."""

    def tell(story: Story) -> None:
        story.boot(A, term, vote)
        story.dog.sends_vote(A, 1, 3, B)

    return tell


def acknowledges(index: int, term: int | None, *disk: int) -> Told:
    def tell(story: Story) -> None:
        story.syncs(A, *disk)
        story.dog.sends_match(A, 1, 2, index, term)

    return tell


def acknowledges_late(index: int, *disk: int, now: int) -> Told:
    """In term 2, when the node is in a later term already: its disk held these entries, and then another in
    the place of the first."""

    def tell(story: Story) -> None:
        story.syncs(A, *disk)
        story.syncs(A, now)
        story.dog.sends_match(A, 1, 2, index, None)

    return tell


def acknowledges_after_a_crash(recovered: int) -> Told:
    """Entry 2, of which so many entries came back."""

    def tell(story: Story) -> None:
        story.syncs(A, 1, 1)
        story.boot(A, 1)
        story.has(A, *[1] * recovered, recovered=True)
        story.dog.sends_match(A, 1, 1, 2, 1)

    return tell


def votes(*cast: tuple[int, str]) -> Told:
    def tell(story: Story) -> None:
        for term, candidate in cast:
            story.note(A, "vote", term=term, **{"for": candidate})

    return tell


def leaders(*won: tuple[str, int]) -> Told:
    def tell(story: Story) -> None:
        for node, term in won:
            story.leads(node, term)

    return tell


def followers(*nodes: str) -> Told:
    def tell(story: Story) -> None:
        for node in nodes:
            story.note(node, "role", role="follower", term=1)

    return tell


def leads_after_a_commit(term: int, *log: int) -> Told:
    """b, with this log, where entries of terms 1 and 2 were committed in term 2."""

    def tell(story: Story) -> None:
        story.everywhere(1, 2)
        story.commits(A, 2, 2, "leader")
        story.has(B, *log)
        story.leads(B, term)

    return tell


def two_logs(one: tuple[int, ...], other: tuple[int, ...], *, digest: str = "d") -> Told:
    def tell(story: Story) -> None:
        story.has(A, *one)
        story.has(B, *other, digest=digest)

    return tell


def appends_what_is_gone_by_now(story: Story) -> None:
    """The log changed before the line was written: nothing is known of the neighbours then."""
    story.has(A, 1, 2)
    story.logs[B] = [3]
    story.note(B, "append", entries=[[2, 2, "command", "d"]])


def commits(*indexes: int) -> Told:
    def tell(story: Story) -> None:
        story.everywhere(1, 1, 1)
        for index in indexes:
            story.commits(A, index, 1)

    return tell


def commits_again_after_a_boot(story: Story) -> None:
    """What is committed is not on disk: a boot learns it anew."""
    story.everywhere(1, 1)
    story.commits(A, 2, 1, "leader")
    story.boot(A, 1)
    story.has(A, 1, 1, recovered=True)
    story.commits(A, 1, 2)


def counts_in_term_3(*log: int) -> Told:
    """The leader of term 3 commits all it has."""

    def tell(story: Story) -> None:
        story.everywhere(*log)
        story.commits(A, len(log), 3, "leader")

    return tell


def a_follower_hears_of_an_earlier_term(story: Story) -> None:
    """It does not count; its leader did."""
    story.everywhere(1, 1)
    story.commits(B, 2, 3, "follower")


def commits_what_it_has(*log: int) -> Told:
    """Up to 2, where entries of term 1 were committed before."""

    def tell(story: Story) -> None:
        story.everywhere(1, 1)
        story.commits(A, 2, 1, "leader")
        story.has(B, *log)
        story.commits(B, 2, 2)

    return tell


def commits_what_is_on_disks(*disks: str) -> Told:
    def tell(story: Story) -> None:
        for node in NODES:
            story.has(node, 1)
        for node in disks:
            story.syncs(node, 1)
        story.commits(A, 1, 1, "leader")

    return tell


def commits_what_a_disk_has_another_of(story: Story) -> None:
    for node, term in ((A, 2), (B, 1), (C, 1)):
        story.has(node, 2)
        story.syncs(node, term)
    story.commits(A, 1, 2, "leader")


def commits_after_a_truncation(story: Story) -> None:
    for node in NODES:
        story.has(node, 1)
    story.syncs(A, 1)
    story.syncs(B, 1)
    story.syncs(B)
    story.commits(A, 1, 1, "leader")


def applies(*indexes: int) -> Told:
    def tell(story: Story) -> None:
        for index in indexes:
            story.applies(A, index)

    return tell


def applies_after_a_boot(base_index: int, index: int) -> Told:
    def tell(story: Story) -> None:
        story.applies(A, 1)
        story.boot(A, 0, base_index=base_index)
        story.applies(A, index)

    return tell


def draws(*timeouts_ns: int) -> Told:
    def tell(story: Story) -> None:
        for number, timeout_ns in enumerate(timeouts_ns):
            story.dog.waits(NODES[number % 3], story.now_ns, timeout_ns)

    return tell


def stands_at(applied: int, told: int, committed: int) -> Told:
    def tell(story: Story) -> None:
        story.everywhere(*[1] * max(committed, 1))
        for index in range(1, committed + 1):
            story.commits(A, index, 1)
        for index in range(1, told + 1):
            story.applies(A, index)
        story.dog.stands_at(A, story.now_ns, applied)

    return tell


def owes(since_ns: int) -> Told:
    return lambda story: story.dog.still_owes(A, 9 * PATIENCE_NS, 9 * PATIENCE_NS - since_ns)


def both_apply(**other: Any) -> Told:
    def tell(story: Story) -> None:
        story.applies(A, 1)
        story.applies(B, 1, **other)

    return tell


def sent_twice(client: str, seq: int, outcome: str = "applied") -> Told:
    """After command 1 of c1."""

    def tell(story: Story) -> None:
        story.applies(A, 1)
        story.applies(A, 2, command=json.dumps({"client": client, "seq": seq}), outcome=outcome)

    return tell


def a_session_is_opened_again(story: Story) -> None:
    """Such a command has no number."""
    for index in (1, 2):
        story.applies(A, index, command=json.dumps({"client": "c1"}))


def waits(asked_ns: int | None, since_ns: int, now_ns: int, healthy: int, *, commit: bool = False) -> Told:
    def tell(story: Story) -> None:
        story.everywhere(1)
        if asked_ns is not None:
            story.dog.asked(asked_ns)
        if commit:
            story.commits(A, 1, 1, "leader")
        story.dog.calm(since_ns, now_ns, healthy, BOUND_NS)

    return tell


def asks(*times_ns: int, now_ns: int, refused: bool = False, read: bool = False) -> Told:
    """Clients ask at these times, and nobody does anything, though they may be refused; unless the last one's
    read is answered."""

    def tell(story: Story) -> None:
        for asked_ns in times_ns:
            story.dog.asked(asked_ns)
            if refused:
                story.dog.answered()
        if read:
            story.dog.answered()
            story.dog.has_read(A, times_ns[-1], 0, 0)
        story.dog.calm(0, now_ns, 3, BOUND_NS)

    return tell


def reads(applied_index: int, committed: int) -> Told:
    return lambda story: story.dog.has_read(A, 1, applied_index, committed)


def dies(story: Story) -> None:
    story.dog.died(A, 1, "RaftError: two leaders")
