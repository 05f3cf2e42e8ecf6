"""All links of a cluster, and what can be done to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from system.clusters.addresses import Address, Lease, Pair
from system.clusters.errors import ClusterError
from system.clusters.links import CutKind, Link
from system.clusters.proxy import Connection, Proxy

CUT_SEEN_WITHIN_S = 2.0
# Once one link has held traffic back, how much longer to wait for the others: two heartbeats.
CUT_SEEN_BY_ALL_S = 0.3


class Network:
    """delays_s: one way, for each ordered pair of sites; 0 where absent. seed: for jitter."""

    def __init__(
        self, lease: Lease, destinations: Mapping[str, Address], delays_s: Mapping[Pair, float], seed: int
    ):
        self._links: dict[Pair, Link] = {}
        self._proxies: dict[Pair, Proxy] = {}
        for a, b in lease.listeners:
            for pair in ((a, b), (b, a)):
                if pair not in self._links:
                    rng = Random(f"{seed}/links/{pair[0]}->{pair[1]}")
                    self._links[pair] = Link(*pair, delays_s.get(pair, 0.0), rng)
        for (a, b), listener in lease.listeners.items():
            self._proxies[a, b] = Proxy(listener, destinations[b], self._links[a, b], self._links[b, a])

    async def cut(self, pairs: Sequence[Pair], kind: CutKind) -> dict[str, Any]:
        """Returns CanCut's facts when traffic was seen to be held back, or after 2 s."""
        links = [self._link(pair) for pair in pairs]
        for pair in pairs:
            both = (self._links[pair], self._links[pair[1], pair[0]])
            if all(link.cut is None for link in both):
                for link in both:
                    link.mark()
        for link in links:
            link.cut = kind
        self._obey(pairs)
        await self._until_seen(links)
        return self.facts(pairs)

    async def mend(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        links = [self._link(pair) for pair in pairs]
        facts = self.facts(pairs)
        for link in links:
            link.cut = None
        self._obey(pairs)
        return facts

    async def _until_seen(self, links: Sequence[Link]) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + CUT_SEEN_WITHIN_S
        seen = 0
        while loop.time() < deadline_s:
            now_seen = sum(_has_held(link) for link in links)
            if now_seen == len(links):
                return
            if now_seen and not seen:
                deadline_s = min(deadline_s, loop.time() + CUT_SEEN_BY_ALL_S)
            seen = now_seen
            await asyncio.sleep(0.01)

    def facts(self, pairs: Iterable[Pair]) -> dict[str, Any]:
        """{"a->b": facts} of these links and of their reverses."""
        both = dict.fromkeys(p for a, b in pairs for p in ((a, b), (b, a)))
        return {self._links[pair].name: self._link(pair).facts() for pair in both}

    async def delay(self, pairs: Sequence[Pair], extra_s: float, jitter_s: float) -> dict[str, Any]:
        """On top of the links' own delay; {} in return."""
        for pair in pairs:
            link = self._link(pair)
            link.extra_s, link.jitter_s = extra_s, jitter_s
        return {}

    async def throttle(self, pairs: Sequence[Pair], rate_bytes_s: float | None) -> dict[str, Any]:
        """None: as fast as it goes. {} in return."""
        for pair in pairs:
            self._link(pair).rate_bytes_s = rate_bytes_s
        return {}

    async def reset(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Resets every connection between the sites. Facts: {"a->b": {"reset_connections": int}}."""
        for pair in pairs:
            self._link(pair)
        facts = {}
        for a, b in pairs:
            connections = self._between([(a, b)])
            for connection in connections:
                connection.reset()
            facts[f"{a}->{b}"] = {"reset_connections": len(connections)}
        return facts

    def still_harmed(self) -> list[str]:
        left = {link.name: link.harms() for link in self._links.values()}
        return [f"{link} is still harmed: {', '.join(harms)}" for link, harms in left.items() if harms]

    def close(self) -> None:
        for proxy in self._proxies.values():
            proxy.close()

    def _obey(self, pairs: Sequence[Pair]) -> None:
        for connection in self._between(pairs):
            connection.obey()

    def _between(self, pairs: Iterable[Pair]) -> list[Connection]:
        """Every connection that runs over these links, whichever side opened it."""
        both = dict.fromkeys(p for a, b in pairs for p in ((a, b), (b, a)))
        return [c for pair in both if pair in self._proxies for c in list(self._proxies[pair].connections)]

    def _link(self, pair: Pair) -> Link:
        link = self._links.get(pair)
        if link is None:
            raise ClusterError(
                f"there is no link {pair[0]}->{pair[1]}; known sites: {', '.join(self._sites())}"
            )
        return link

    def _sites(self) -> list[str]:
        return sorted({site for pair in self._links for site in pair})


def _has_held(link: Link) -> bool:
    facts = link.facts()
    return bool(facts["held_bytes"] or facts["held_connections"])
