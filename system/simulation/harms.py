"""What only a simulated cluster can be made to suffer: crashes at a message, broken disks, wrong clocks; and
the moment at which somebody leads, which no one outside could ever know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from system.raft.messages import Message, RequestVote, RequestVoteReply
from system.simulation.knobs import MS
from system.simulation.loop import VirtualLoop
from system.simulation.network import Network, Pair
from system.simulation.node import SimNode, Watching

Facts = dict[str, Any]
SEEN_WITHIN_S = 2.0
POLL_S = 0.025


@dataclass(slots=True)
class Trigger:
    """fired: {"node", "at_ns", "was_pid", "lost_bytes"} of each time."""

    kind: str
    most: int
    down_ms: float
    lose_unsynced: bool
    fired: list[Facts] = field(default_factory=list)


class Harms:
    """A part of SimCluster, which provides what is declared here without a body."""

    loop: VirtualLoop
    network: Network
    watching: Watching | None
    nodes: tuple[str, ...]
    _nodes: dict[str, SimNode]
    _asked_to_end: set[str]

    def __init__(self) -> None:
        self._triggers: dict[int, Trigger] = {}
        self._struck: set[str] = set()
        self._flipped: set[str] = set()
        self._skewed: dict[str, tuple[int, int]] = {}
        self._elected: tuple[str, int] | None = None
        self._waiting: list[asyncio.Future[None]] = []

    def _changed(self) -> None:
        raise NotImplementedError

    def _harmed(self) -> None:
        raise NotImplementedError

    def _come_up(self, name: str) -> None:
        raise NotImplementedError

    def _pid(self, name: str) -> int:
        raise NotImplementedError

    async def _within(self, most_s: float, is_so: Callable[[], bool]) -> None:
        """Returns when it is so, or the time is up."""
        until_ns = self.loop.now_ns + int(most_s * 1e9)
        while not is_so() and self.loop.now_ns < until_ns:
            await asyncio.sleep(POLL_S)

    # Elections.

    def leads(self, node: str, term: int) -> None:
        """A node has won."""
        self._elected = node, term
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def elected(self, after_term: int, within_s: float) -> tuple[str, int] | None:
        """(leader, term) once somebody leads a later term than that, at the very moment; None where nobody
        does in time."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    won = self._elected
                    if won and won[1] > after_term and self._leads(won[0]):
                        return won
                    self._waiting.append(self.loop.create_future())
                    await self._waiting[-1]
        except TimeoutError:
            return None

    def _leads(self, node: str) -> bool:
        status = self._nodes[node].status()
        return status is not None and status["role"] == "leader"

    # Messages held by type.

    async def hold(self, links: Sequence[Pair], kinds: Sequence[str]) -> Facts:
        """Messages of these types (node.KINDS) arrive no more, all others do. Facts as of cut."""
        self._changed()
        self.network.hold(links, kinds)
        self._harmed()
        return self.network.bytes(links)

    async def release(self, links: Sequence[Pair], kinds: Sequence[str]) -> Facts:
        """They arrive after all. Facts as of mend."""
        facts = self.network.bytes(links)
        self.network.release(links, kinds)
        self._changed()
        return facts

    # Crashes at a message.

    async def arm(self, number: int, kind: str, *, most: int, down_ms: float, lose_unsynced: bool) -> Facts:
        """From now on whoever sends a message of this type (node.KINDS; only votes that are asked for or
        given in earnest) is killed when it has left, and starts again so much later; so many times at most,
        and never a majority at once."""
        self._triggers[number] = Trigger(kind, most, down_ms, lose_unsynced)
        return {"fired": []}

    async def disarm(self, number: int) -> Facts:
        """Returns when it has killed somebody, or after 2 s, and whom it killed has had its time to start.
        Facts: {"fired": [{"node", "at_ns", "was_pid", "pid", "lost_bytes"}]}; pid: now."""
        trigger = self._triggers[number]
        await self._within(SEEN_WITHIN_S, lambda: bool(trigger.fired))
        del self._triggers[number]
        if any(fact["node"] in self._struck for fact in trigger.fired):
            await asyncio.sleep(trigger.down_ms / 1e3 + POLL_S)
        return {"fired": [{**fact, "pid": self._pid(fact["node"])} for fact in trigger.fired]}

    def sends(self, node: SimNode, to: str, kind: str, message: Message) -> None:
        """A message has just left."""
        for trigger in self._triggers.values():
            if kind != trigger.kind or len(trigger.fired) >= trigger.most or not _in_earnest(message):
                continue
            if node.name in self._struck or 2 * (len(self._struck) + 1) >= len(self.nodes):
                continue
            self._struck.add(node.name)
            fact = {"node": node.name, "at_ns": self.loop.now_ns, "was_pid": self._pid(node.name)}
            trigger.fired.append(fact)
            self.loop.at(self.loop.now_ns, self._strike, node, trigger, fact)

    def _strike(self, node: SimNode, trigger: Trigger, fact: Facts) -> None:
        """Comes right after the step that sent the message."""
        self._changed()
        fact["lost_bytes"] = node.crash(lose_unsynced=trigger.lose_unsynced)
        self._harmed()
        self.loop.at(self.loop.now_ns + int(trigger.down_ms * MS), self._rise, node.name)

    def _rise(self, name: str) -> None:
        """Unless another fault keeps it down by now, whose end starts it."""
        self._struck.discard(name)
        if name not in self._asked_to_end:
            self._come_up(name)

    # Disks.

    async def slow_disk(self, node: str, times: float) -> Facts:
        """Syncs take so many times as long."""
        self._changed()
        disk = self._nodes[node].disk
        disk.slow, disk.slow_syncs = times, 0
        self._harmed()
        return {node: {"slow_syncs": 0}}

    async def fail_sync(self, node: str) -> Facts:
        """The next sync fails, whereupon the node ends. Returns when it has, or after 2 s."""
        self._changed()
        pid = self._pid(node)
        self._asked_to_end.add(node)
        self._nodes[node].disk.fails = True
        self._harmed()
        await self._within(SEEN_WITHIN_S, lambda: not self._nodes[node].listens)
        return {node: {"pid": pid, "gone": not self._nodes[node].listens}}

    async def mend_disk(self, node: str) -> Facts:
        """As good as new. Facts: how many syncs were slow."""
        disk = self._nodes[node].disk
        disk.slow, disk.fails = 1.0, False
        self._changed()
        return {node: {"slow_syncs": disk.slow_syncs}}

    async def flip_bit(self, node: str, pick: float) -> Facts:
        """Of a node that is down: turns over one bit of a record that was synced; pick: which one, from 0 up
        to 1. Facts: the record's line, None where none was synced."""
        frame = self._nodes[node].disk.flip(pick)
        if frame is not None:
            self._flipped.add(node)
        return {node: {"frame": frame}}

    async def restore_disk(self, node: str, frame: int) -> Facts:
        """From a copy of its last state."""
        self._nodes[node].disk.mend(frame)
        self._flipped.discard(node)
        return {node: {"frame": frame}}

    def _starts_on_a_flipped_log(self, name: str) -> None:
        if self.watching is not None and name in self._flipped:
            said = "it starts from a log in which a bit is not what was written"
            self.watching.object("corrupt-log", said, self.loop.now_ns, name)

    # Clocks.

    async def skew(self, node: str, share: float) -> Facts:
        """The node's monotonic clock goes faster by this share, or slower. It never goes back."""
        of = self._nodes[node]
        of.skew(share)
        self._skewed[node] = self.loop.now_ns, of.local_ns()
        return {node: {"share": share}}

    async def unskew(self, node: str) -> Facts:
        """It goes as before. Facts: how long it was, and how far it went meanwhile, beyond what it would
        have."""
        of = self._nodes[node]
        since_ns, local_ns = self._skewed.pop(node)
        true_ns, went_ns = self.loop.now_ns - since_ns, of.local_ns() - local_ns
        of.skew(0.0)
        usual_ns = true_ns * of.usual_rate
        return {node: {"true_ms": round(true_ns / MS, 3), "gained_ms": round((went_ns - usual_ns) / MS, 3)}}


def _in_earnest(message: Message) -> bool:
    """Not of a pre-vote, and no refusal of a vote."""
    if isinstance(message, RequestVoteReply):
        return message.vote_granted and not message.pre_vote
    return not (isinstance(message, RequestVote) and message.pre_vote)
