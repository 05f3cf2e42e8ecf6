"""The simple judges of Jepsen's own workloads, each a pure function of what the clients saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from checkers.classics.bank import bank
from checkers.classics.counter_bounds import counter_bounds
from checkers.classics.long_fork import long_fork
from checkers.classics.set_final import set_final
from checkers.classics.set_full import set_full
from checkers.classics.total_queue import total_queue
from checkers.classics.unique_ids import unique_ids
from checkers.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Classic:
    """judge(history, **options) -> Verdict; options: the keyword arguments that it takes, all of them
    optional. Raises HistoryError where the history is not of its kind."""

    name: str
    summary: str
    judge: Callable[..., Verdict]
    options: tuple[str, ...] = ()


CLASSICS: dict[str, Classic] = {
    classic.name: classic
    for classic in (
        Classic("set-final", "adds, then a final read that shows all of them", set_final),
        Classic("set-full", "every element of a set, over all reads", set_full, ("linearizable",)),
        Classic(
            "counter-bounds", "reads between the sum that is certain and that is possible", counter_bounds
        ),
        Classic("total-queue", "what goes in comes out, once", total_queue, ("at_least_once",)),
        Classic("unique-ids", "generated ids are all different", unique_ids),
        Classic(
            "bank",
            "transfers keep the sum of all balances",
            bank,
            ("total", "accounts", "negative_allowed"),
        ),
        Classic("long-fork", "no two reads see two writes in opposite orders", long_fork),
    )
}
