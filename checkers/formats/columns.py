"""A history as columns: raw little-endian arrays, which a machine reads hundreds of times faster than JSON
lines.

columns.json names each array's file and number type, the number of operations, and the dictionaries that the
small numbers in `type`, `f` and `node` point into. -1 stands for the nemesis in `process` and for "none" in
`node` and `witness`. Values and errors are JSON texts laid end to end in one blob each; text i is
blob[offsets[i]:offsets[i+1]].
"""

from __future__ import annotations

import json
import mmap
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from checkers.formats.bulk import TYPES, collector_paused, make_ops
from checkers.formats.json_text import parse_all
from checkers.history import NEMESIS, HistoryError, Op

Numbers = npt.NDArray[Any]

SCHEMA = 1
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
    type_number = {name: number for number, name in enumerate(TYPES)}
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
        "dictionaries": {"type": TYPES, "f": functions, "node": nodes},
    }
    (folder / "columns.json").write_text(json.dumps(header, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Texts:
    """JSON texts end to end, read from the disk only as far as they are looked at."""

    path: Path
    offsets: Numbers

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def blob(self) -> Numbers:
        """The bytes, mapped into memory. Raises HistoryError where they are not as many as promised."""
        size = _size(self.path)
        ends = self.offsets
        if ends[0] != 0 or ends[-1] != size or not bool(np.all(ends[1:] >= ends[:-1])):
            raise HistoryError(
                f"{self.path}: {size} bytes, which are not the texts that its offsets describe"
            )
        return _mapped(self.path, "|u1")

    def decoded(self) -> list[Any]:
        """Every text's value. Raises HistoryError."""
        blob, count = self.blob.tobytes(), len(self)
        if blob == b"null" * count and bool(np.all(np.diff(self.offsets) == 4)):
            return [None] * count
        texts = [blob[start:end] for start, end in pairwise(self.offsets.tolist())]
        try:
            return parse_all(texts)
        except ValueError as error:
            raise HistoryError(f"{self.path}: not the texts that its offsets describe ({error})") from None


@dataclass(frozen=True, eq=False)
class Columns:
    """A history's operations, an array a field; `names` has the dictionaries of type, f and node.

    process: -1 for the nemesis. node, witness: -1 for none
    """

    index: Numbers
    time_ns: Numbers
    process: Numbers
    type: Numbers
    f: Numbers
    node: Numbers
    witness: Numbers
    value: Texts
    error: Texts
    names: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.index)

    def ops(self) -> list[Op]:
        """Raises HistoryError where a text is no JSON."""
        process: list[Any] = self.process.tolist()
        witness: list[Any] = self.witness.tolist()
        for column, none, name in ((process, self.process == -1, NEMESIS), (witness, self.witness < 0, None)):
            for at in np.flatnonzero(none).tolist():
                column[at] = name
        with collector_paused():
            return make_ops(
                len(self),
                (
                    self.index.tolist(),
                    self.time_ns.tolist(),
                    process,
                    map(self.names["type"].__getitem__, self.type.tolist()),
                    map(self.names["f"].__getitem__, self.f.tolist()),
                    self.value.decoded(),
                    map([*self.names["node"], None].__getitem__, self.node.tolist()),
                    self.error.decoded(),
                    witness,
                ),
            )


def load_columns(folder: Path) -> Columns:
    """The numbers, at the speed of memory; texts stay on the disk until they are asked for.

    Raises HistoryError where a column is missing, does not have the length that columns.json promises, or
    points outside its dictionary.
    """
    count, names = _read_header(folder / "columns.json")
    columns: dict[str, Any] = {
        name: _read_array(folder / f"{name}.bin", dtype, count) for name, (_, dtype) in _NUMBERS.items()
    }
    for name, lowest in (("type", 0), ("f", 0), ("node", -1)):
        column = columns[name]
        if count and not (lowest <= column.min() and column.max() < len(names[name])):
            raise HistoryError(f"{folder}: a column points outside its dictionary in columns.json ({name})")
    columns |= {
        name: Texts(folder / f"{name}.blob", _read_array(folder / f"{name}.offsets.bin", "<i8", count + 1))
        for name in _TEXTS
    }
    return Columns(**columns, names=names)


def read_columns(folder: Path) -> list[Op]:
    """The folder's operations. Raises HistoryError as load_columns does, and where a text is no JSON."""
    return load_columns(folder).ops()


def _read_header(path: Path) -> tuple[int, dict[str, list[str]]]:
    """The count and the dictionaries."""
    try:
        header = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise HistoryError(f"{path}: no such file") from None
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"{path}: not JSON ({error})") from None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        raise HistoryError(f"{path}: expected columns of schema {SCHEMA}")
    count, names = header.get("count"), header.get("dictionaries")
    if type(count) is not int or count < 0:
        raise HistoryError(f"{path}: count is {count!r}; expected the number of operations")
    if not isinstance(names, dict) or not all(_are_names(names.get(name)) for name in ("type", "f", "node")):
        raise HistoryError(f"{path}: expected dictionaries of type, f and node, each a list of names")
    if not set(names["type"]) <= set(TYPES):
        raise HistoryError(f"{path}: types {names['type']!r}; expected {', '.join(TYPES)}")
    return count, names


def _are_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _write_array(path: Path, typecode: str, numbers: Iterable[int]) -> None:
    column = array(typecode, numbers)
    if sys.byteorder == "big":
        column.byteswap()
    path.write_bytes(column.tobytes())


def _read_array(path: Path, dtype: str, count: int) -> Numbers:
    size, expected = _size(path), count * np.dtype(dtype).itemsize
    if size != expected:
        raise HistoryError(f"{path}: {size} bytes; expected {expected} for {count} numbers")
    return _mapped(path, dtype)


def _mapped(path: Path, dtype: str) -> Numbers:
    """Three times as fast as a copy. Privately mapped: what is written to the array stays in this process."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # which cannot be mapped
            return np.empty(0, dtype)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), dtype)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise HistoryError(f"{path}: no such file") from None


def _write_texts(folder: Path, name: str, values: list[Any]) -> None:
    blob, offsets = bytearray(), [0]
    for value in values:
        blob += json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        offsets.append(len(blob))
    (folder / f"{name}.blob").write_bytes(blob)
    _write_array(folder / f"{name}.offsets.bin", "q", offsets)
