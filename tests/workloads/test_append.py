from __future__ import annotations

from collections import Counter
from random import Random

from system.client import Answer, Append, Read
from workloads.append import APPENDS_A_LIST, LIVE_LISTS, Lists


def test_one_seed_one_load() -> None:
    def draws(seed: int) -> list[object]:
        workload, rng = Lists(), Random(seed)
        return [workload.draw(rng) for _ in range(500)]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)


def test_a_share_of_appends_of_unique_elements_to_a_few_short_lists() -> None:
    workload, rng = Lists(), Random(7)
    ops = [workload.draw(rng) for _ in range(5000)]
    appends = [value for f, value in ops if f == "append"]
    elements = [element for _, element in appends]
    assert 0.55 < len(appends) / len(ops) < 0.65
    assert elements == list(range(1, len(elements) + 1))
    assert all(type(element) is int for element in elements)
    assert max(Counter(key for key, _ in appends).values()) == APPENDS_A_LIST
    assert {value[0] for _, value in ops[:100]} == {"k0", "k1", "k2", "k3"}
    for at in range(0, 5000, 50):
        assert len({value[0] for _, value in ops[at : at + 50]}) <= LIVE_LISTS + 2
    assert all(value[1] is None for f, value in ops if f == "read")


def test_final_reads_cover_every_list_ever_written() -> None:
    """After any number of operations, so that the newest list is among them."""
    workload, rng = Lists(), Random(7)
    written: dict[str, None] = {}
    for _ in range(1500):
        f, (key, _) = workload.draw(rng)
        if f == "append":
            written[key] = None
        assert workload.final_reads() == [("read", [key, None]) for key in written]
    assert len(written) > LIVE_LISTS


def test_requests_and_outcomes() -> None:
    workload = Lists()
    assert workload.request("append", ["k0", 12]) == Append("k0", "12")
    assert workload.request("read", ["k0", None]) == Read("k0")
    assert workload.outcome("append", ["k0", 12], Answer("n", 5)) == ("ok", ["k0", 12])
    assert workload.outcome("read", ["k0", None], Answer("n", 5)) == ("ok", ["k0", []])
    assert workload.outcome("read", ["k0", None], Answer("n", 5, items=("3", "12"))) == (
        "ok",
        ["k0", [3, 12]],
    )


def test_what_was_never_written_stays_as_it_was_read() -> None:
    items = ("x", "", "012", "1_0", " 7", "7")
    assert Lists().outcome("read", ["k0", None], Answer("n", 5, items=items)) == (
        "ok",
        ["k0", [*items[:-1], 7]],
    )


def test_who_only_reads_draws_reads() -> None:
    workload, rng = Lists(), Random(3)
    assert {workload.draw(rng, reads_only=True)[0] for _ in range(200)} == {"read"}
    assert workload.final_reads() == []
