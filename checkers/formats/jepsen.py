"""Histories of Jepsen's op maps, as EDN or JSON: {:process 0, :type :ok, :f :read, :value 3, …}.

The order in the file is the order in time. Jepsen's clients may leave a read's value out, so an ok read of
nil says nothing: facts["nil_reads"] is "unrecorded". The nemesis' operations have no form of ours and are
left out; facts["nemesis_ops"] counts them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise, repeat
from operator import lt
from pathlib import Path
from typing import Any, NamedTuple

from checkers.formats.bulk import FIELDS, TYPES, collector_paused, make_ops
from checkers.formats.edn import Edn, clipped, place
from checkers.formats.json_text import expect_shallow, parse, parse_file
from checkers.history import NEMESIS, History, HistoryError

# The f of transactions, whose op maps may go without.
TRANSACTION = "txn"
_MICRO_OPERATIONS = frozenset({"append", "r", "w"})


def read_edn(text: str, path: Path) -> History:
    """One vector or list of op maps, or op maps one after another; Porcupine's key-value logs too, whose :key
    becomes part of the value. Raises HistoryError with path:line:column."""
    edn = Edn(text, path)
    return history_of(edn.collections(), edn.place)


def read_json(text: str, path: Path) -> History:
    """One array of op maps, or an op map a line. Raises HistoryError with path:line."""
    if text.lstrip().startswith("["):
        records = parse_file(text, path)
        return history_of(_shallow(records), lambda number: place(path, text, _element(text, number)))
    return history_of(_lines(text, path), lambda number: f"{path}:{number}:1")


def history_of(
    records: Iterable[tuple[int, Any]], locate: Callable[[int], str], *, nil_reads: str | None = "unrecorded"
) -> History:
    """The history of op maps, each with a number that `locate` turns into its place in the file.

    A process that goes on after an info becomes another one. Where nothing was ever invoked, as in the
    smallest of Elle's cases, each transaction is taken to begin right before its completion. Raises
    HistoryError with the place.
    """
    reading = _Reading()
    number = 0
    with collector_paused():
        try:
            for number, record in records:
                reading.add(number, record)
        except ValueError as error:
            raise HistoryError(f"{locate(number)}: {error}") from None
        if (row := reading.first_out_of_order()) is not None:
            complaint = f"index {row.index} after a larger one; a history's order is the order in time"
            raise HistoryError(f"{locate(row.number)}: {complaint}")
        return reading.history(nil_reads)


class _Row(NamedTuple):
    """An operation; number and index are the file's own, position counts every op map before it."""

    number: int
    position: int
    index: Any
    time: Any
    process: int
    type: str
    f: str
    value: Any
    node: str | None
    error: str | None


class _Reading:
    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._open: dict[Any, _Row] = {}
        # A process' number: its own, or a negative one where that is none, or is used up by an info.
        self._numbers: dict[Any, int | None] = {}
        self._renumbered = 0
        self._maps = 0
        self._nemesis_ops = 0
        self._without_invocations = False

    def add(self, number: int, record: Any) -> None:
        """Raises ValueError, without the place."""
        if type(record) is not dict:
            raise ValueError(
                "expected an operation's map, such as {:process 0, :type :invoke, :f :read, :value nil}"
            )
        for field in ("process", "index", "time"):
            _expect_64_bits(field, record.get(field))
        position, self._maps = self._maps, self._maps + 1
        process = record.get("process")
        if type(process) not in (int, str, type(None)):
            raise ValueError(f"process {_shown(process)}; expected a number or a name")
        if type(process) is str and process.removeprefix(":").startswith(NEMESIS):
            self._nemesis_ops += 1
            return
        kind = _name(record, "type")
        if kind not in TYPES:
            raise ValueError(f"type {_shown(record.get('type'))}; expected {', '.join(TYPES)}")
        row = self._row(number, position, kind, process, record)
        if kind == "invoke":
            self._invoke(process, row)
        else:
            self._complete(process, row, has_value="value" in record)

    def first_out_of_order(self) -> _Row | None:
        """Positions of the file's own must grow, where every operation has one."""
        if self._own_indices() is None:
            return None
        return next((later for one, later in pairwise(self._rows) if later.index <= one.index), None)

    def history(self, nil_reads: str | None) -> History:
        rows = self._rows
        index = self._own_indices() or [row.position for row in rows]
        if self._without_invocations:
            index = list(range(len(rows)))
        first_free = 1 + max((row.process for row in rows), default=0)
        process = [row.process if row.process >= 0 else first_free - 1 - row.process for row in rows]
        facts = {"nemesis_ops": self._nemesis_ops}
        as_they_are = [[getattr(row, name) for row in rows] for name in FIELDS[3:-1]]
        ops = make_ops(len(rows), (index, _times(rows), process, *as_they_are, repeat(None)))
        return History(ops, facts=facts | ({"nil_reads": nil_reads} if nil_reads else {}))

    def _row(self, number: int, position: int, kind: str, process: Any, record: dict[str, Any]) -> _Row:
        value = _value(record)
        f = _name(record, "f")
        if f is None and "f" not in record:
            before = self._open.get(process)
            f = before.f if before is not None else TRANSACTION if _is_transaction(value) else None
        if f is None:
            raise ValueError(f"f {_shown(record.get('f'))}; expected the operation's name")
        node = record.get("node")
        return _Row(
            number,
            position,
            record.get("index"),
            record.get("time"),
            self._number(process),
            kind,
            f,
            value,
            node if type(node) is str else None,
            _error(record.get("error")),
        )

    def _number(self, process: Any) -> int:
        number = self._numbers.get(process)
        if number is None:
            if type(process) is int and process >= 0 and process not in self._numbers:
                number = process
            else:
                self._renumbered += 1
                number = -self._renumbered
            self._numbers[process] = number
        return number

    def _invoke(self, process: Any, row: _Row) -> None:
        before = self._open.get(process)
        if before is not None:
            raise ValueError(
                f"process {_shown(process)} invoked {row.f} while its {before.f} was still open;"
                " a process has one operation at a time"
            )
        if self._without_invocations:
            raise ValueError("the first invocation, after operations that were never invoked")
        self._open[process] = row
        self._rows.append(row)

    def _complete(self, process: Any, row: _Row, *, has_value: bool) -> None:
        invoke = self._open.pop(process, None)
        if invoke is None:
            nothing_invoked = self._without_invocations or not self._rows
            if not (nothing_invoked and _is_transaction(row.value)):
                raise ValueError(f"process {_shown(process)} completed {row.f} without having invoked it")
            self._without_invocations = True
            invoke = row._replace(type="invoke", value=_as_invoked(row.value), error=None)
            self._rows.append(invoke)
        if row.f != invoke.f:
            raise ValueError(f"process {_shown(process)} completed {row.f}, but had invoked {invoke.f}")
        if type(row.time) is type(invoke.time) is int and row.time < invoke.time:
            raise ValueError(f"ends at {row.time}, before it began at {invoke.time}")
        if not has_value and row.type == "ok":
            row = row._replace(value=invoke.value)
        if row.type == "info":
            self._numbers[process] = None  # used up
        self._rows.append(row)

    def _own_indices(self) -> list[int] | None:
        indices = [row.index for row in self._rows]
        return indices if {*map(type, indices)} == {int} else None


def _times(rows: list[_Row]) -> list[int]:
    """The file's own where they never go back, a nanosecond apart where they are equal, since the file's
    order says more; else the operations' positions."""
    times = [row.time for row in rows]
    if {*map(type, times)} != {int} or times[0] < 0:
        return list(range(len(rows)))
    if all(map(lt, times, times[1:])):
        return times
    if any(later < one for one, later in pairwise(times)):
        return list(range(len(rows)))
    moved, last = [], -1
    for time in times:
        last = max(time, last + 1)
        moved.append(last)
    return moved


def _expect_64_bits(field: str, number: Any) -> None:
    if type(number) is int and not -(1 << 63) <= number < 1 << 62:
        raise ValueError(f"{field} {_shown(number)} is too large a number")


def _value(record: dict[str, Any]) -> Any:
    value: Any = record.get("value")
    if _is_transaction(value) and any(micro[0].startswith(":") for micro in value):
        value = [[micro[0].removeprefix(":"), *micro[1:]] for micro in value]
    return [record["key"], value] if "key" in record else value


def _is_transaction(value: Any) -> bool:
    """Whether a value is a list of micro-operations [name, key, argument]; of an invoked read without one."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            type(micro) is list
            and 2 <= len(micro) <= 3
            and type(micro[0]) is str
            and micro[0].removeprefix(":") in _MICRO_OPERATIONS
            and (len(micro) == 3 or micro[0].removeprefix(":") == "r")
            for micro in value
        )
    )


def _as_invoked(transaction: list[Any]) -> list[Any]:
    return [micro if micro[0] != "r" else ["r", micro[1], None] for micro in transaction]


def _name(record: dict[str, Any], field: str) -> str | None:
    name = record.get(field)
    return name.removeprefix(":") if type(name) is str else None


def _error(error: Any) -> str | None:
    return error if error is None or type(error) is str else json.dumps(error, ensure_ascii=False)


def _shown(value: Any) -> str:
    if value is None:
        return "nil"
    return clipped(value) if type(value) is str else clipped(str(value))[1:-1]


def _shallow(records: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    for number, record in enumerate(records):
        expect_shallow([record])
        yield number, record


def _lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line and not line.isspace():
            try:
                record = parse(line)
            except ValueError as error:
                if number == 1 and type(parse_file(text, path)) is dict:
                    one = "one JSON object; expected an array of operations, or an operation a line"
                    raise HistoryError(f"{path}: {one}") from None
                raise HistoryError(f"{path}:{number}: not a line of JSON ({error})") from None
            yield number, record


def _element(text: str, number: int) -> int:
    """Where an array's element begins."""
    scan = json.JSONDecoder().raw_decode
    at = _value_after(text, text.index("[") + 1)
    for _ in range(number):
        at = _value_after(text, scan(text, at)[1])
    return at


def _value_after(text: str, at: int) -> int:
    while text[at] in " \t\r\n,":
        at += 1
    return at
