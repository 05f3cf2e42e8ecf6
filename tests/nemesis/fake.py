"""A cluster in memory: does what the verbs ask, writes down that it was asked, and fails where told to."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from nemesis.nemesis import CAPABILITIES, CutKind, Facts, Link, Step

NODES = ("cp-aws-1", "cp-gcp-1", "cp-azure-1")
SERVICES = ("gateway", "minio")
WORKERS = ("worker-aws-1", "worker-aws-2", "worker-gcp-1", "worker-azure-1")
RTT_MS = 50.0
ELECTION_S = 0.5
COUNTED = {
    "loss": "dropped",
    "duplicate": "duplicated",
    "reorder": "reordered",
    "corrupt": "corrupted",
    "rate_bytes_s": "queued",
}
T = TypeVar("T")


class FakeCluster:
    """mute: links nobody speaks on. dying: links on which messages pass at first only.
    cut_ms: how long every cut has lasted.
    unstoppable, immortal: processes that SIGSTOP, or a kill, does not reach.
    slack_ms: how much of an extra delay goes missing. leads: the leader, seen while it runs.
    stopped: what the kernel says of a process that stands still. obeys: a graceful stop ends with this code.
    elects: somebody leads when asked for a later term. fires: what a trigger has done. frame: which line a
    flipped bit is in. gains: what share of what it should a wrong clock gains.
    packets: how many pass on a link. hits: the share of them that a harm falls on; None: what was asked."""

    def __init__(self, nodes: Sequence[str] = NODES, workers: Sequence[str] = WORKERS) -> None:
        self.nodes = tuple(nodes)
        self.workers = tuple(workers)
        self.services: tuple[str, ...] = SERVICES
        self.homes = {"minio": "aws"}
        self.capabilities = frozenset(CAPABILITIES)
        self.leads: str | None = self.nodes[0]
        self.calls: list[tuple[Any, ...]] = []
        self.pids = {name: 100 + place for place, name in enumerate((*nodes, *workers, *SERVICES))}
        self.states = dict.fromkeys(self.pids, "S")
        self.cuts: dict[Link, list[CutKind]] = {}
        self.delays: dict[Link, float] = {}
        self.mute: list[Link] = []
        self.dying: list[Link] = []
        self.cut_ms = 2400
        self.unstoppable: list[str] = []
        self.immortal: list[str] = []
        self.slack_ms = 0.0
        self.stopped = "T"
        self.obeys = 0
        self.shapes: dict[Link, dict[str, float]] = {}
        self.packets = 500
        self.hits: float | None = None
        self.term = 1
        self.elects = True
        self.holds: list[tuple[Link, str]] = []
        self.armed: list[int] = []
        self.fires: list[Facts] = [{"node": self.nodes[0], "at_ns": 5, "was_pid": 100, "pid": 1100}]
        self.slow_syncs = 3
        self.frame: int | None = 4
        self.flipped: dict[str, int | None] = {}
        self.skewed: dict[str, float] = {}
        self.gains = 1.0

    async def leader(self) -> str | None:
        return self.leads if self.leads is None or self.states[self.leads] == "S" else None

    async def still_harmed(self) -> list[str]:
        return []

    async def cut(self, links: Sequence[Link], kind: CutKind) -> Facts:
        self.calls.append(("cut", tuple(links), kind))
        for link in links:
            self.cuts.setdefault(link, []).append(kind)
        return self._bytes(links)

    async def mend(self, links: Sequence[Link]) -> Facts:
        self.calls.append(("mend", tuple(links)))
        facts = self._bytes(links)
        for link in links:
            if not self.cuts[link][1:]:
                del self.cuts[link]
            else:
                self.cuts[link].pop()
        return facts

    def _bytes(self, links: Sequence[Link]) -> Facts:
        facts: Facts = {}
        for src, dst in dict.fromkeys(way for a, b in links for way in ((a, b), (b, a))):
            said = 0 if (src, dst) in self.mute or self.states[src] != "S" else 500
            held = said if (src, dst) in self.cuts else 0
            passed = said - held
            facts[f"{src}->{dst}"] = {
                "held_bytes": held,
                "passed_bytes": passed,
                "passed_messages": passed // 100,
                "quiet_ms": 120 if passed and (src, dst) not in self.dying else self.cut_ms,
            }
        return facts

    async def pause(self, nodes: Sequence[str]) -> Facts:
        self.calls.append(("pause", tuple(nodes)))
        for node in nodes:
            if node not in self.unstoppable and self.states[node] != "X":
                self.states[node] = self.stopped
        return self._processes(nodes)

    async def resume(self, nodes: Sequence[str]) -> Facts:
        self.calls.append(("resume", tuple(nodes)))
        for node in nodes:
            assert self.states[node] != "X", f"{node} has no process to resume"
            if node not in self.unstoppable:
                self.states[node] = "S"
        return self._processes(nodes)

    def _processes(self, nodes: Sequence[str]) -> Facts:
        return {node: {"pid": self.pids[node], "state": self.states[node]} for node in nodes}

    async def kill(self, nodes: Sequence[str], *, lose_unsynced: bool) -> Facts:
        self.calls.append(("kill", tuple(nodes), lose_unsynced))
        return self._end(nodes, {"lost_bytes": 40 if lose_unsynced else 0})

    async def stop_nodes(self, nodes: Sequence[str]) -> Facts:
        self.calls.append(("stop", tuple(nodes)))
        return self._end(nodes, {"exit_code": self.obeys})

    def _end(self, nodes: Sequence[str], more: Mapping[str, int]) -> Facts:
        for node in nodes:
            if node not in self.immortal:
                self.states[node] = "X"
        return {node: {"pid": self.pids[node], "gone": self.states[node] == "X", **more} for node in nodes}

    async def start_nodes(self, nodes: Sequence[str]) -> Facts:
        self.calls.append(("start", tuple(nodes)))
        facts = {}
        for node in nodes:
            was_pid = self.pids[node]
            if self.states[node] == "X" and (node not in self.flipped or self.flipped[node] is None):
                self.pids[node] += 1000
                self.states[node] = "S"
            facts[node] = {"pid": self.pids[node], "was_pid": was_pid}
        return facts

    async def delay(self, links: Sequence[Link], extra_ms: float, jitter_ms: float) -> Facts:
        self.calls.append(("delay", tuple(links), extra_ms, jitter_ms))
        before = {link: self._rtt_ms(link) for link in links}
        self.delays |= dict.fromkeys(links, extra_ms - self.slack_ms)
        return self._round_trips(before)

    async def undelay(self, links: Sequence[Link]) -> Facts:
        self.calls.append(("undelay", tuple(links)))
        before = {link: self._rtt_ms(link) for link in links}
        if self.slack_ms >= 0:
            for link in links:
                del self.delays[link]
        return self._round_trips(before)

    async def shape(self, links: Sequence[Link], how: Mapping[str, float]) -> Facts:
        self.calls.append(("shape", tuple(links), dict(how)))
        for link in links:
            self.shapes.setdefault(link, {}).update(how)
        return self._counts(links)

    async def unshape(self, links: Sequence[Link], which: Sequence[str]) -> Facts:
        self.calls.append(("unshape", tuple(links), tuple(which)))
        facts = self._counts(links)
        for link in links:
            for harm in which:
                self.shapes.get(link, {}).pop(harm, None)
        return facts

    async def elected(self, after_term: int, within_s: float) -> tuple[str, int] | None:
        """Whoever leads; another one for each later term that is asked for, of those that run."""
        while self.term <= after_term or self.leads is None:
            up = [node for node in self.nodes if self.states[node] == "S"]
            if not up or not self.elects:
                await asyncio.sleep(within_s)
                return None
            await asyncio.sleep(ELECTION_S)
            self.term += 1
            self.leads = up[self.term % len(up)]
        return self.leads, self.term

    async def hold(self, links: Sequence[Link], kinds: Sequence[str]) -> Facts:
        self.calls.append(("hold", tuple(links), tuple(kinds)))
        self.holds += [(link, kind) for link in links for kind in kinds]
        return self._bytes(links)

    async def release(self, links: Sequence[Link], kinds: Sequence[str]) -> Facts:
        self.calls.append(("release", tuple(links), tuple(kinds)))
        facts: Facts = {f"{a}->{b}": {"held_bytes": 0 if (a, b) in self.mute else 300} for a, b in links}
        for link in links:
            for kind in kinds:
                self.holds.remove((link, kind))
        return facts

    async def arm(self, number: int, kind: str, *, most: int, down_ms: float, lose_unsynced: bool) -> Facts:
        self.calls.append(("arm", kind, most, down_ms, lose_unsynced))
        self.armed.append(number)
        return {"fired": []}

    async def disarm(self, number: int) -> Facts:
        self.calls.append(("disarm", number))
        self.armed.remove(number)
        return {"fired": list(self.fires)}

    async def slow_disk(self, node: str, times: float) -> Facts:
        self.calls.append(("slow", node, times))
        return {node: {"slow_syncs": 0}}

    async def fail_sync(self, node: str) -> Facts:
        self.calls.append(("fail", node))
        return self._end([node], {})

    async def mend_disk(self, node: str) -> Facts:
        self.calls.append(("mend-disk", node))
        return {node: {"slow_syncs": self.slow_syncs}}

    async def flip_bit(self, node: str, pick: float) -> Facts:
        assert self.states[node] == "X", "under a running node nobody flips a bit"
        self.calls.append(("flip", node, pick))
        self.flipped |= {node: self.frame}
        return {node: {"frame": self.frame}}

    async def restore_disk(self, node: str, frame: int) -> Facts:
        self.calls.append(("restore", node, frame))
        assert self.flipped.pop(node) == frame
        return {node: {"frame": frame}}

    async def skew(self, node: str, share: float) -> Facts:
        self.calls.append(("skew", node, share))
        self.skewed[node] = share
        return {node: {"share": share}}

    async def unskew(self, node: str) -> Facts:
        self.calls.append(("unskew", node))
        return {node: {"true_ms": 2000.0, "gained_ms": 2000.0 * self.skewed.pop(node) * self.gains}}

    def _counts(self, links: Sequence[Link]) -> Facts:
        facts: Facts = {}
        for src, dst in links:
            packets = 0 if (src, dst) in self.mute or self.states[src] != "S" else self.packets
            facts[f"{src}->{dst}"] = {"packets": packets}
            for harm, counted in COUNTED.items():
                share = self.shapes.get((src, dst), {}).get(harm, 0.0)
                hit = min(share, 1.0) if self.hits is None or not share else self.hits
                facts[f"{src}->{dst}"][counted] = round(packets * hit)
        return facts

    def _round_trips(self, before: Mapping[Link, float | None]) -> Facts:
        return {
            f"{src}->{dst}": {"rtt_before_ms": was, "rtt_ms": self._rtt_ms((src, dst))}
            for (src, dst), was in before.items()
        }

    def _rtt_ms(self, link: Link) -> float | None:
        ways = (link, (link[1], link[0]))
        if any(way in self.cuts for way in ways) or any(self.states[node] != "S" for node in link):
            return None
        return RTT_MS + sum(self.delays.get(way, 0.0) for way in ways)


def step(nemesis: str, target: str, number: int = 0, **options: Any) -> Step:
    return Step(number, 1.0, nemesis, "inject", target, {"pick": 0.0, **options})


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)
