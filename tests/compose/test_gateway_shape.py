"""What is in force on a pair decides packets' fate: how often, how long, in which order, by which seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose.gateway.shape import (
    HARMS,
    HELD_BACK_NS,
    LONGEST_QUEUE_NS,
    NS_PER_MS,
    NS_PER_S,
    Fate,
    Shape,
    checked,
)

BASE_NS = 25 * NS_PER_MS
PACKETS = 4000
EVERY_NS = NS_PER_MS

# A busy host may take long over any example.
unhurried = settings(deadline=None, max_examples=20)
probabilities = st.floats(0.05, 0.95)
hows = st.fixed_dictionaries(
    {},
    optional={
        harm: st.floats(1000, 1e6) if harm == "rate_bytes_s" else st.floats(0, min(most, 300))
        for harm, most in HARMS.items()
    },
)


def shaped(how: dict[str, float], seed: str = "7", name: str = "a->b", jitter_ns: int = 0) -> Shape:
    shape = Shape(name, seed, BASE_NS, jitter_ns)
    shape.shape(how)
    return shape


def fates(
    shape: Shape, packets: int = PACKETS, every_ns: int = EVERY_NS, size_bytes: int = 100
) -> list[Fate]:
    return [shape.fate(number * every_ns, size_bytes) for number in range(packets)]


def delays_ns(shape: Shape, **how: int) -> list[int]:
    return [fate.due_ns - number * EVERY_NS for number, fate in enumerate(fates(shape, **how))]


def test_with_nothing_in_force_each_packet_waits_for_the_base_alone() -> None:
    assert fates(shaped({})) == [Fate(number * EVERY_NS + BASE_NS) for number in range(PACKETS)]


def test_a_delay_comes_on_top_of_the_base() -> None:
    assert set(delays_ns(shaped({"delay_ms": 100.5}))) == {BASE_NS + round(100.5 * NS_PER_MS)}


@unhurried
@given(hows, st.text(max_size=5))
def test_the_seed_decides_everything(how: dict[str, float], seed: str) -> None:
    assert fates(shaped(how, seed), 50) == fates(shaped(how, seed), 50)


def test_another_seed_and_another_pair_draw_differently() -> None:
    here = fates(shaped({"loss": 0.5}))
    assert here != fates(shaped({"loss": 0.5}, seed="8"))
    assert here != fates(shaped({"loss": 0.5}, name="b->a"))


@unhurried
@given(hows, hows)
def test_what_is_in_force_elsewhere_moves_no_draw_here(
    how: dict[str, float], elsewhere: dict[str, float]
) -> None:
    alone = fates(shaped(how), 100)
    other, here = shaped(elsewhere, name="b->a"), shaped(how)
    together = []
    for number in range(100):
        other.fate(number * EVERY_NS, 100)
        together.append(here.fate(number * EVERY_NS, 100))
    assert together == alone


def test_another_harm_of_the_pair_moves_no_draw_either() -> None:
    alone = [fate.copies for fate in fates(shaped({"duplicate": 0.5}))]
    assert [
        fate.copies for fate in fates(shaped({"duplicate": 0.5, "jitter_ms": 3, "corrupt": 0.5}))
    ] == alone


@unhurried
@given(probabilities)
def test_losses_come_as_often_as_asked(loss: float) -> None:
    dropped = sum(fate.copies == 0 for fate in fates(shaped({"loss": loss})))
    assert abs(dropped / PACKETS - loss) < 0.05


@unhurried
@given(probabilities)
def test_duplicates_come_as_often_as_asked(duplicate: float) -> None:
    copies = Counter(fate.copies for fate in fates(shaped({"duplicate": duplicate})))
    assert set(copies) == {1, 2}
    assert abs(copies[2] / PACKETS - duplicate) < 0.05


@unhurried
@given(probabilities)
def test_corruption_comes_as_often_as_asked(corrupt: float) -> None:
    where = [fate.corrupt for fate in fates(shaped({"corrupt": corrupt})) if fate.corrupt is not None]
    assert abs(len(where) / PACKETS - corrupt) < 0.05
    assert all(0 <= place < 1 for place in where)


@pytest.mark.parametrize("harm", ["loss", "duplicate", "corrupt"])
def test_certainty_is_always_and_zero_is_never(harm: str) -> None:
    clean = fates(shaped({}))
    assert fates(shaped({harm: 0.0})) == clean
    assert all(fate != calm for fate, calm in zip(fates(shaped({harm: 1.0})), clean, strict=True))


def test_jitter_spreads_the_delay_evenly_around_its_mean() -> None:
    delays = delays_ns(shaped({"jitter_ms": 10}), every_ns=EVERY_NS)
    # Packets that come apart by more than the jitter cannot push each other back.
    apart = [
        fate.due_ns - n * NS_PER_S
        for n, fate in enumerate(fates(shaped({"jitter_ms": 10}), every_ns=NS_PER_S))
    ]
    assert min(apart) >= BASE_NS - 10 * NS_PER_MS
    assert max(apart) <= BASE_NS + 10 * NS_PER_MS
    assert abs(sum(apart) / PACKETS - BASE_NS) < NS_PER_MS
    assert len(set(apart)) > PACKETS / 2
    assert max(delays) <= BASE_NS + 10 * NS_PER_MS


def test_jitter_beyond_the_delay_sends_nothing_before_it_came() -> None:
    assert min(delays_ns(shaped({"jitter_ms": 100}))) >= 0


def test_the_base_jitters_too() -> None:
    apart = [
        fate.due_ns - n * NS_PER_S for n, fate in enumerate(fates(shaped({}, jitter_ns=5), every_ns=NS_PER_S))
    ]
    assert {delay_ns - BASE_NS for delay_ns in apart} == set(range(-5, 6))


@unhurried
@given(hows)
def test_only_reorder_reorders(how: dict[str, float]) -> None:
    how.pop("reorder", None)
    passed = [fate for fate in fates(shaped(how), 500) if fate.copies]
    assert all(a.due_ns <= b.due_ns for a, b in pairwise(passed))
    assert sum(fate.overtaken for fate in passed) == 0


@unhurried
@given(probabilities, st.sampled_from([0.0, 20.0]))
def test_reorder_holds_back_whom_others_then_overtake_and_counts_exactly_these(
    reorder: float, jitter_ms: float
) -> None:
    told = fates(shaped({"reorder": reorder, "jitter_ms": jitter_ms}))
    dues_ns = [fate.due_ns for fate in told]
    overtaken = sum(
        any(later_ns < due_ns for later_ns in dues_ns[number + 1 : number + 200])
        for number, due_ns in enumerate(dues_ns)
    )
    assert sum(fate.overtaken for fate in told) == overtaken
    assert overtaken > 0.9 * reorder * PACKETS - 100


def test_a_packet_held_back_with_nobody_behind_it_does_not_count_as_reordered() -> None:
    told = fates(shaped({"reorder": 1.0}), packets=50, every_ns=NS_PER_S)
    assert sum(fate.overtaken for fate in told) == 0
    held_ns = [fate.due_ns - number * NS_PER_S - BASE_NS for number, fate in enumerate(told)]
    assert all(HELD_BACK_NS[0] <= held <= HELD_BACK_NS[1] for held in held_ns)


def test_the_rate_is_exact() -> None:
    # 1000 bytes every 10 ms are 100,000 bytes a second: at that rate each packet takes 10 ms and none waits.
    exact = fates(shaped({"rate_bytes_s": 100_000}), 100, 10 * NS_PER_MS, 1000)
    assert [fate.due_ns for fate in exact] == [
        (number + 1) * 10 * NS_PER_MS + BASE_NS for number in range(100)
    ]
    assert not any(fate.queued for fate in exact)


def test_what_comes_faster_than_the_rate_waits_and_what_would_wait_too_long_is_dropped() -> None:
    told = fates(shaped({"rate_bytes_s": 100_000}), 150, 0, 1000)
    passed = [fate for fate in told if fate.copies]
    assert [fate.due_ns for fate in passed] == [
        (number + 1) * 10 * NS_PER_MS + BASE_NS for number in range(len(passed))
    ]
    assert len(passed) == LONGEST_QUEUE_NS // (10 * NS_PER_MS) + 1
    assert [fate.queued for fate in passed] == [False] + [True] * (len(passed) - 1)
    assert all(fate.overflowed for fate in told[len(passed) :])


@unhurried
@given(
    st.lists(st.tuples(st.integers(0, 20 * NS_PER_MS), st.integers(20, 1500)), min_size=2),
    st.floats(1e4, 1e6),
)
def test_no_interval_carries_more_than_the_rate(arrivals: list[tuple[int, int]], rate_bytes_s: float) -> None:
    shape, now_ns, sent = shaped({"rate_bytes_s": rate_bytes_s}), 0, []
    for gap_ns, size_bytes in arrivals:
        now_ns += gap_ns
        fate = shape.fate(now_ns, size_bytes)
        if fate.copies:
            sent.append((fate.due_ns, size_bytes))
    for first in range(len(sent)):
        carried = sum(size_bytes for _, size_bytes in sent[first + 1 :])
        allowed = (sent[-1][0] - sent[first][0] + len(sent)) * rate_bytes_s / NS_PER_S
        assert carried <= allowed + 1


def test_shapes_merge_and_end_one_by_one() -> None:
    shape = shaped({"delay_ms": 100, "loss": 1.0})
    shape.shape({"delay_ms": 50})
    assert shape.in_force == {"delay_ms": 50, "loss": 1.0}
    shape.unshape(["loss", "corrupt"])
    shape.unshape(["loss"])
    assert shape.fate(0, 100) == Fate(BASE_NS + 50 * NS_PER_MS)
    shape.unshape(HARMS)
    assert shape.in_force == {}


def test_after_healing_packets_do_not_line_up_behind_those_still_held() -> None:
    shape = shaped({"delay_ms": 10_000, "rate_bytes_s": 100})
    shape.fate(0, 100)
    shape.unshape(HARMS)
    assert shape.fate(1, 100) == Fate(1 + BASE_NS)


@unhurried
@given(hows)
def test_numbers_in_range_are_taken_as_they_are(how: dict[str, float]) -> None:
    allowed = {harm: min(value, HARMS[harm]) for harm, value in how.items()}
    assert checked(allowed) == allowed


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"lag": 1}, "there is no harm 'lag'"),
        ({"loss": 1.1}, "loss is 1.1; expected a number from 0 to 1"),
        ({"loss": -0.1}, "loss is -0.1"),
        ({"loss": True}, "loss is True"),
        ({"loss": "all"}, "loss is 'all'"),
        ({"loss": None}, "loss is None"),
        ({"delay_ms": float("nan")}, "delay_ms is nan"),
        ({"delay_ms": float("inf")}, "delay_ms is inf"),
        ({"rate_bytes_s": 0}, "rate_bytes_s is 0; expected a number from 1 to"),
    ],
)
def test_what_makes_no_sense_is_refused(how: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        checked(how)
