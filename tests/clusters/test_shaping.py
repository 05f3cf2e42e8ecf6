"""Shaping through a gateway of paper: facts are differences, proof is waited for, and it may be gone."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from system.clusters import shaping
from system.clusters.addresses import Pair
from system.clusters.errors import ClusterError
from system.clusters.shaping import Shaping
from tests.clusters.lab import finish, until

A, B, C = "cp-aws-1", "cp-gcp-1", "cp-azure-1"
HARMS = ("dropped", "duplicated", "reordered", "corrupted", "queued")
BASE_MS = 25.0


class Gateway:
    """A pipe to a gateway over which packets go only when the test says so.

    on_counts: called before each answer to `counts`. shaped: set while it answers that
        it has shaped
    """

    def __init__(self) -> None:
        self.in_force: dict[Pair, dict[str, float]] = {}
        self.counted: dict[Pair, Counter[str]] = {}
        self.seen: set[Pair] = set()  # links with packets since their last change
        self.asked: list[str] = []
        self.on_counts: Callable[[], None] = lambda: None
        self.shaped = asyncio.Event()
        self.shaped.set()
        self.dead = False

    def carry(self, *links: Pair, packets: int = 10, **harmed: int) -> None:
        for link in links:
            self.seen.add(link)
            self.counted.setdefault(link, Counter()).update({"packets": packets, **harmed})

    async def ask(self, verb: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        self.asked.append(verb)
        if self.dead:
            raise ClusterError("the gateway has ended")
        links: list[Pair] = [(a, b) for a, b in arguments.get("links", [])]
        if verb == "counts":
            self.on_counts()
            return {f"{a}->{b}": self._count((a, b)) for a, b in links}
        if verb == "in_force":
            return {f"{a}->{b}": dict(how) for (a, b), how in self.in_force.items() if how}
        if verb == "clear":
            self.in_force.clear()
        for link in links:
            self._change(link, arguments)
        if verb == "shape":
            await self.shaped.wait()
        return {}

    def _change(self, link: Pair, arguments: Mapping[str, Any]) -> None:
        kept = self.in_force.get(link, {}) | arguments.get("how", {})
        self.in_force[link] = {k: v for k, v in kept.items() if k not in arguments.get("which", [])}
        self.seen.discard(link)

    def _count(self, link: Pair) -> dict[str, Any]:
        counted = self.counted.get(link, Counter())
        extra_ms = self.in_force.get(link, {}).get("delay_ms", 0.0)
        dwell_ms = BASE_MS + extra_ms if link in self.seen else None
        return {name: counted[name] for name in ("packets", *HARMS)} | {"dwell_ms": dwell_ms}


async def behind(gateway: Gateway) -> Shaping:
    made = Shaping()
    await made.use(gateway)  # type: ignore[arg-type]
    return made


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaping, "POLL_S", 0.001)


def test_what_an_earlier_harness_left_in_force_goes() -> None:
    async def test() -> None:
        gateway = Gateway()
        gateway.in_force[A, B] = {"loss": 1.0}
        await behind(gateway)
        assert gateway.in_force == {}

    finish(test())


def test_facts_are_what_was_counted_since_the_shape() -> None:
    async def test() -> None:
        gateway = Gateway()
        gateway.carry((A, B), packets=1000, dropped=50)
        shaping_ = await behind(gateway)
        gateway.on_counts = lambda: gateway.carry((A, B), packets=5, dropped=1) if gateway.in_force else None
        facts = await shaping_.shape([(A, B)], {"loss": 0.2})
        expected = dict.fromkeys(HARMS, 0) | {"packets": 5, "dropped": 1}
        assert facts == {f"{A}->{B}": expected}
        gateway.on_counts = lambda: None
        facts = await shaping_.unshape([(A, B)], ["loss"])
        assert facts == {f"{A}->{B}": expected}
        assert gateway.in_force == {(A, B): {}}
        assert await shaping_.unshape([(A, B)], ["loss"]) == facts

    finish(test())


def test_what_is_still_in_force_is_told() -> None:
    async def test() -> None:
        gateway = Gateway()
        gateway.on_counts = lambda: gateway.carry((A, B), dropped=1)
        shaping_ = await behind(gateway)
        assert await shaping_.still_harmed() == []
        await shaping_.shape([(A, B)], {"loss": 0.2})
        assert await shaping_.still_harmed() == [f"{A}->{B} is still harmed: loss"]
        await shaping_.unshape([(A, B)], ["loss"])
        assert await shaping_.still_harmed() == []
        shaping_.gone()
        assert await shaping_.still_harmed() == [], "with the gateway it is gone"

    finish(test())


def test_each_kind_is_counted_since_it_was_asked_for() -> None:
    async def test() -> None:
        gateway = Gateway()
        shaping_ = await behind(gateway)
        gateway.on_counts = lambda: gateway.carry((A, B), packets=10, dropped=1, duplicated=1)
        await shaping_.shape([(A, B)], {"loss": 0.1})
        await shaping_.shape([(A, B)], {"duplicate": 0.1})
        gateway.on_counts = lambda: None
        lost = (await shaping_.unshape([(A, B)], ["loss"]))[f"{A}->{B}"]
        doubled = (await shaping_.unshape([(A, B)], ["duplicate"]))[f"{A}->{B}"]
        assert lost["packets"] > doubled["packets"] >= 10
        assert lost["dropped"] > doubled["duplicated"] >= 1

    finish(test())


def test_a_shape_waits_until_each_kind_was_seen_on_some_link() -> None:
    async def test() -> None:
        gateway = Gateway()
        shaping_ = await behind(gateway)
        shaped = asyncio.create_task(shaping_.shape([(A, B), (B, A)], {"loss": 0.1, "rate_bytes_s": 10}))
        await until(lambda: (B, A) in gateway.in_force)
        gateway.carry((A, B), dropped=1)
        asked = len(gateway.asked)
        await until(lambda: len(gateway.asked) > asked + 3)
        assert not shaped.done(), "nothing was queued yet"
        gateway.carry((B, A), queued=1)
        facts = await shaped
        assert facts[f"{A}->{B}"]["dropped"] == facts[f"{B}->{A}"]["queued"] == 1

    finish(test())


def test_a_shape_that_is_never_seen_says_so_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaping, "SEEN_WITHIN_S", 0.1)

    async def test() -> None:
        shaping_ = await behind(Gateway())
        began_s = time.monotonic()
        assert await shaping_.shape([(A, B)], {"loss": 0.1}) == {
            f"{A}->{B}": dict.fromkeys(("packets", *HARMS), 0)
        }
        assert time.monotonic() - began_s >= 0.1
        facts = await shaping_.delay([(A, B)], 100, 0)
        assert facts == {f"{A}->{B}": {"rtt_before_ms": None, "rtt_ms": None}}

    finish(test())


def test_a_round_trip_is_both_ways_and_only_since_the_change() -> None:
    async def test() -> None:
        gateway = Gateway()
        shaping_ = await behind(gateway)
        gateway.carry((A, B), (B, A))
        delayed = asyncio.create_task(shaping_.delay([(A, B)], 100, 5))
        await until(lambda: gateway.in_force.get((A, B)) == {"delay_ms": 100, "jitter_ms": 5})
        assert not delayed.done()
        gateway.carry((A, B), (B, A))
        assert await delayed == {f"{A}->{B}": {"rtt_before_ms": 50.0, "rtt_ms": 150.0}}
        gateway.on_counts = lambda: gateway.carry((A, B), (B, A))
        assert await shaping_.undelay([(A, B)]) == {f"{A}->{B}": {"rtt_before_ms": 150.0, "rtt_ms": 50.0}}
        assert gateway.in_force == {(A, B): {}}

    finish(test())


def test_what_is_in_force_comes_back_with_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaping, "SEEN_WITHIN_S", 0.0)

    async def test() -> None:
        gateway = Gateway()
        gateway.carry((A, B), packets=100, dropped=50)
        shaping_ = await behind(gateway)
        await shaping_.shape([(A, B), (B, A)], {"loss": 0.1, "corrupt": 0.2})
        shaping_.gone()
        facts = await shaping_.shape([(A, C)], {"rate_bytes_s": 10})
        assert facts == {f"{A}->{C}": dict.fromkeys(("packets", *HARMS), 0)}
        await shaping_.unshape([(B, A)], ["loss"])
        await shaping_.delay([(A, B)], 7, 0)
        again = Gateway()
        await shaping_.use(again)  # type: ignore[arg-type]
        assert {link: how for link, how in again.in_force.items() if how} == {
            (A, B): {"loss": 0.1, "corrupt": 0.2, "delay_ms": 7, "jitter_ms": 0},
            (B, A): {"corrupt": 0.2},
            (A, C): {"rate_bytes_s": 10},
        }
        again.carry((A, B), packets=3, dropped=2)
        facts = await shaping_.unshape([(A, B)], ["loss"])
        assert facts[f"{A}->{B}"]["dropped"] == 2, "a gateway that was started again counts from nothing"

    finish(test())


def test_what_changes_while_the_gateway_starts_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaping, "SEEN_WITHIN_S", 0.0)

    async def test() -> None:
        shaping_ = Shaping()
        await shaping_.delay([(A, B)], 1, 0)
        await shaping_.delay([(B, A)], 1, 0)
        gateway = Gateway()
        gateway.on_counts = lambda: gateway.carry((A, B), (B, A), (A, C), (C, A))
        gateway.shaped.clear()
        starting = asyncio.create_task(shaping_.use(gateway))  # type: ignore[arg-type]
        await until(lambda: (A, B) in gateway.in_force)
        changing = asyncio.gather(shaping_.delay([(A, C)], 2, 0), shaping_.delay([(B, A)], 3, 0))
        await until(lambda: (A, C) in gateway.in_force)
        gateway.shaped.set()
        await asyncio.gather(starting, changing)
        assert {link: how["delay_ms"] for link, how in gateway.in_force.items()} == {
            (A, B): 1,
            (B, A): 3,
            (A, C): 2,
        }

    finish(test())


def test_a_gateway_that_ends_in_mid_question_is_no_error_once_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shaping, "SEEN_WITHIN_S", 0.5)

    async def test() -> None:
        gateway = Gateway()
        shaping_ = await behind(gateway)

        def die() -> None:
            shaping_.gone()
            raise ClusterError("the gateway has ended")

        shaped = asyncio.create_task(shaping_.shape([(A, B)], {"loss": 0.1}))
        await until(lambda: gateway.asked.count("counts") > 3)
        gateway.on_counts = die
        assert await shaped is not None

    async def unknown() -> None:
        gateway = Gateway()
        shaping_ = await behind(gateway)
        gateway.dead = True
        with pytest.raises(ClusterError, match="the gateway has ended"):
            await shaping_.shape([(A, B)], {"loss": 0.1})

    finish(test())
    finish(unknown())


def test_clear_ends_everything_for_good() -> None:
    async def test() -> None:
        gateway = Gateway()
        gateway.on_counts = lambda: gateway.carry((A, B), (B, A))
        shaping_ = await behind(gateway)
        await shaping_.delay([(A, B)], 1, 0)
        await shaping_.clear()
        assert gateway.in_force == {}
        again = Gateway()
        await shaping_.use(again)  # type: ignore[arg-type]
        assert again.in_force == {}
        shaping_.gone()
        await shaping_.clear()

    finish(test())
