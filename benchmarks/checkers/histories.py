"""The histories that are judged, as columns: recorded ones, and simulated ones of a size and kind."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.checkers import simulation
from checkers.formats.reading import read_history
from checkers.history import Call
from checkers.linear.operations import NEVER, UNKNOWN, Operation
from checkers.linear.witness_kernels import Calls as ListCalls
from checkers.linear.zones_kernels import CAS, READ, WRITE
from checkers.linear.zones_kernels import Calls as RegisterCalls
from workloads.append import APPENDS, APPENDS_A_LIST, LIVE_LISTS

CRASHED = 0.03
READS = 0.5
SWAPS = 0.25
_FUNCTIONS = ("read", "write", "cas", "miss")


@dataclass(frozen=True, eq=False)
class Registers:
    """One register or more.

    calls:  as the checkers take them; kind 3 stands for a compare-and-set that saw something else
    unique: whether no value was written twice
    """

    name: str
    calls: RegisterCalls
    unique: bool

    @property
    def key(self) -> Any:
        written = np.where(self.calls.kind == CAS, self.calls.b, self.calls.a)
        return self.calls.key_of[written]

    def for_peer(self) -> dict[str, Any]:
        """All keys' initial values are 0 there."""
        calls = self.calls
        return {
            "model": "register",
            "keyed": calls.keys > 1,
            "kind": calls.kind.tolist(),
            "a": np.where(calls.a < calls.keys, 0, calls.a).tolist(),
            "b": calls.b.tolist(),
            "key": self.key.tolist(),
            "invoked": calls.invoked.tolist(),
            "returned": np.where(calls.returned == NEVER, -1, calls.returned).tolist(),
        }

    @cached_property
    def operations(self) -> list[Operation]:
        """Of one register, as the algorithms for any model take them."""
        columns = zip(*(column.tolist() for column in self.calls[:5]), strict=True)
        return [_operation(index, *row) for index, row in enumerate(columns)]


def _operation(index: int, kind: int, a: int, b: int, invoked: int, returned: int) -> Operation:
    known = a or None
    argument = {READ: None, WRITE: known}.get(kind, (known, b))
    result = UNKNOWN if returned == NEVER else known if kind == READ else argument
    return Operation(_FUNCTIONS[kind], argument, result, invoked, returned, index)


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of a few appends each, with log indices."""

    name: str
    calls: ListCalls
    keys: int
    elements: int

    def for_peer(self) -> dict[str, Any]:
        calls = self.calls
        return {
            "model": "append",
            "keyed": True,
            "kind": calls.append.tolist(),
            "a": calls.element.tolist(),
            "key": calls.key.tolist(),
            "invoked": calls.invoked.tolist(),
            "returned": np.where(calls.returned == NEVER, -1, calls.returned).tolist(),
            "first": calls.first.tolist(),
            "contents": calls.contents.tolist(),
        }


History = Registers | Lists


def write_for_peer(history: History, path: Path) -> None:
    path.write_text(json.dumps(history.for_peer()), encoding="utf-8")


def registers(
    clients: int,
    operations: int,
    *,
    keys: int = 1,
    values: int = 0,
    reads: float = READS,
    swaps: float = 0.0,
    crashed: float = CRASHED,
    seed: int = 1,
) -> Registers:
    """What clients saw of atomic registers; as simulation.registers."""
    kind, a, b, key, invoked, returned, known = simulation.registers(
        clients, operations, crashed, keys, values, reads, swaps, seed
    )
    key_of = np.zeros(known, np.int64)
    key_of[:keys] = np.arange(keys)
    if keys > 1:
        key_of[np.where(kind == CAS, b, a)] = key
    ranks = int(max(invoked.max(), returned[returned < NEVER].max())) + 1
    name = f"{clients} clients, {operations:,} operations"
    calls = RegisterCalls(kind, a, b, invoked, returned, key_of, keys, ranks)
    return Registers(name, calls, unique=values == 0)


def lists(clients: int, operations: int, *, crashed: float = CRASHED, seed: int = 1) -> Lists:
    """What clients saw of lists, each appended to as often as in the workload."""
    append, key, element, witness, length, invoked, returned, first, log = simulation.lists(
        clients, operations, crashed, LIVE_LISTS, APPENDS_A_LIST, APPENDS, seed
    )
    begins, contents = simulation.contents(key, length, first, log)
    calls = ListCalls(0, append, key, element, witness, invoked, returned, begins, contents)
    return Lists(f"{clients} clients, {operations:,} operations", calls, len(first), int(element.max()) + 1)


def spoiled(history: Registers) -> Registers:
    """With one read, early on, of a value that was gone for sure: an earlier read saw it, and between the two
    one saw something else. Where values repeat, it sees what nobody wrote."""
    calls = history.calls
    a, key, values = calls.a.copy(), history.key, len(calls.key_of)
    if not history.unique:
        late = np.nonzero((calls.kind == READ) & (calls.invoked > calls.ranks // 50))[0][0]
        a[late] = values
        return Registers(
            f"{history.name}, spoiled", calls._replace(a=a, key_of=np.append(calls.key_of, key[late])), False
        )
    reads = np.nonzero(calls.kind == READ)[0]
    for late in reads[calls.invoked[reads] > calls.ranks // 50]:
        of_key = reads[key[reads] == key[late]]
        between = of_key[calls.returned[of_key] < calls.invoked[late]]
        for middle in between[::-1]:
            old = between[(calls.returned[between] < calls.invoked[middle]) & (a[between] != a[middle])]
            if old.size:
                a[late] = a[old[-1]]
                return Registers(f"{history.name}, spoiled", calls._replace(a=a), True)
    raise ValueError(f"{history.name}: too few reads to spoil one")


def etcd_logs(folder: Path) -> list[Registers]:
    """Plain logs of Jepsen's etcd runs. Empty where the folder is not there."""
    return [recorded(path) for path in sorted(folder.glob("*.log"))]


def recorded(path: Path) -> Registers:
    """A history of one compare-and-set register."""
    calls = [call for call in read_history(path).calls() if _counts(call)]
    rank = {at: number for number, at in enumerate(_moments(calls))}
    numbers: dict[Hashable, int] = {None: 0}
    rows = [_row(call, numbers, rank) for call in calls]
    kind, a, b, invoked, returned = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    key_of = np.zeros(len(numbers), np.int64)
    return Registers(
        path.stem, RegisterCalls(kind, a, b, invoked, returned, key_of, 1, len(rank)), unique=False
    )


def _counts(call: Call) -> bool:
    """What was refused did not happen, except a compare-and-set, which saw something else; a read without an
    answer says nothing."""
    return call.type == "ok" or (call.type == "info" and call.invoke.f != "read") or _missed(call)


def _missed(call: Call) -> bool:
    return call.type == "fail" and call.invoke.f == "cas"


def _moments(calls: Sequence[Call]) -> list[int]:
    return sorted(
        op.index for call in calls for op in (call.invoke, call.completion) if op and op.type != "info"
    )


def _row(call: Call, numbers: dict[Hashable, int], rank: dict[int, int]) -> tuple[int, int, int, int, int]:
    kind = 3 if _missed(call) else _FUNCTIONS.index(call.invoke.f)
    seen, left = call.invoke.value, None
    if kind == READ and call.completion is not None:
        seen = call.completion.value
    elif kind != WRITE:
        seen, left = call.invoke.value
    returned = NEVER if call.completion is None or call.type == "info" else rank[call.completion.index]
    first = numbers.setdefault(seen, len(numbers))
    return kind, first, numbers.setdefault(left, len(numbers)), rank[call.invoke.index], returned
