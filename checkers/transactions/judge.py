"""The verdict on a history of transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from checkers.linear.operations import Limits
from checkers.transactions import faults, list_append, rw_register, serial
from checkers.transactions.codes import NEVER, OK, READ
from checkers.transactions.columns import Ints, TransactionColumns
from checkers.transactions.consistency import CYCLE_KINDS, DEFAULT, forbidden
from checkers.transactions.cycles import SHAPES, Circle, Search
from checkers.transactions.graph import Graph, sort, with_processes
from checkers.transactions.list_append import Lists
from checkers.transactions.rw_register import KeyOrders, Registers
from checkers.transactions.words import (
    Reason,
    circle_in_words,
    list_reasons,
    op_of,
    process_reasons,
    real_time_reasons,
    register_reasons,
)
from checkers.verdict import Anomaly
from checkers.words import shown

# What judging takes beside the columns, at most, by benchmarks/transactions.py with room to spare.
_BYTES_A_TRANSACTION, _BYTES_A_MICRO_OP = 200, 100
# A certificate this long can still be read by somebody.
_ORDER_SHOWN = 10_000


@dataclass
class Outcome:
    """What was found out: `found` where anything forbidden was, else reasons why it cannot be told."""

    found: list[Anomaly] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    vacuous: list[str] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)


def judge_columns(
    columns: TransactionColumns,
    consistency: str | None = DEFAULT,
    anomalies: Iterable[str] | None = None,
    limits: Limits | None = None,
    key_orders: KeyOrders = KeyOrders(),  # noqa: B008 — it is frozen
    prove: bool = True,
) -> Outcome:
    """Looks for what the model, or the named anomalies, forbid. With `prove`, the serial order that shows
    lists to be serializable is checked by an independent replay. Raises HistoryError for a model or an
    anomaly that there is not."""
    unwanted = forbidden(consistency, anomalies)
    limits = limits if limits is not None else Limits()
    outcome = Outcome()
    outcome.evidence.update(
        transactions=columns.transactions, micro_operations=columns.micro_operations, kind=columns.kind
    )
    needed = columns.transactions * _BYTES_A_TRANSACTION + columns.micro_operations * _BYTES_A_MICRO_OP
    if needed + columns.nbytes > limits.memory_bytes:
        outcome.unknown.append(
            f"{columns.transactions} transactions need up to {needed + columns.nbytes:,} bytes;"
            f" the limit is {limits.memory_bytes:,}"
        )
        return outcome
    _Judge(columns, unwanted, limits, key_orders, outcome).run(prove)
    return outcome


@dataclass
class _Judge:
    columns: TransactionColumns
    forbidden: frozenset[str]
    limits: Limits
    key_orders: KeyOrders
    outcome: Outcome

    def run(self, prove: bool) -> None:
        facts = self._facts()
        if self._undecidable(facts) or self._late("before any dependency was looked at"):
            return
        if isinstance(facts, Lists):
            self.outcome.found += faults.list_anomalies(facts, self.forbidden)
            graph = list_append.dependencies(facts)
        else:
            self.outcome.found += faults.register_anomalies(facts, self.forbidden)
            self.outcome.evidence["reads_of_values_nobody_wrote"] = faults.unwritten_reads(facts)
            graph = rw_register.dependencies(facts)
        real_time, process = self._asked("-realtime"), self._asked("-process")
        # Real time orders a process' transactions too.
        if process and not real_time:
            graph = with_processes(graph, self.columns)
        self.outcome.evidence["dependencies"] = len(graph.targets)
        if self._late("before the dependencies were looked through"):
            return
        found = sort(graph, self.columns, real_time)
        self._search(facts, found.circles)
        if not self.outcome.found and not self.outcome.unknown:
            self._vacuous(graph, real_time)
            if not self.outcome.vacuous:
                self._certify(facts, found.order, prove)

    def _facts(self) -> Lists | Registers:
        if self.columns.kind == "list-append":
            return list_append.read_lists(self.columns)
        return rw_register.read_registers(self.columns, self.key_orders)

    def _asked(self, variant: str) -> bool:
        return any(kind.endswith(variant) for kind in self.forbidden.intersection(CYCLE_KINDS))

    def _late(self, when: str) -> bool:
        if self.limits.left_s() > 0 or self.outcome.found:
            return False
        self.outcome.unknown.append(f"the time ran out {when}")
        return True

    def _undecidable(self, facts: Lists | Registers) -> bool:
        c = self.columns
        if facts.twice >= 0:
            key = int(c.key[np.flatnonzero(c.version == facts.twice)[0]])
            self.outcome.unknown.append(
                f"{shown(c.value_name(facts.twice))} was written to {shown(c.key_name(key))} twice: no read"
                " tells the two apart; every write needs a value of its own"
            )
        elif c.kind == "rw-register" and any(value is None for value in c.value_names):
            self.outcome.unknown.append(
                "nil was written to a register: no read tells it from the state before any write"
            )
        return bool(self.outcome.unknown)

    def _reasons(self, facts: Lists | Registers, a: int, b: int) -> Iterator[Reason]:
        data = list_reasons(facts, a, b) if isinstance(facts, Lists) else register_reasons(facts, a, b)
        yield from sorted(data, key=lambda reason: reason[0])
        if self._asked("-realtime"):
            yield from real_time_reasons(self.columns, a, b)
        elif self._asked("-process"):
            yield from process_reasons(self.columns, a, b)

    def _search(self, facts: Lists | Registers, components: list[Graph]) -> None:
        search = Search(
            self.columns.transactions,
            self.forbidden,
            lambda a, b: [relation for relation, _ in self._reasons(facts, a, b)],
            self.limits.left_s,
        )
        for component in components:
            search.look_in(component)
        for shape in SHAPES:
            self.outcome.found += [self._told(facts, circle) for circle in search.found.get(shape.kind, ())]
        if search.counts:
            self.outcome.evidence["circles"] = dict(sorted(search.counts.items()))
        if search.unfinished and not self.outcome.found:
            self.outcome.unknown.append(
                f"the time ran out among {len(components)} groups of transactions that depend on each other"
                " in circles; no forbidden circle was found so far"
            )

    def _told(self, facts: Lists | Registers, circle: Circle) -> Anomaly:
        around = (*circle.transactions[1:], circle.transactions[0])
        reasons = [
            next(text for relation, text in self._reasons(facts, a, b) if relation == wanted)
            for a, b, wanted in zip(circle.transactions, around, circle.relations, strict=True)
        ]
        return Anomaly(
            circle.kind,
            circle_in_words(self.columns, circle.transactions, reasons),
            tuple(op_of(self.columns, transaction) for transaction in circle.transactions),
        )

    def _vacuous(self, graph: Graph, real_time: bool) -> None:
        c = self.columns
        reads = (c.f == READ) & np.repeat(c.status == OK, np.diff(c.first))
        timed = real_time and bool((c.returned[c.returned < NEVER].min(initial=NEVER) < c.invoked).any())
        if not reads.any():
            self.outcome.vacuous.append("no read was answered, so nothing could have looked wrong")
        elif not len(graph.targets) and not timed:
            self.outcome.vacuous.append("no transaction depends on another, so no order could be wrong")

    def _certify(self, facts: Lists | Registers, order: Ints, prove: bool) -> None:
        c = self.columns
        if isinstance(facts, Registers):
            self.outcome.evidence["certificate"] = None
            return
        if not forbidden("serializable") <= self.forbidden:
            self.outcome.evidence["certificate"] = {"version_orders": _version_orders(facts)}
            return
        order = serial.effective(order, c, facts.place)
        if prove:
            real_time = forbidden("strict-serializable") <= self.forbidden
            wrong = serial.verify_serial(c, order, real_time=real_time, sessions=self._asked("-process"))
            if wrong is not None:
                self.outcome.unknown.append(f"no anomaly was found, but no serial order either: {wrong}")
                return
        self.outcome.evidence["certificate"] = {
            "serial_order_of": len(order),
            "verified": prove,
            "order": [op_of(c, t) for t in order.tolist()] if len(order) <= _ORDER_SHOWN else None,
        }


def _version_orders(lists: Lists) -> list[list[Any]] | None:
    """Pairs of a list and its elements in order, where these are few enough to be read."""
    c = lists.columns
    if len(lists.order) > _ORDER_SHOWN:
        return None
    return [
        [c.key_name(key), [c.value_name(version) for version in lists.versions(key).tolist()]]
        for key in range(c.keys)
    ]
