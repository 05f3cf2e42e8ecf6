"""Transactions on lists and registers, judged in the manner of Elle (Kingsbury and Alvaro, VLDB 2020)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from checkers.history import History, HistoryError
from checkers.linear.operations import Limits
from checkers.transactions.consistency import ANOMALIES, DEFAULT, MODELS, ruled_out
from checkers.verdict import Verdict, conclude

__all__ = ["ANOMALIES", "KINDS", "MODELS", "transactions"]

KINDS = ("list-append", "rw-register")


def transactions(
    history: History,
    kind: Literal["list-append", "rw-register"] = "list-append",
    consistency: str | None = DEFAULT,
    anomalies: Iterable[str] | None = None,
    limits: Limits | None = None,
    *,
    writes_follow_reads: bool = False,
    sequential_keys: bool = False,
    linearizable_keys: bool = False,
) -> Verdict:
    """Whether the transactions show an anomaly that the consistency model forbids, or one of those named.

    An operation's value is a list of micro-operations: ["append", key, element] and ["r", key, elements or
    None], or ["w", key, value] and ["r", key, value]. A crashed transaction may have happened at any time
    after its invocation, or never. Nil is what a key holds before any write.

    consistency: one of MODELS, or None to look for `anomalies` alone
    anomalies:   of ANOMALIES; each stands for its special cases too
    writes_follow_reads, sequential_keys, linearizable_keys: for registers, what may be taken for granted of
        each key alone, and so tells the order of its versions (rw_register.KeyOrders)

    A yes on lists that are to be serializable carries a serial order that an independent replay has checked.
    A yes on registers means that nothing that can be inferred is forbidden: the order of a register's
    versions is known in part only. Raises HistoryError for operations that are no transactions, and for names
    of models or anomalies that there are not.
    """
    from checkers.transactions.judge import judge_columns
    from checkers.transactions.micro_ops import to_columns
    from checkers.transactions.rw_register import KeyOrders

    if kind not in KINDS:
        raise HistoryError(f"no transactions are called {kind!r}; there are {', '.join(KINDS)}")
    columns = to_columns(history, kind)
    outcome = judge_columns(
        columns,
        consistency,
        anomalies,
        limits,
        KeyOrders(writes_follow_reads, sequential_keys, linearizable_keys),
    )
    evidence = outcome.evidence
    evidence["consistency"] = consistency
    if outcome.found:
        evidence["not"] = ruled_out({anomaly.kind for anomaly in outcome.found})
    wanted = consistency if consistency is not None else f"free of {', '.join(anomalies or ())}"
    return conclude(
        kind,
        f"{columns.transactions} transactions of {columns.micro_operations} micro-operations are {wanted}",
        anomalies=outcome.found,
        unknown=outcome.unknown,
        vacuous=outcome.vacuous,
        evidence=evidence,
    )
