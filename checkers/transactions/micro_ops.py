"""A history's transactions, from lists of micro-operations to columns."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from checkers.history import NEMESIS, History, HistoryError, Op
from checkers.transactions.codes import FAIL, INFO, NEVER, OK, READ, WRITE
from checkers.transactions.columns import Kind, TransactionColumns

_STATUS = {"ok": OK, "info": INFO, "fail": FAIL}
_WRITES = {"list-append": "append", "rw-register": "w"}


def to_columns(history: History, kind: Kind) -> TransactionColumns:
    """Raises HistoryError where an operation's value is no list of such micro-operations, or where a process
    does two things at once. A history of completions only is taken as it is; nothing is known then of
    what was invoked when."""
    table = _Table(kind)
    positions = {id(op): position for position, op in enumerate(history.ops)}
    for invoke, completion in _pairs(history):
        table.add(invoke, completion, positions)
    return table.columns(len(positions))


def _pairs(history: History) -> Iterator[tuple[Op | None, Op | None]]:
    clients = [op for op in history.ops if op.process != NEMESIS]
    if all(op.type != "invoke" for op in clients):
        yield from ((None, op) for op in clients)
        return
    pairs: list[list[Op | None]] = []
    pending: dict[object, list[Op | None]] = {}
    for op in clients:
        open_pair = pending.pop(op.process, None)
        if op.type != "invoke":
            if open_pair is None:
                raise HistoryError(f"op {op.index}: process {op.process} completed what it had not invoked")
            open_pair[1] = op
            continue
        if open_pair is not None:
            assert open_pair[0] is not None  # only invocations are pending
            raise HistoryError(
                f"op {op.index}: process {op.process} invoked a transaction while its op"
                f" {open_pair[0].index} was still open; a process has one at a time"
            )
        pending[op.process] = [op, None]
        pairs.append(pending[op.process])
    yield from ((invoke, completion) for invoke, completion in pairs)


class _Table:
    """Columns as they grow."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.write = kind, _WRITES[kind]
        self.rows: dict[str, list[int]] = {
            name: [] for name in ("status", "process", "invoked", "returned", "index", "completed")
        }
        self.first, self.element_first = [0], [0]
        self.f: list[int] = []
        self.key: list[int] = []
        self.version: list[int] = []
        self.elements: list[int] = []
        self.key_names: list[Any] = []
        self.value_names: list[Any] = []
        self.key_ids: dict[Hashable, int] = {}
        self.version_ids: list[dict[Hashable, int]] = []

    def add(self, invoke: Op | None, completion: Op | None, positions: dict[int, int]) -> None:
        known = completion if completion is not None else invoke
        assert known is not None  # a pair has at least one
        status = OK if known.type == "ok" else FAIL if known.type == "fail" else INFO
        if status != OK and invoke is not None and not isinstance(known.value, list | tuple):
            known = invoke  # clients may leave the value out where they do not know what happened
        if not isinstance(known.value, list | tuple):
            raise HistoryError(
                f"op {known.index}: value {_shortened(known.value)}; expected a list of micro-operations"
                f' such as ["{self.write}", "x", 1] or ["r", "x", …]'
            )
        for micro_op in known.value:
            self._micro_op(known, micro_op, status)
        self.first.append(len(self.f))
        done = completion is not None and status != INFO
        self.rows["status"].append(status)
        self.rows["process"].append(int(known.process))
        self.rows["invoked"].append(positions[id(invoke)] if invoke is not None else -1)
        self.rows["returned"].append(positions[id(completion)] if done else NEVER)
        self.rows["index"].append(invoke.index if invoke is not None else -1)
        self.rows["completed"].append(completion.index if completion is not None else -1)

    def _micro_op(self, op: Op, micro_op: Any, status: int) -> None:
        if not isinstance(micro_op, list | tuple) or not 2 <= len(micro_op) <= 3:
            raise HistoryError(
                f"op {op.index}: micro-operation {_shortened(micro_op)}; expected"
                f' ["{self.write}", key, value] or ["r", key, value]'
            )
        f, key, value = (*micro_op, None)[:3]
        key = self._key(key)
        self.key.append(key)
        if f == self.write:
            self.f.append(WRITE)
            self.version.append(self._version(key, value))
        elif f == "r":
            self.f.append(READ)
            self.version.append(self._read(op, key, value) if status == OK else -1)
        else:
            raise HistoryError(
                f'op {op.index}: micro-operation {_shortened(f)}; {self.kind} knows "r" and "{self.write}"'
            )
        self.element_first.append(len(self.elements))

    def _read(self, op: Op, key: int, value: Any) -> int:
        if self.kind == "rw-register":
            return -1 if value is None else self._version(key, value)
        if value is not None and not isinstance(value, list | tuple):
            raise HistoryError(
                f"op {op.index}: read {_shortened(value)}; expected the list's elements, or nil"
            )
        self.elements += [self._version(key, element) for element in value or ()]
        return -1

    def _key(self, key: Any) -> int:
        number = self.key_ids.setdefault(_atom(key), len(self.key_names))
        if number == len(self.key_names):
            self.key_names.append(key)
            self.version_ids.append({})
        return number

    def _version(self, key: int, value: Any) -> int:
        number = self.version_ids[key].setdefault(_atom(value), len(self.value_names))
        if number == len(self.value_names):
            self.value_names.append(value)
        return number

    def columns(self, events: int) -> TransactionColumns:
        try:
            rows = {name: np.array(column, np.int64) for name, column in self.rows.items()}
        except OverflowError:
            raise HistoryError("a process or an index has a number beyond 64 bits") from None
        return TransactionColumns(
            self.kind,
            rows["status"].astype(np.uint8),
            rows["process"],
            rows["invoked"],
            rows["returned"],
            np.array(self.first, np.int64),
            np.array(self.f, np.uint8),
            np.array(self.key, np.int32),
            np.array(self.version, np.int32),
            np.array(self.element_first, np.int64),
            np.array(self.elements, np.int32),
            rows["index"],
            rows["completed"],
            len(self.key_names),
            len(self.value_names),
            events,
            self.key_names,
            self.value_names,
        )


def _atom(value: Any) -> Hashable:
    """Equal exactly for equal JSON values: True is not 1, and 1.0 is not 1."""
    if type(value) is int or type(value) is str:
        return value
    try:
        return ("json", json.dumps(value, sort_keys=True, default=repr))
    except (RecursionError, TypeError, ValueError):
        raise HistoryError(
            f"{_shortened(value)} cannot be a key or a value: it is nested too deeply"
        ) from None


def _shortened(value: Any) -> str:
    try:
        text = json.dumps(value, default=repr)
    except (RecursionError, TypeError, ValueError):
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}…"
