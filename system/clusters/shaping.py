"""Has the gateway delay, drop, duplicate, reorder, corrupt or slow what it forwards, and reads its counts.

The gateway's counts are the proof. A round trip is how long it held the packets of a link, there and back,
each as measured; only packets that came since the last change count.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from system.clusters.addresses import Pair
from system.clusters.errors import ClusterError
from system.clusters.pipe import Pipe

Facts = dict[str, Any]
SEEN_WITHIN_S = 2.0
# A gateway that has just been started takes its time on a busy host.
STARTED_WITHIN_S = 30.0
POLL_S = 0.05
# What the gateway counts, and what of `how` it is the proof of.
COUNTED = {
    "loss": "dropped",
    "duplicate": "duplicated",
    "reorder": "reordered",
    "corrupt": "corrupted",
    "rate_bytes_s": "queued",
}


class Shaping:
    """A link is an ordered pair of sites. What is asked for while no gateway runs takes effect when one does,
    and is not proven."""

    def __init__(self) -> None:
        self._pipe: Pipe | None = None
        # What had been counted when a kind was last asked for.
        self._since: dict[tuple[Pair, str], dict[str, Any]] = {}
        self._in_force: dict[Pair, dict[str, float]] = {}

    async def use(self, pipe: Pipe) -> None:
        """pipe: to the control of a gateway that has just started; what was left in force there goes."""
        await pipe.ask("clear", timeout_s=STARTED_WITHIN_S)
        self._pipe = pipe
        for link in list(self._in_force):
            await self._ask("shape", links=[link], how=self._in_force[link])

    def gone(self) -> None:
        """The gateway ended, and with it all it had counted."""
        self._pipe = None
        self._since.clear()

    async def clear(self) -> None:
        """Ends everything, on every link."""
        self._in_force.clear()
        await self._ask("clear")

    async def delay(self, links: Sequence[Pair], extra_ms: float, jitter_ms: float) -> Facts:
        """extra_ms, jitter_ms: one way. Facts: {"a->b": {"rtt_before_ms", "rtt_ms"}}."""
        how = {"delay_ms": extra_ms, "jitter_ms": jitter_ms}
        return await self._change_delay(links, self._put(links, how))

    async def undelay(self, links: Sequence[Pair]) -> Facts:
        return await self._change_delay(links, self._take(links, ["delay_ms", "jitter_ms"]))

    async def shape(self, links: Sequence[Pair], how: Mapping[str, float]) -> Facts:
        """Returns when each kind was seen on some link, or after 2 s. Facts: {"a->b": {"packets", "dropped",
        "duplicated", "reordered", "corrupted", "queued"}} since then."""
        before = await self._counts(links)
        self._since |= {(link, kind): before[link] for link in before for kind in how}
        await self._put(links, how)
        kinds = [COUNTED[kind] for kind in how if kind in COUNTED]
        deadline_s = time.monotonic() + SEEN_WITHIN_S
        while True:
            facts = await self._counted(links, next(iter(how)))
            seen = all(any(counts[kind] for counts in facts.values()) for kind in kinds)
            if seen or time.monotonic() > deadline_s:
                return facts
            await asyncio.sleep(POLL_S)

    async def unshape(self, links: Sequence[Pair], which: Sequence[str]) -> Facts:
        """The same facts, from the shape to now. Idempotent."""
        await self._take(links, which)
        return await self._counted(links, which[0])

    async def still_harmed(self) -> list[str]:
        """As the gateway says, where one runs."""
        left = await self._ask("in_force") or {}
        return [f"{link} is still harmed: {', '.join(how)}" for link, how in left.items()]

    async def _put(self, links: Sequence[Pair], how: Mapping[str, float]) -> None:
        for link in links:
            self._in_force[link] = {**self._in_force.get(link, {}), **how}
        await self._ask("shape", links=list(links), how=dict(how))

    async def _take(self, links: Sequence[Pair], which: Sequence[str]) -> None:
        for link in links:
            kept = {kind: much for kind, much in self._in_force.get(link, {}).items() if kind not in which}
            self._in_force[link] = kept
        await self._ask("unshape", links=list(links), which=list(which))

    async def _counted(self, links: Sequence[Pair], kind: str) -> Facts:
        """Since this kind was asked for."""
        now = await self._counts(links)
        since = {link: self._since.get((link, kind), {}) for link in now}
        return {
            f"{a}->{b}": {
                what: now[a, b].get(what, 0) - since[a, b].get(what, 0)
                for what in ("packets", *COUNTED.values())
            }
            for a, b in links
        }

    async def _change_delay(self, links: Sequence[Pair], change: Coroutine[Any, Any, None]) -> Facts:
        both = list(dict.fromkeys(way for a, b in links for way in ((a, b), (b, a))))
        before = await self._held_ms(both)
        await change
        deadline_s = time.monotonic() + SEEN_WITHIN_S
        while True:
            after = await self._held_ms(both)
            if None not in after.values() or time.monotonic() > deadline_s:
                break
            await asyncio.sleep(POLL_S)
        return {
            f"{a}->{b}": {
                "rtt_before_ms": _sum(before[a, b], before[b, a]),
                "rtt_ms": _sum(after[a, b], after[b, a]),
            }
            for a, b in links
        }

    async def _held_ms(self, links: Sequence[Pair]) -> dict[Pair, float | None]:
        return {link: counts.get("dwell_ms") for link, counts in (await self._counts(links)).items()}

    async def _counts(self, links: Sequence[Pair]) -> dict[Pair, dict[str, Any]]:
        counts = await self._ask("counts", links=list(links)) or {}
        return {(a, b): counts.get(f"{a}->{b}", {}) for a, b in links}

    async def _ask(self, verb: str, **arguments: Any) -> Any:
        """None where no gateway runs, or where it ends meanwhile."""
        pipe = self._pipe
        if pipe is None:
            return None
        try:
            return await pipe.ask(verb, **arguments)
        except ClusterError:
            if self._pipe is pipe:
                raise
            return None


def _sum(there_ms: float | None, back_ms: float | None) -> float | None:
    return None if there_ms is None or back_ms is None else round(there_ms + back_ms, 3)
