"""Histories and other records as JSON lines: the readable form, one value a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from checkers.history import HistoryError, Op, in_order

# An operation's fields, in the order they are written.
FIELDS = ("index", "time_ns", "process", "type", "f", "value", "node", "error", "witness")
_REQUIRED = frozenset(FIELDS[:6])
_TYPES = ("invoke", "ok", "fail", "info")


def write_ops(path: Path, ops: Iterable[Op]) -> None:
    """One operation a line, exactly its fields."""
    with path.open("w", encoding="utf-8") as file:
        for op in ops:
            record = {name: getattr(op, name) for name in FIELDS}
            file.write(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n")


def read_ops(path: Path) -> list[Op]:
    """Raises HistoryError with path:line for a line that is no operation. The result is in a history's
    order."""
    ops = []
    for number, record in read_records(path):
        try:
            ops.append(_op(record))
        except ValueError as error:
            raise HistoryError(f"{path}:{number}: {error}") from None
    return in_order(ops)


def read_records(path: Path) -> list[tuple[int, Any]]:
    """Every line's number, from 1, and its JSON value. Raises HistoryError with path:line, or where there is
    no file."""
    records: list[tuple[int, Any]] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                records.append((number, json.loads(line)))
    except FileNotFoundError:
        raise HistoryError(f"{path}: no such file") from None
    except ValueError as error:  # bad JSON, and bad UTF-8 too
        raise HistoryError(f"{path}:{len(records) + 1}: not a line of JSON ({error})") from None
    return records


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
        raise ValueError('index and time_ns must be whole numbers, process a whole number or "nemesis"')
    if record["type"] not in _TYPES or not isinstance(record["f"], str):
        raise ValueError(
            f"type {record['type']!r} and f {record['f']!r}; expected one of {', '.join(_TYPES)}, and a name"
        )
    if not (witness is None or _is_int(witness)):
        raise ValueError(f"witness {witness!r}; expected a log index or null")
    return Op(**record)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
