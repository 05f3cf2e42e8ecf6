"""Histories of transactions, written short or made up, and an oracle that tries every order of a few."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from checkers.history import History, Op, OpType

# process, type, micro-operations
Event = tuple[int, str, list[list[Any]]]


def micro_ops(text: str, write: str = "append") -> list[list[Any]]:
    """ "ax1rx12ry" appends 1 to x, reads [1, 2] from x and nil from y; registers: "wx1rx1ry_"."""
    parts = re.findall(r"([arw])([a-z])([\d_]*)", text)
    return [
        [write, key, int(value)] if f != "r" else ["r", key, _read(value, write)] for f, key, value in parts
    ]


def _read(value: str, write: str) -> Any:
    if value in ("", "_"):
        return None
    return [int(digit) for digit in value] if write == "append" else int(value)


def invoked(value: list[list[Any]]) -> list[list[Any]]:
    return [[f, key, None] if f == "r" else [f, key, new] for f, key, new in value]


def history(events: Iterable[Event]) -> History:
    """The events in order, each at a moment of its own."""
    return History(
        [
            Op(at, at, process, cast(OpType, kind), "txn", value)
            for at, (process, kind, value) in enumerate(events)
        ]
    )


def one_after_another(*texts: str, write: str = "append", processes: Sequence[int] = ()) -> History:
    """Each transaction is invoked once the one before has returned; "!" makes it fail, "?" crash."""
    return history(
        event
        for at, text in enumerate(texts)
        for event in _pair(processes[at] if processes else at, text, write)
    )


def at_once(*texts: str, write: str = "append") -> History:
    """All transactions are invoked before any returns."""
    pairs = [_pair(process, text, write) for process, text in enumerate(texts)]
    return history([invoke for invoke, _ in pairs] + [completion for _, completion in pairs])


def completed(*texts: str, write: str = "append") -> History:
    """Completions only, as short examples have them: nothing is known of time."""
    return history(_pair(0, text, write)[1] for text in texts)


def _pair(process: int, text: str, write: str) -> tuple[Event, Event]:
    kind = {"!": "fail", "?": "info"}.get(text[-1], "ok")
    value = micro_ops(text.rstrip("!?"), write)
    return (process, "invoke", invoked(value)), (process, kind, value if kind == "ok" else invoked(value))


@dataclass(frozen=True)
class Transaction:
    kind: str
    process: int
    invoked: int
    returned: float
    micro_ops: list[list[Any]]


def transactions_of(events: Sequence[Event]) -> list[Transaction]:
    begun: dict[int, int] = {}
    found: list[Transaction] = []
    for at, (process, kind, value) in enumerate(events):
        if kind == "invoke":
            begun[process] = at
        else:
            returned = float("inf") if kind == "info" else at
            found.append(Transaction(kind, process, begun.pop(process), returned, value))
    found += [Transaction("info", process, at, float("inf"), events[at][2]) for process, at in begun.items()]
    return [one for one in found if one.kind != "fail"]


def has_serial_order(transactions: list[Transaction], order: str, lists: bool = True) -> bool:
    """Whether some order of all acknowledged transactions, and of any of the crashed ones, explains every
    read. `order`: "any", "session" (each process' own is kept) or "strict" (real time is)."""
    must = frozenset(at for at, one in enumerate(transactions) if one.kind == "ok")
    dead: set[Any] = set()

    def too_early(at: int, waiting: frozenset[int]) -> bool:
        mine = transactions[at]
        for other in (transactions[i] for i in waiting):
            if order == "strict" and other.returned < mine.invoked:
                return True
            same = order == "session" and mine.kind == "ok" and other.process == mine.process
            if same and other.returned < mine.returned:
                return True
        return False

    def search(waiting: frozenset[int], state: dict[str, Any]) -> bool:
        if not waiting & must:
            return True
        key = (waiting, tuple(sorted(state.items())))
        if key in dead:
            return False
        dead.add(key)
        for at in waiting:
            if not too_early(at, (waiting & must) - {at}):
                after = _run(transactions[at], dict(state), lists)
                if after is not None and search(waiting - {at}, after):
                    return True
        return False

    return search(frozenset(range(len(transactions))), {})


def _run(transaction: Transaction, state: dict[str, Any], lists: bool) -> dict[str, Any] | None:
    for f, key, value in transaction.micro_ops:
        if f == "append":
            state[key] = (*state.get(key, ()), value)
        elif f == "w":
            state[key] = value
        elif transaction.kind == "ok" and state.get(key, () if lists else None) != (
            tuple(value or ()) if lists else value
        ):
            return None
    return state


def random_events(random_: random.Random) -> list[Event]:
    """Up to seven transactions of a store that may interleave them, serve stale reads, and lose them."""
    return _Sloppy(random_).run()


class _Sloppy:
    def __init__(self, random_: random.Random) -> None:
        self.random = random_
        self.keys = "xyz"[: random_.randint(1, 3)]
        self.lists: dict[str, list[int]] = {key: [] for key in self.keys}
        self.atomic = random_.random() < 0.4
        self.stale = random_.choice([0, 0, 0.1, 0.3])
        self.failing = random_.choice([0, 0, 0.2])
        self.crashing = random_.choice([0, 0, 0.25])
        self.written = 0
        self.events: list[Event] = []
        # Each client: its process, its transaction, how far that is, and whether its appends are dropped.
        self.clients: list[tuple[int, list[list[Any]], int, bool] | None] = [None] * random_.randint(1, 4)
        self.process = 0

    def run(self) -> list[Event]:
        left = self.random.randint(2, 6)
        while left or any(self.clients):
            client = self.random.randrange(len(self.clients))
            if self.clients[client] is not None:
                self._go_on(client)
            elif left:
                left -= 1
                self._begin(client)
        if self.random.random() < 0.6:
            value = [["r", key, list(self.lists[key])] for key in self.keys]
            self.events += [(99, "invoke", invoked(value)), (99, "ok", value)]
        return self.events

    def _begin(self, client: int) -> None:
        value: list[list[Any]] = []
        for _ in range(self.random.randint(1, 3)):
            key = self.random.choice(self.keys)
            self.written += 1
            value.append(["append", key, self.written] if self.random.random() < 0.5 else ["r", key, None])
        # A client that crashed is followed by a new process, as in a run.
        earlier = [process for process, kind, _ in self.events if process % len(self.clients) == client]
        process = earlier[-1] if earlier else client
        if any(kind == "info" and of == process for of, kind, _ in self.events):
            process += len(self.clients)
        self.clients[client] = (process, value, 0, self.random.random() < self.failing)
        self.events.append((process, "invoke", invoked(value)))

    def _go_on(self, client: int) -> None:
        process, value, at, dropped = self.clients[client] or (0, [], 0, False)
        if self.random.random() < self.crashing / 3:
            self._end(client, "info")
        elif at == len(value):
            failed = dropped and self.random.random() < 0.8
            self._end(client, "fail" if failed else "ok")
        else:
            for step in range(at, len(value) if self.atomic else at + 1):
                self._step(value[step], dropped)
                at = step + 1
            self.clients[client] = (process, value, at, dropped)

    def _step(self, micro_op: list[Any], dropped: bool) -> None:
        f, key, element = micro_op
        if f == "append":
            self.lists[key] += [] if dropped else [element]
            return
        seen = list(self.lists[key])
        if seen and self.random.random() < self.stale:
            seen = seen[: self.random.randrange(len(seen))]
        micro_op[2] = seen

    def _end(self, client: int, kind: str) -> None:
        process, value, _, _ = self.clients[client] or (0, [], 0, False)
        self.events.append((process, kind, value if kind == "ok" else invoked(value)))
        self.clients[client] = None


def as_registers(events: Sequence[Event]) -> list[Event]:
    """The same with registers: a read sees only what was written last."""
    return [
        (process, kind, [_as_register(micro_op) for micro_op in value]) for process, kind, value in events
    ]


def _as_register(micro_op: list[Any]) -> list[Any]:
    f, key, value = micro_op
    if f == "append":
        return ["w", key, value]
    return ["r", key, value[-1] if value else None]


def serial_events(transactions: int, clients: int, random_: random.Random) -> list[Event]:
    """A store that runs every transaction at one moment between its invocation and its return."""
    lists: dict[int, list[int]] = {}
    running: list[tuple[list[list[Any]], bool] | None] = [None] * clients
    events: list[Event] = []
    begun = written = 0
    while begun < transactions or any(running):
        client = random_.randrange(clients)
        now = running[client]
        if now is None and begun < transactions:
            begun += 1
            value: list[list[Any]] = []
            for _ in range(random_.randint(1, 4)):
                key = begun // 100 * 5 + random_.randrange(5)
                written += 1
                value.append(["append", key, written] if random_.random() < 0.5 else ["r", key, None])
            running[client] = (value, False)
            events.append((client, "invoke", invoked(value)))
        elif now is not None and not now[1]:
            for micro_op in now[0]:
                if micro_op[0] == "append":
                    lists.setdefault(micro_op[1], []).append(micro_op[2])
                else:
                    micro_op[2] = list(lists.get(micro_op[1], []))
            running[client] = (now[0], True)
        elif now is not None:
            events.append((client, "ok", now[0]))
            running[client] = None
    return events
