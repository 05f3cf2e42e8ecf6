"""Plain logs of Jepsen's etcd runs: lines INFO  jepsen.util - PROCESS :TYPE :F VALUE among others.

The register begins as nil, and reads of nil did see it. An operation that ends in :info may take effect at
any time, or never. facts["skipped_lines"] counts the lines that say nothing of an operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checkers.formats.edn import Edn, clipped
from checkers.formats.jepsen import history_of
from checkers.history import History, HistoryError

_HEAD = "INFO  jepsen.util - "
_LINE = re.compile(r"jepsen\.util(?: -|:)\s+([0-9]+|:\w+)\s+:(\w*)(.*)")
_OPERATION = re.compile(r"\s+:([^\s:]+)\s+([^\t]*[^\t\s])(?:\t+\s*(.*\S))?\s*")


def is_etcd_log(text: str) -> bool:
    return _LINE.search(text) is not None


def read_etcd_log(text: str, path: Path) -> History:
    """Raises HistoryError with path:line, also where no line is an operation's."""
    log = _Log(text, path)
    history = history_of(log.records(), lambda number: f"{path}:{number}", nil_reads=None)
    if not history.ops:
        raise HistoryError(f"{path}: not a single operation of a client among its {log.skipped} lines")
    history.facts["skipped_lines"] = log.skipped
    return history


class _Log:
    def __init__(self, text: str, path: Path) -> None:
        self._text, self._path = text, path
        self._values: dict[str, Any] = {}
        self.skipped = 0

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """An op map for each operation's line, with the line's number."""
        for number, line in enumerate(self._text.split("\n"), 1):
            found = _LINE.search(line)
            if found is not None:
                yield number, self._record(number, *found.groups())
            elif line and _HEAD.startswith(line) and number == 1 + self._text.count("\n"):
                raise HistoryError(f"{self._path}:{number}: {clipped(line)} is a line cut short")
            else:
                self.skipped += bool(line.strip())

    def _record(self, number: int, process: str, kind: str, rest: str) -> dict[str, Any]:
        operation = _OPERATION.fullmatch(rest)
        if operation is None:
            raise HistoryError(
                f"{self._path}:{number}: expected PROCESS :TYPE :F VALUE, found {clipped(rest.strip())}"
                " after the type; was the line cut short?"
            )
        f, text, error = operation.groups()
        if text not in self._values:
            self._values[text] = _value(text, f"{self._path}:{number}")
        record = {"process": _process(process), "type": kind, "f": f}
        if text.startswith(":"):  # in place of a value, why there is none
            return record | {"error": text[1:]}
        return record | {"value": self._values[text], "error": error}


def _process(name: str) -> int | str:
    return int(name) if name.isascii() and name.isdigit() and len(name) < 19 else name


def _value(text: str, where: str) -> Any:
    try:
        ((_, (value,)),) = Edn(f"[[{text}]]", where).collections()
    except (HistoryError, ValueError):
        raise HistoryError(f"{where}: {clipped(text)} is no value") from None
    return value
