"""A history as columns: raw little-endian arrays, which a machine reads hundreds of times faster than JSON
lines.

columns.json names each array's file and number type, the number of operations, and the dictionaries that the
small numbers in `type`, `f` and `node` point into. -1 stands for the nemesis in `process` and for "none" in
`node` and `witness`. Values and errors are JSON texts laid end to end in one blob each; text i is
blob[offsets[i]:offsets[i+1]].
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from checkers.history import NEMESIS, HistoryError, Op

SCHEMA = 1
_TYPES = ("invoke", "ok", "fail", "info")
# Column: array's typecode, its name for other readers (numpy's, with the byte order).
_NUMBERS = {
    "index": ("q", "<i8"),
    "time_ns": ("q", "<i8"),
    "process": ("q", "<i8"),
    "type": ("B", "|u1"),
    "f": ("H", "<u2"),
    "node": ("h", "<i2"),
    "witness": ("q", "<i8"),
}
_TEXTS = ("value", "error")


def write_columns(folder: Path, ops: Sequence[Op]) -> None:
    """Writes `folder` (made where it is missing): columns.json and a file a column."""
    folder.mkdir(parents=True, exist_ok=True)
    functions = sorted({op.f for op in ops})
    nodes = sorted({op.node for op in ops if op.node is not None})
    type_number = {name: number for number, name in enumerate(_TYPES)}
    f_number = {name: number for number, name in enumerate(functions)}
    node_number: dict[str | None, int] = {name: number for number, name in enumerate(nodes)}
    numbers: dict[str, Iterable[int]] = {
        "index": (op.index for op in ops),
        "time_ns": (op.time_ns for op in ops),
        "process": (-1 if op.process == NEMESIS else int(op.process) for op in ops),
        "type": (type_number[op.type] for op in ops),
        "f": (f_number[op.f] for op in ops),
        "node": (node_number.get(op.node, -1) for op in ops),
        "witness": (-1 if op.witness is None else op.witness for op in ops),
    }
    for name, column in numbers.items():
        _write_array(folder / f"{name}.bin", _NUMBERS[name][0], column)
    for name in _TEXTS:
        _write_texts(folder, name, [getattr(op, name) for op in ops])
    described: dict[str, Any] = {
        name: {"file": f"{name}.bin", "dtype": d} for name, (_, d) in _NUMBERS.items()
    }
    for name in _TEXTS:
        described[name] = {
            "file": f"{name}.blob",
            "offsets": f"{name}.offsets.bin",
            "dtype": "json",
            "offsets_dtype": "<i8",
        }
    header = {
        "schema": SCHEMA,
        "count": len(ops),
        "columns": described,
        "dictionaries": {"type": _TYPES, "f": functions, "node": nodes},
    }
    (folder / "columns.json").write_text(json.dumps(header, indent=1) + "\n", encoding="utf-8")


def read_columns(folder: Path) -> list[Op]:
    """Raises HistoryError where a column is missing or does not have the length that columns.json
    promises."""
    header = _read_header(folder / "columns.json")
    count, names = header["count"], header["dictionaries"]
    index, time_ns, process, kind, f, node, witness = (
        _read_array(folder / f"{name}.bin", typecode, count) for name, (typecode, _) in _NUMBERS.items()
    )
    value, error = (_read_texts(folder, name, count) for name in _TEXTS)
    try:
        return [
            Op(
                index[i],
                time_ns[i],
                "nemesis" if process[i] == -1 else process[i],
                names["type"][kind[i]],
                names["f"][f[i]],
                value[i],
                names["node"][node[i]] if node[i] >= 0 else None,
                error[i],
                witness[i] if witness[i] >= 0 else None,
            )
            for i in range(count)
        ]
    except IndexError:
        raise HistoryError(f"{folder}: a column points outside its dictionary in columns.json") from None


def _read_header(path: Path) -> dict[str, Any]:
    try:
        header = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise HistoryError(f"{path}: no such file") from None
    except ValueError as error:
        raise HistoryError(f"{path}: not JSON ({error})") from None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        raise HistoryError(f"{path}: expected columns of schema {SCHEMA}")
    return header


def _write_array(path: Path, typecode: str, numbers: Iterable[int]) -> None:
    column = array(typecode, numbers)
    if sys.byteorder == "big":
        column.byteswap()
    path.write_bytes(column.tobytes())


def _read_array(path: Path, typecode: str, count: int) -> array[int]:
    column = array(typecode)
    raw = _read_bytes(path)
    if len(raw) != count * column.itemsize:
        raise HistoryError(
            f"{path}: {len(raw)} bytes; expected {count * column.itemsize} for {count} numbers"
        )
    column.frombytes(raw)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _write_texts(folder: Path, name: str, values: list[Any]) -> None:
    blob, offsets = bytearray(), [0]
    for value in values:
        blob += json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        offsets.append(len(blob))
    (folder / f"{name}.blob").write_bytes(blob)
    _write_array(folder / f"{name}.offsets.bin", "q", offsets)


def _read_texts(folder: Path, name: str, count: int) -> list[Any]:
    offsets = _read_array(folder / f"{name}.offsets.bin", "q", count + 1)
    path = folder / f"{name}.blob"
    blob = _read_bytes(path)
    try:
        return [json.loads(blob[offsets[i] : offsets[i + 1]]) for i in range(count)]
    except ValueError as error:
        raise HistoryError(f"{path}: not the texts that its offsets describe ({error})") from None


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise HistoryError(f"{path}: no such file") from None
