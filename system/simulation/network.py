"""The network between sites: every directed link has its distance, and what faults do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from system.clusters.sites import cloud
from system.simulation.draws import SCALE, bits, key
from system.simulation.knobs import MS, Knobs
from system.simulation.loop import VirtualLoop

Pair = tuple[str, str]
Facts = dict[str, Any]
Deliver = Callable[..., None]

NEAR_NS = 200_000
# gRPC's own keepalive: on a link that is up a few bytes pass this often, whatever Raft says. They are counted
# when somebody asks, and not simulated.
KEEPALIVE_NS = 500 * MS
KEEPALIVE_BYTES = 17
# With one direction of packets cut, acknowledgements are lost, and the other falls silent this much later.
SILENT_NS = 500 * MS
# How many messages a cut holds back, to let go of when it mends: the newest.
HELD = 64
# A message out of order comes as much later as this, at most.
LATE_NS = 400 * MS
HARMS = {"loss": "dropped", "duplicate": "duplicated", "reorder": "reordered", "corrupt": "corrupted"}
_MASK16 = SCALE - 1


@dataclass(slots=True)
class Traffic:
    """What a link did since it was last cut."""

    held_bytes: int = 0
    passed_bytes: int = 0
    passed_messages: int = 0


@dataclass(slots=True)
class Packets:
    """What became of a link's packets since it is there."""

    packets: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0
    queued: int = 0


@dataclass(slots=True)
class Link:
    """One direction. cut: by how many faults. stalls_ns: from when on it is silent because the other
    direction's packets are cut. harms: {harm: shares in force, of 65,536}. since: {harm: the counts when it
    was last asked for}"""

    key: int
    base_ns: int
    jitter_ns: int
    number: int = 0
    free_ns: int = 0
    cut: int = 0
    cut_ns: int = 0
    stalls_ns: int | None = None
    extra: list[tuple[int, int]] = field(default_factory=list)
    harms: dict[str, list[float]] = field(default_factory=dict)
    harmed: bool = False
    holds: list[str] = field(default_factory=list)
    held: list[tuple[str, Deliver, tuple[Any, ...]]] = field(default_factory=list)
    passed_ns: int = 0
    traffic: Traffic = field(default_factory=Traffic)
    packets: Packets = field(default_factory=Packets)
    since: dict[str, Packets] = field(default_factory=dict)


class Network:
    """Carries messages between sites. Whether a message comes, and when, depends on the link's own draws and
    on nothing else."""

    def __init__(self, loop: VirtualLoop, seed: int, knobs: Knobs, cross_cloud_ms: float) -> None:
        self._loop = loop
        self._seed = seed
        self._far_ns = int(cross_cloud_ms * MS)
        self._jitter_ns = int(knobs.jitter_ms * MS)
        self._samples_ns = [int(ms * MS) for ms in knobs.link_samples_ms]
        self._links: dict[Pair, Link] = {}

    def link(self, src: str, dst: str) -> Link:
        link = self._links.get((src, dst))
        if link is None:
            base_ns = NEAR_NS if cloud(src) == cloud(dst) else self._far_ns
            link = self._links[src, dst] = Link(key(self._seed, "link", src, dst), base_ns, self._jitter_ns)
        return link

    def send(self, src: str, dst: str, size_bytes: int, kind: str, deliver: Deliver, *args: Any) -> None:
        """Has deliver(*args) called when the message arrives, if it does. Messages of one link arrive in the
        order in which they were sent, but for those that a harm reorders.

        kind: the message's type, for faults that hold only some
        """
        link = self._links.get((src, dst)) or self.link(src, dst)
        now_ns = self._loop.now_ns
        number = link.number = link.number + 1
        drawn = bits(link.key, number)
        if link.cut or (link.stalls_ns is not None and now_ns >= link.stalls_ns) or kind in link.holds:
            link.traffic.held_bytes += size_bytes
            self._hold(link, kind, deliver, args)
            return
        link.packets.packets += 1
        delay_ns = link.base_ns
        if self._samples_ns:
            delay_ns += self._samples_ns[drawn % len(self._samples_ns)]
        else:
            delay_ns += (link.jitter_ns * (drawn & _MASK16)) >> 16
        for extra_ns, jitter_ns in link.extra:
            delay_ns += extra_ns + (((drawn >> 16) & _MASK16) - SCALE // 2) * jitter_ns // (SCALE // 2)
        if link.harmed and self._harm(link, delay_ns, size_bytes, deliver, args):
            return
        traffic = link.traffic
        traffic.passed_messages += 1
        traffic.passed_bytes += size_bytes
        link.passed_ns = now_ns
        at_ns = link.free_ns = max(now_ns + delay_ns, link.free_ns)
        self._loop.at(at_ns, deliver, *args)

    def _harm(
        self, link: Link, delay_ns: int, size_bytes: int, deliver: Deliver, args: tuple[Any, ...]
    ) -> bool:
        """Whether the message does not go the ordinary way: it is lost, or comes out of order."""
        drawn = bits(link.key, -link.number)
        harms, counts, now_ns = link.harms, link.packets, self._loop.now_ns
        for harm in ("loss", "corrupt"):  # a checksum notices what is corrupt, and drops it
            if _falls(harms.get(harm), drawn):
                setattr(counts, HARMS[harm], getattr(counts, HARMS[harm]) + 1)
                return True
            drawn = (drawn >> 16) | (drawn << 48) & 0xFFFFFFFFFFFFFFFF
        late_ns = LATE_NS * (drawn >> 48) // SCALE
        if _falls(harms.get("duplicate"), drawn):
            counts.duplicated += 1
            self._loop.at(now_ns + delay_ns + late_ns, deliver, *args)
        if _falls(harms.get("reorder"), drawn >> 16):
            counts.reordered += 1
            self._loop.at(now_ns + delay_ns + late_ns, deliver, *args)
            return True
        if rates := harms.get("rate_bytes_s"):
            counts.queued += link.free_ns > now_ns
            link.free_ns = max(link.free_ns, now_ns) + int(size_bytes / min(rates) * 1e9)
        return False

    def _hold(self, link: Link, kind: str, deliver: Deliver, args: tuple[Any, ...]) -> None:
        link.held.append((kind, deliver, args))
        if len(link.held) > HELD:
            del link.held[0]

    def _let_go(self, link: Link) -> None:
        """What was held back while the connection stood arrives late, or it is lost with the connection; as
        the draw says."""
        held, link.held = link.held, []
        link.number += 1
        drawn = bits(link.key, link.number)
        if drawn & 1:
            return
        for number, (_, deliver, args) in enumerate(held):
            late_ns = LATE_NS * (bits(drawn, number) & _MASK16) // SCALE if drawn & 2 else 0
            self._loop.at(self._loop.now_ns + link.base_ns + late_ns + number, deliver, *args)

    # What faults do.

    def cut(self, links: Sequence[Pair], kind: str) -> None:
        for src, dst in links:
            link = self.link(src, dst)
            self._reset(link)
            link.cut += 1
            link.cut_ns = self._loop.now_ns
            back = self.link(dst, src)
            if (dst, src) not in links:
                self._reset(back)
            if kind == "packets":
                back.stalls_ns = self._loop.now_ns + SILENT_NS

    def mend(self, links: Sequence[Pair]) -> None:
        for src, dst in links:
            link, back = self.link(src, dst), self.link(dst, src)
            link.cut = max(0, link.cut - 1)
            if not link.cut:
                back.stalls_ns = None
                for one in (link, back):
                    if not one.cut and one.stalls_ns is None:
                        self._let_go(one)

    def hold(self, links: Sequence[Pair], kinds: Iterable[str]) -> None:
        """Holds messages of these types back, and no others."""
        for pair in links:
            link = self.link(*pair)
            link.holds.extend(kinds)
            link.traffic.held_bytes = 0

    def release(self, links: Sequence[Pair], kinds: Sequence[str]) -> None:
        """They arrive after all."""
        for pair in links:
            link = self.link(*pair)
            for kind in kinds:
                link.holds.remove(kind)
            held = [one for one in link.held if one[0] in kinds]
            link.held = [one for one in link.held if one[0] not in kinds]
            for number, (_, deliver, args) in enumerate(held):
                self._loop.at(self._loop.now_ns + link.base_ns + number, deliver, *args)

    def delay(self, links: Sequence[Pair], extra_ms: float, jitter_ms: float) -> None:
        for pair in links:
            self.link(*pair).extra.append((int(extra_ms * MS), int(jitter_ms * MS)))

    def undelay(self, links: Sequence[Pair]) -> None:
        """The oldest delay of each that is in force."""
        for pair in links:
            link = self.link(*pair)
            del link.extra[:1]

    def shape(self, links: Sequence[Pair], how: Mapping[str, float]) -> None:
        for pair in links:
            link = self.link(*pair)
            for harm, amount in how.items():
                share = amount if harm == "rate_bytes_s" else amount * SCALE
                link.harms.setdefault(harm, []).append(share)
                link.since[harm] = replace(link.packets)
            link.harmed = True

    def unshape(self, links: Sequence[Pair], which: Sequence[str]) -> None:
        for pair in links:
            link = self.link(*pair)
            for harm in which:
                del link.harms.get(harm, [])[:1]
            link.harmed = any(link.harms.values())

    # What is to be seen of it.

    def is_good(self, src: str, dst: str, noise: float) -> bool:
        """Whether messages pass in time, but for a share of them that is lost or disordered."""
        link = self._links.get((src, dst))
        if link is None:
            return True
        if (
            link.cut
            or link.stalls_ns is not None
            or link.holds
            or link.extra
            or link.harms.get("rate_bytes_s")
        ):
            return False
        return sum(share for shares in link.harms.values() for share in shares) <= noise * SCALE

    def still_harmed(self) -> list[str]:
        said = []
        for (src, dst), link in self._links.items():
            harms = {
                "cut": bool(link.cut),
                "silent": link.stalls_ns is not None,
                "slow": bool(link.extra),
                "held": bool(link.holds),
            }
            harms |= {harm: bool(shares) for harm, shares in link.harms.items()}
            if left := [harm for harm, lasts in harms.items() if lasts]:
                said.append(f"{src}->{dst} is still harmed: {', '.join(left)}")
        return said

    def bytes(self, links: Sequence[Pair]) -> Facts:
        """As CanCut.cut has it, for each link and for its reverse."""
        both = dict.fromkeys(way for a, b in links for way in ((a, b), (b, a)))
        return {f"{a}->{b}": self._bytes(self.link(a, b)) for a, b in both}

    def held_bytes(self, src: str, dst: str) -> int:
        """What a cut has kept from arriving since it began."""
        link = self.link(src, dst)
        return link.traffic.held_bytes + (self._pings_bytes(link) if self._is_silent(link) else 0)

    def packets(self, links: Sequence[Pair], harm: str) -> Facts:
        """As CanShape.shape has it: what was counted since the harm was last asked for."""
        return {f"{a}->{b}": _counted(self.link(a, b), harm) for a, b in links}

    def round_trip_ms(self, a: str, b: str) -> float:
        there, back = self.link(a, b), self.link(b, a)
        extra_ns = sum(extra for extra, _ in there.extra + back.extra)
        return (there.base_ns + back.base_ns + extra_ns) / MS

    def _reset(self, link: Link) -> None:
        if not link.cut:
            link.traffic = Traffic()
            link.cut_ns = link.passed_ns = self._loop.now_ns

    def _bytes(self, link: Link) -> Facts:
        traffic, pings_bytes, silent = link.traffic, self._pings_bytes(link), self._is_silent(link)
        return {
            "held_bytes": traffic.held_bytes + (pings_bytes if silent else 0),
            "passed_bytes": traffic.passed_bytes + (0 if silent else pings_bytes),
            "passed_messages": traffic.passed_messages,
            "quiet_ms": (self._loop.now_ns - link.passed_ns) // MS,
        }

    def _is_silent(self, link: Link) -> bool:
        return link.cut > 0 or (link.stalls_ns is not None and self._loop.now_ns >= link.stalls_ns)

    def _pings_bytes(self, link: Link) -> int:
        return KEEPALIVE_BYTES * ((self._loop.now_ns - link.cut_ns) // KEEPALIVE_NS)


def _counted(link: Link, harm: str) -> dict[str, int]:
    since = link.since.get(harm, Packets())
    names = ("packets", *HARMS.values(), "queued")
    return {name: getattr(link.packets, name) - getattr(since, name) for name in names}


def _falls(shares: list[float] | None, drawn: int) -> bool:
    """Whether a draw of 16 bits falls on any of these harms."""
    return shares is not None and len(shares) > 0 and (drawn & _MASK16) < max(shares)
