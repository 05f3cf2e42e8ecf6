"""The simulated network: latency, order, and what faults do to messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from system.clusters import sites
from system.simulation.knobs import MS, Knobs
from system.simulation.loop import VirtualLoop
from system.simulation.network import HELD, LATE_NS, NEAR_NS, SILENT_NS, Network

AWS, GCP, AZURE = sites.control_plane(3)
NEIGHBOUR = "worker-aws-1"
SEEDS = range(40)


class Wire:
    """A network on which numbered messages are sent; `came` holds (number, ms) as they arrive."""

    def __init__(self, seed: int = 1, **knobs: Any) -> None:
        self.loop = VirtualLoop()
        self.network = Network(self.loop, seed, Knobs(**knobs), 25.0)
        self.came: list[tuple[int, float]] = []
        self.sent = 0

    def send(self, count: int = 1, *, src: str = AWS, dst: str = GCP, kind: str = "append") -> None:
        for _ in range(count):
            self.sent += 1
            self.network.send(src, dst, 100, kind, self._arrive, self.sent, self.loop.now_ns)

    def _arrive(self, number: int, sent_ns: int) -> None:
        self.came.append((number, (self.loop.now_ns - sent_ns) / MS))

    def later(self, length_ms: float = 1_000) -> list[int]:
        """Who came so far, after so long."""
        self.loop.run_until_complete(asyncio.sleep(length_ms / 1e3))
        return [number for number, _ in self.came]


@pytest.mark.parametrize(
    ("dst", "least_ms"), [(NEIGHBOUR, NEAR_NS / MS), (GCP, 25.0), (AZURE, 25.0), ("client-gcp", 25.0)]
)
def test_latency_goes_by_cloud(dst: str, least_ms: float) -> None:
    wire = Wire(jitter_ms=2.0)
    for _ in range(200):
        wire.send(dst=dst)
        wire.later(100)
    took_ms = [ms for _, ms in wire.came]
    assert least_ms <= min(took_ms) < least_ms + 0.1
    assert least_ms + 1.9 < max(took_ms) <= least_ms + 2.0


def test_measured_durations_are_drawn_from_instead() -> None:
    wire = Wire(link_samples_ms=(1.0, 7.0))
    for _ in range(50):
        wire.send()
        wire.later(100)
    assert sorted(dict.fromkeys(ms for _, ms in wire.came)) == [26.0, 32.0]


def test_messages_of_one_link_keep_their_order() -> None:
    wire = Wire(jitter_ms=20.0)
    for _ in range(100):
        wire.send()
        wire.later(0.5)
    assert wire.later() == list(range(1, 101))


@pytest.mark.parametrize(
    ("harm", "counted", "share"),
    [
        ("loss", "dropped", 0.1),
        ("corrupt", "corrupted", 0.3),
        ("duplicate", "duplicated", 0.2),
        ("reorder", "reordered", 0.5),
    ],
)
def test_harms_take_their_share(harm: str, counted: str, share: float) -> None:
    wire = Wire()
    wire.network.shape([(AWS, GCP)], {harm: share})
    for _ in range(2000):
        wire.send()
        wire.later(1)
    came = wire.later()
    struck = wire.network.packets([(AWS, GCP)], harm)[f"{AWS}->{GCP}"][counted]
    assert struck == pytest.approx(2000 * share, abs=90)
    lost, doubled = harm in ("loss", "corrupt"), harm == "duplicate"
    assert len(came) == 2000 - lost * struck + doubled * struck
    assert len(dict.fromkeys(came)) == 2000 - lost * struck
    assert (came != sorted(came)) == (harm in ("duplicate", "reorder"))
    assert max(ms for _, ms in wire.came) <= 25 + 1 + (LATE_NS / MS) * (harm in ("duplicate", "reorder"))


def test_each_harm_has_its_own_counts_whatever_else_befalls_the_link() -> None:
    wire = Wire()
    wire.network.shape([(AWS, GCP)], {"loss": 1.0})
    wire.send(5)
    wire.network.shape([(AWS, GCP)], {"duplicate": 1.0})
    wire.network.cut([(AWS, GCP)], "packets")
    wire.network.mend([(AWS, GCP)])
    wire.send(2)
    lost, doubled = (
        wire.network.packets([(AWS, GCP)], harm)[f"{AWS}->{GCP}"] for harm in ("loss", "duplicate")
    )
    assert (lost["packets"], lost["dropped"]) == (7, 7)
    assert (doubled["packets"], doubled["dropped"]) == (2, 2)


def test_harms_end() -> None:
    wire = Wire()
    wire.network.shape([(AWS, GCP)], {"loss": 1.0})
    wire.send(5)
    wire.send(5, src=GCP, dst=AWS)
    assert wire.later() == [6, 7, 8, 9, 10], "only the one direction"
    wire.network.unshape([(AWS, GCP)], ["loss"])
    wire.send(5)
    assert wire.later()[5:] == [11, 12, 13, 14, 15]


def test_a_rate_makes_messages_queue() -> None:
    wire = Wire(jitter_ms=0.0)
    wire.network.shape([(AWS, GCP)], {"rate_bytes_s": 1_000.0})
    wire.send(5)
    wire.later()
    assert [round(ms) for _, ms in wire.came] == [100, 200, 300, 400, 500]
    assert wire.network.packets([(AWS, GCP)], "rate_bytes_s")[f"{AWS}->{GCP}"]["queued"] == 4


def test_a_delay_comes_on_top_and_goes() -> None:
    wire = Wire(jitter_ms=0.0)
    wire.network.delay([(AWS, GCP)], 100.0, 0.0)
    assert wire.network.round_trip_ms(AWS, GCP) == wire.network.round_trip_ms(GCP, AWS) == 150.0
    wire.send()
    wire.later()
    wire.network.undelay([(AWS, GCP)])
    wire.send()
    wire.later()
    assert [ms for _, ms in wire.came] == [125.0, 25.0]


def test_what_a_cut_holds_is_dropped_or_comes_late_as_the_seed_says() -> None:
    ends = dict[str, int]()
    for seed in SEEDS:
        wire = Wire(seed)
        wire.network.cut([(AWS, GCP)], "messages")
        wire.send(10)
        assert wire.later() == []
        assert wire.network.held_bytes(AWS, GCP) >= 1000
        wire.network.mend([(AWS, GCP)])
        came = wire.later()
        kind = "dropped" if not came else "in order" if came == sorted(came) else "in another order"
        ends[kind] = ends.get(kind, 0) + 1
        assert sorted(came) in ([], list(range(1, 11)))
        wire.send()
        assert wire.later()[len(came) :] == [11], "it is mended"
    assert min(ends[kind] for kind in ("dropped", "in order", "in another order")) >= 5


def test_a_cut_holds_the_newest() -> None:
    seed = next(seed for seed in SEEDS if _lets_go(seed))
    wire = Wire(seed)
    wire.network.cut([(AWS, GCP)], "messages")
    wire.send(HELD + 20)
    wire.network.mend([(AWS, GCP)])
    assert sorted(wire.later()) == list(range(21, HELD + 21))


def _lets_go(seed: int) -> bool:
    wire = Wire(seed)
    wire.network.cut([(AWS, GCP)], "messages")
    wire.send(HELD + 20)
    wire.network.mend([(AWS, GCP)])
    return bool(wire.later())


def test_two_cuts_of_a_link_need_two_mends() -> None:
    wire = Wire()
    for _ in range(2):
        wire.network.cut([(AWS, GCP)], "messages")
    wire.network.mend([(AWS, GCP)])
    wire.send()
    assert wire.later() == []
    assert not wire.network.is_good(AWS, GCP, 0.0)
    wire.network.mend([(AWS, GCP)])
    assert wire.network.is_good(AWS, GCP, 0.0)


@pytest.mark.parametrize(("kind", "comes"), [("packets", False), ("messages", True)])
def test_packets_cut_one_way_silence_the_other_way_too_half_a_second_later(kind: str, comes: bool) -> None:
    """Acknowledgements are lost; where only messages are held, the connection stands."""
    wire = Wire()
    wire.network.cut([(AWS, GCP)], kind)
    wire.later(SILENT_NS / MS - 1)
    wire.send(src=GCP, dst=AWS)
    assert wire.later(1) == [] and wire.later(50) == [1], "at first it still passes"
    wire.send(src=GCP, dst=AWS)
    assert wire.later() == ([1, 2] if comes else [1])
    wire.network.mend([(AWS, GCP)])
    before = len(wire.later())
    wire.send(src=GCP, dst=AWS)
    assert wire.later()[before:] == [3]


def test_messages_of_one_type_are_held_and_let_go() -> None:
    wire = Wire()
    wire.network.hold([(AWS, GCP)], ["append-reply"])
    for kind in ("append-reply", "vote", "append-reply", "append"):
        wire.send(kind=kind)
    assert wire.later() == [2, 4]
    assert not wire.network.is_good(AWS, GCP, 0.0)
    wire.network.release([(AWS, GCP)], ["append-reply"])
    assert wire.later() == [2, 4, 1, 3]
    wire.send(kind="append-reply")
    assert wire.later()[4:] == [5]


def test_links_draw_apart_from_each_other() -> None:
    """What is sent on one leaves the times on another alone."""

    def times(noise: int) -> list[float]:
        wire = Wire(jitter_ms=5.0)
        for _ in range(20):
            wire.send(noise, src=AZURE)
            wire.send(src=AWS)
            wire.later(50)
        return [ms for number, ms in wire.came if number % (noise + 1) == 0]

    assert times(0) == times(3) and len(times(0)) == 20
