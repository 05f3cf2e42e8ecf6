"""Writes the history: the only place that makes operations and reads the clock for them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from checkers.history import NEMESIS, Op, OpType


@dataclass
class Recorder:
    """Operations in the order in which they were recorded. `counts` holds the client completions by type.

    now_ns: the run's clock
    """

    now_ns: Callable[[], int] = time.monotonic_ns
    ops: list[Op] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def invoke(self, process: int, f: str, value: Any, node: str | None) -> None:
        self._record(process, "invoke", f, value, node)

    def complete(
        self,
        process: int,
        kind: OpType,
        f: str,
        value: Any,
        node: str | None,
        *,
        error: str | None = None,
        witness: int | None = None,
    ) -> None:
        self.counts[kind] += 1
        self._record(process, kind, f, value, node, error, witness)

    def nemesis(self, kind: OpType, name: str, value: dict[str, Any], error: str | None = None) -> None:
        self._record(NEMESIS, kind, name, value, error=error)

    def _record(
        self,
        process: Any,
        kind: OpType,
        f: str,
        value: Any,
        node: str | None = None,
        error: str | None = None,
        witness: int | None = None,
    ) -> None:
        self.ops.append(Op(len(self.ops), self.now_ns(), process, kind, f, value, node, error, witness))
