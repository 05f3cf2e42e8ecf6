"""The loop that holds packets until they are due, and answers control requests in between."""

from __future__ import annotations

import heapq
import os
import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Never, Protocol

from compose.gateway.links import Link
from compose.gateway.shape import NS_PER_S, Fate
from compose.gateway.tun import flip_bit

# About 60 MB of packets at most, of an MTU of 1500; what comes on top is dropped.
MOST_HELD = 32_768
# How many packets are taken from one device before others get their turn.
BATCH = 32


@dataclass(frozen=True, slots=True)
class Crossing:
    """The way between two clouds: its TUN device, and the link of packets of no known pair of sites."""

    tun: int
    mtu_bytes: int
    link: Link


class Requests(Protocol):
    """What else the loop waits for."""

    def waited_for(self) -> tuple[list[int], list[int]]:
        """The file descriptors to read from, and to write to."""

    def serve(self, readable: Sequence[int], writable: Sequence[int]) -> None: ...


class Delayer:
    """links: by source and destination address (8 bytes)."""

    def __init__(
        self, crossings: Sequence[Crossing], links: Mapping[bytes, Link], requests: Requests
    ) -> None:
        self._crossings = {crossing.tun: crossing for crossing in crossings}
        self._links = links
        self._requests = requests
        self._held: list[tuple[int, int, int, int, bytes, Link]] = []  # due, number, arrived, device, …
        self._number = 0

    def run(self) -> Never:
        """Ends by an exception only, such as the SystemExit that a signal handler raises."""
        tuns = list(self._crossings)
        while True:
            # select waits to the microsecond, where epoll would round to whole milliseconds.
            asked, answered = self._requests.waited_for()
            readable, writable, _ = select.select(tuns + asked, answered, [], self._wait_s())
            self._release()
            for fd in readable:
                if crossing := self._crossings.get(fd):
                    self._take(crossing)
                    self._release()
            others = [fd for fd in readable if fd not in self._crossings]
            if others or writable:
                self._requests.serve(others, writable)

    def _wait_s(self) -> float | None:
        if not self._held:
            return None
        return max(0, self._held[0][0] - time.monotonic_ns()) / NS_PER_S

    def _take(self, crossing: Crossing) -> None:
        for _ in range(BATCH):
            try:
                packet = os.read(crossing.tun, crossing.mtu_bytes)
            except BlockingIOError:
                return
            if packet[0] >> 4 == 4:  # the kernel itself sends IPv6 housekeeping into any device
                self._hold(crossing, packet)

    def _hold(self, crossing: Crossing, packet: bytes) -> None:
        link = self._links.get(packet[12:20], crossing.link)
        now_ns = time.monotonic_ns()
        fate = link.shape.fate(now_ns, len(packet))
        if fate.copies and len(self._held) >= MOST_HELD:
            fate = Fate(now_ns, copies=0, overflowed=True)
        link.counts.count(fate, len(packet))
        if fate.corrupt is not None and (flipped := flip_bit(packet, fate.corrupt)):
            packet = flipped
            link.counts.corrupted += 1
        for _ in range(fate.copies):
            self._number += 1
            heapq.heappush(self._held, (fate.due_ns, self._number, now_ns, crossing.tun, packet, link))

    def _release(self) -> None:
        held = self._held
        while held:
            now_ns = time.monotonic_ns()
            if held[0][0] > now_ns:
                return
            _, _, arrived_ns, tun, packet, link = heapq.heappop(held)
            try:
                os.write(tun, packet)
            except OSError:  # a malformed packet, which the kernel would not have forwarded either
                link.counts.dropped += 1
            else:
                link.dwell.add(arrived_ns, now_ns)
