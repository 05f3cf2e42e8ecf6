"""Histories and other records as JSON lines: the readable form, one value a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import msgspec

from checkers.formats.bulk import FIELDS, TYPES, collector_paused, make_ops, sorted_ops
from checkers.formats.json_text import expect_shallow, parse
from checkers.history import History, HistoryError, Op, OpType

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_Number = Annotated[int, msgspec.Meta(ge=_LEAST, le=_MOST)]
_REQUIRED = frozenset(FIELDS[:6])


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An operation's line as it should be: what this refuses is read again, slowly, to say why."""

    index: _Number
    time_ns: _Number
    process: _Number | str
    type: OpType
    f: str
    value: Any
    node: str | None = None
    error: str | None = None
    witness: _Number | None = None


_DECODER = msgspec.json.Decoder(_Line)


def write_ops(path: Path, ops: Iterable[Op]) -> None:
    """One operation a line, exactly its fields."""
    with path.open("w", encoding="utf-8") as file:
        for op in ops:
            record = {name: getattr(op, name) for name in FIELDS}
            file.write(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n")


def read_ops(path: Path) -> list[Op]:
    """Raises HistoryError with path:line for a line that is no operation. The result is in a history's
    order."""
    return _ops(_bytes(path), path)


def read_text(text: str, path: Path) -> History:
    """As read_ops, of a text that was read from `path`."""
    return History(_ops(text.encode(), path))


def read_records(path: Path) -> list[tuple[int, Any]]:
    """Every line's number, from 1, and its JSON value. Raises HistoryError with path:line, or where there is
    no file."""
    return _records(_lines(_bytes(path)), path)


def _ops(raw: bytes, path: Path) -> list[Op]:
    with collector_paused():
        try:
            lines = _DECODER.decode_lines(raw)
            expect_shallow(line.value for line in lines)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return _ops_line_by_line(raw, path)
        if any(line.process.__class__ is str and line.process != "nemesis" for line in lines):
            return _ops_line_by_line(raw, path)
        return sorted_ops(make_ops(len(lines), [map(attrgetter(name), lines) for name in FIELDS]))


def _ops_line_by_line(raw: bytes, path: Path) -> list[Op]:
    """Past empty lines, as the decoder of all lines goes."""
    ops = []
    for number, record in _records([line for line in _lines(raw) if line[1].strip()], path):
        try:
            ops.append(_op(record))
        except ValueError as error:
            raise HistoryError(f"{path}:{number}: {error}") from None
    return sorted_ops(ops)


def _records(lines: Iterable[tuple[int, bytes]], path: Path) -> list[tuple[int, Any]]:
    records: list[tuple[int, Any]] = []
    for number, line in lines:
        try:
            records.append((number, parse(line)))
        except ValueError as error:  # bad UTF-8 too
            raise HistoryError(f"{path}:{number}: not a line of JSON ({error})") from None
    return records


def _lines(raw: bytes) -> list[tuple[int, bytes]]:
    """Each with its number, from 1. What ends the last line begins no other."""
    lines = raw.split(b"\n")
    return list(enumerate(lines[:-1] if not lines[-1] else lines, 1))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise HistoryError(f"{path}: no such file") from None


def _op(record: Any) -> Op:
    if not isinstance(record, dict):
        raise ValueError("not an operation: expected a JSON object")
    if missing := sorted(_REQUIRED - record.keys()):
        raise ValueError(f"an operation without {', '.join(missing)}")
    if unknown := sorted(record.keys() - set(FIELDS)):
        raise ValueError(f"an operation has no field {', '.join(unknown)}; expected {', '.join(FIELDS)}")
    process, witness = record["process"], record.get("witness")
    if not (
        _is_int(record["index"]) and _is_int(record["time_ns"]) and (_is_int(process) or process == "nemesis")
    ):
        raise ValueError(
            'index and time_ns must be whole numbers of 64 bits, process a whole number or "nemesis"'
        )
    if record["type"] not in TYPES or not isinstance(record["f"], str):
        raise ValueError(
            f"type {record['type']!r} and f {record['f']!r}; expected one of {', '.join(TYPES)}, and a name"
        )
    if not (witness is None or _is_int(witness)):
        raise ValueError(f"witness {witness!r}; expected a log index or null")
    for name in ("node", "error"):
        if not isinstance(record.get(name), str | None):
            raise ValueError(f"{name} {record[name]!r}; expected a text or null")
    return Op(**record)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and _LEAST <= value <= _MOST
