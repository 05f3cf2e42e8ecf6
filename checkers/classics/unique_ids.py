"""Generated ids are all different. After Jepsen's unique-ids."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from checkers.classics.calls import acknowledged, identity, named
from checkers.history import History, Op
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import listed

NAME = "unique-ids"


def unique_ids(history: History) -> Verdict:
    """Judges the values that acknowledged `generate` operations returned."""
    calls = [call for call in history.calls() if call.invoke.f == "generate"]
    holders: dict[Hashable, list[tuple[Op, Op]]] = {}
    nameless = 0
    for invoke, done in acknowledged(calls, "generate"):
        if done.value is None:
            nameless += 1
        else:
            holders.setdefault(identity(done.value), []).append((invoke, done))
    ids = [pairs[0][1].value for pairs in holders.values()]
    given = sum(map(len, holders.values()))
    anomalies = [_duplicate(pairs) for pairs in holders.values() if len(pairs) > 1]
    return conclude(
        NAME,
        f"{given} generated ids, no two alike",
        anomalies=anomalies,
        unknown=[f"{nameless} generated ids were not recorded"] if nameless else [],
        vacuous=[] if given > 1 else [f"{given} ids were generated; it takes two to be alike"],
        evidence={
            "attempted": len(calls),
            "acknowledged": given,
            "duplicated": len(anomalies),
            "range": _range(ids),
        },
    )


def _duplicate(pairs: list[tuple[Op, Op]]) -> Anomaly:
    names = listed(f"{named(invoke)} (process {invoke.process})" for invoke, _ in pairs[:8])
    more = f" and {len(pairs) - 8} more" if len(pairs) > 8 else ""
    message = f"id {pairs[0][1].value!r} was given out {len(pairs)} times: to {names}{more}"
    ops = tuple(invoke.index for invoke, _ in pairs)
    return Anomaly("duplicate-id", message, ops, time_ns=pairs[1][0].time_ns)


def _range(ids: list[Any]) -> list[Any] | None:
    """The lowest and the highest id; None where they cannot be compared."""
    if ids and (all(type(one) is int for one in ids) or all(isinstance(one, str) for one in ids)):
        return [min(ids), max(ids)]
    return None
