"""Random histories of one object of any linear model: what real clients of a correct object could have seen,
and what only those of a broken one could.

The objects here are written apart from checkers/models, so that each judges the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from checkers.linear.operations import NEVER, UNKNOWN, Model, Operation

# A call takes effect: its name (a cas that does not match is a miss), its result and the state after it; None
# where it has to wait, as for a lock that is held.
Effect = tuple[str, Any, Any] | None
READS = frozenset({"read", "get", "contains"})
# Whose result is more than its argument.
OBSERVERS = READS | {"dequeue", "pop", "fetch-add", "cas", "miss", "acquire"}


def _register(state: Any, f: str, argument: Any, process: int) -> Effect:
    if f == "cas":
        return ("cas", argument, argument[1]) if argument[0] == state else ("miss", argument, state)
    if f == "append":
        return f, argument, (state or "") + argument
    return (f, state, state) if f in READS else (f, argument, argument)


def _log(state: Any, f: str, argument: Any, process: int) -> Effect:
    return (f, state, state) if f == "read" else (f, argument, (*state, argument))


def _number(state: Any, f: str, argument: Any, process: int) -> Effect:
    if f == "read":
        return f, state, state
    return f, (argument, state) if f == "fetch-add" else argument, state + argument


def _set(state: Any, f: str, argument: Any, process: int) -> Effect:
    if f == "read":
        return f, state, state
    if f == "contains":
        return f, (argument, argument in state), state
    return f, argument, state | {argument} if f == "add" else state - {argument}


def _queue(state: Any, f: str, argument: Any, process: int) -> Effect:
    if f == "enqueue":
        return f, argument, (*state, argument)
    return (f, state[0], state[1:]) if state else (f, None, state)


def _stack(state: Any, f: str, argument: Any, process: int) -> Effect:
    if f == "push":
        return f, argument, (*state, argument)
    return (f, state[-1], state[:-1]) if state else (f, None, state)


def _lock(state: Any, f: str, argument: Any, process: int) -> Effect:
    """The state is the holder's process, where it is held, and the last token."""
    holder, token = state
    if f == "release":
        return f, argument, (None, token)
    return (f, token + 1, (process, token + 1)) if holder is None else None


def _plain_lock(state: Any, f: str, argument: Any, process: int) -> Effect:
    effect = _lock(state, f, argument, process)
    return (f, argument, effect[2]) if effect is not None else None


OBJECTS: dict[str, tuple[Any, Callable[[Any, str, Any, int], Effect]]] = {
    "register": (None, _register),
    "cas-register": (None, _register),
    "kv": (None, _register),
    "append": ((), _log),
    "counter": (0, _number),
    "fetch-add": (0, _number),
    "set": (frozenset(), _set),
    "queue": ((), _queue),
    "stack": ((), _stack),
    "mutex": ((None, 0), _plain_lock),
    "fenced-mutex": ((None, 0), _lock),
}
# What adds a value to the object, and what else its clients call, each as often as the others.
ADDS = {
    "register": "write",
    "cas-register": "write",
    "kv": "put",
    "append": "append",
    "counter": "add",
    "fetch-add": "fetch-add",
    "set": "add",
    "queue": "enqueue",
    "stack": "push",
}
CALLS = {
    "cas-register": ("write", "cas"),
    "kv": ("put", "append", "cas", "write"),
    "set": ("add", "add", "remove"),
    "queue": ("enqueue", "dequeue"),
    "stack": ("push", "pop"),
}
LOOKS = {"kv": ("get", "read"), "set": ("contains", "read"), "queue": (), "stack": ()}


@dataclass
class _Client:
    """A client, and the operation that it is in, if any."""

    process: int
    f: str = ""
    argument: Any = None
    invoked: int = -1
    effect: Effect = None


@dataclass
class _Simulation:
    rng: random.Random
    model: str
    crash: float
    unique: bool
    reads: float
    clients: list[_Client]
    operations: list[Operation] = field(default_factory=list)
    rank: int = 0
    fresh: int = 0
    processes: int = 0
    # Crashed operations that are still to happen.
    late: list[_Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state, self.call = OBJECTS[self.model]
        self.processes = len(self.clients)

    def run(self, length: int) -> list[Operation]:
        invoked = 0
        while invoked < length or any(client.f for client in self.clients):
            client = self.rng.choice(self.clients)
            if self.late and self.rng.random() < 0.1:
                self.happen(self.late.pop(self.rng.randrange(len(self.late))))
            if not client.f:
                if invoked < length:
                    self.invoke(client)
                    invoked += 1
            elif client.effect is not None:
                self.finish(client)
            elif self.rng.random() < self.crash:
                self.crashed(client)
            elif not self.happen(client) and invoked == length:
                self.crashed(client)
        return sorted(self.operations, key=lambda operation: operation.invoked)

    def invoke(self, client: _Client) -> None:
        client.f = self.chosen(client)
        client.argument = self.argument(client.f)
        client.invoked = self.tick()
        client.effect = None

    def happen(self, client: _Client) -> bool:
        client.effect = self.call(self.state, client.f, client.argument, client.process)
        if client.effect is not None:
            self.state = client.effect[2]
        return client.effect is not None

    def finish(self, client: _Client) -> None:
        assert client.effect is not None
        f, result, _ = client.effect
        self.record(client, f, result, self.tick())
        client.f = ""

    def crashed(self, client: _Client) -> None:
        """It happens later, or never; but whoever holds a lock must not take it along."""
        if client.f == "release":
            self.happen(client)
        elif client.f != "acquire" and self.rng.random() < 0.5:
            self.late.append(replace(client))
        if client.f not in READS:
            self.record(client, client.f, UNKNOWN, NEVER)
        client.f = ""
        client.process = self.processes
        self.processes += 1

    def record(self, client: _Client, f: str, result: Any, returned: int) -> None:
        self.operations.append(
            Operation(
                f,
                client.argument,
                result,
                client.invoked,
                returned,
                index=client.invoked,
                process=client.process,
                completed=None if returned == NEVER else returned,
            )
        )

    def tick(self) -> int:
        self.rank += 1
        return self.rank

    def chosen(self, client: _Client) -> str:
        if self.model in ("mutex", "fenced-mutex"):
            return "release" if self.state[0] == client.process else "acquire"
        looks = LOOKS.get(self.model, ("read",))
        if looks and self.rng.random() < self.reads:
            return self.rng.choice(looks)
        return self.rng.choice(CALLS.get(self.model, (ADDS[self.model],)))

    def argument(self, f: str) -> Any:
        if f in ("read", "get", "dequeue", "pop", "acquire", "release"):
            return None
        if f == "cas":
            expected = self.state if self.rng.random() < 0.7 else self.value()
            return expected, self.value()
        if f in ("contains", "remove"):
            return self.rng.randint(1, max(self.fresh, 3))
        if f == "add" and self.model == "counter":
            return self.rng.randint(-2, 3)
        return self.value()

    def value(self) -> Any:
        self.fresh += 1
        number = self.fresh if self.unique else self.rng.randint(1, 3)
        return f"{number}," if self.model == "kv" else number


def simulated(
    rng: random.Random,
    model: Model,
    clients: int,
    length: int,
    *,
    crash: float = 0.03,
    unique: bool = True,
    reads: float = 0.5,
) -> list[Operation]:
    """A valid history: `length` calls of an atomic object by concurrent clients, in order of invocation.

    crash:  how probable it is that a call crashes; crashed reads are left out
    unique: whether every value is written once, or one of three again and again
    reads:  how many of the calls only look, where the model has such
    """
    simulation = _Simulation(
        rng, model.name, crash, unique, reads, [_Client(number) for number in range(clients)]
    )
    return simulation.run(length)


def corrupted(rng: random.Random, operations: Sequence[Operation]) -> list[Operation]:
    """The same history with one thing wrong; most often that makes it invalid."""
    damages = [_other_result, _other_result, _moved, _lost, _crashed]
    rng.shuffle(damages)
    for damage in damages:
        damaged = damage(rng, list(operations))
        if damaged is not None:
            return damaged
    return list(operations)


def _other_result(rng: random.Random, operations: list[Operation]) -> list[Operation] | None:
    """One call returns what another of its kind did, or what nobody ever wrote."""
    seen = [at for at, op in enumerate(operations) if op.f in OBSERVERS and not op.crashed]
    if not seen:
        return None
    at = rng.choice(seen)
    op = operations[at]
    others = [other.result for other in operations if other.f == op.f and not other.crashed]
    match op.f:
        case "cas" | "miss":
            op = replace(op, f="miss" if op.f == "cas" else "cas")
        case "contains":
            op = replace(op, result=(op.argument, not op.result[1]))
        case "fetch-add":
            op = replace(op, result=(op.argument, rng.choice(others)[1] + rng.choice((0, 1))))
        case "acquire" if op.result is None:
            return None
        case _:
            op = replace(op, result=rng.choice([*others, _strange(op.result)]))
    operations[at] = op
    return operations


def _strange(result: Any) -> Any:
    match result:
        case frozenset():
            return result ^ {-7}
        case tuple():
            return (*result[1:], -7)
        case str():
            return result[1:]
        case None:
            return -7
    return result + 1


def _moved(rng: random.Random, operations: list[Operation]) -> list[Operation] | None:
    """One call was at another time, and brief."""
    at, then = rng.randrange(len(operations)), rng.randrange(len(operations))
    if at == then or operations[at].crashed:
        return None
    start = operations[then].invoked
    moved = [replace(op, invoked=4 * op.invoked, returned=_four_times(op.returned)) for op in operations]
    moved[at] = replace(moved[at], invoked=4 * start + 1, returned=4 * start + 2)
    return sorted(moved, key=lambda op: op.invoked)


def _four_times(rank: int) -> int:
    return rank if rank == NEVER else 4 * rank


def _lost(rng: random.Random, operations: list[Operation]) -> list[Operation] | None:
    """One call that changed the object never was."""
    changes = [at for at, op in enumerate(operations) if op.f not in READS and not op.crashed]
    if not changes:
        return None
    del operations[rng.choice(changes)]
    return operations


def _crashed(rng: random.Random, operations: list[Operation]) -> list[Operation] | None:
    """One call never returned: that is always allowed, but may make another's absence visible."""
    changes = [at for at, op in enumerate(operations) if op.f not in READS and op.f != "miss"]
    if not changes:
        return None
    at = rng.choice(changes)
    operations[at] = replace(operations[at], result=UNKNOWN, returned=NEVER, completed=None)
    return operations


def small(rng: random.Random, model: Model) -> list[Operation]:
    """Three to eight calls, about half of them with something wrong."""
    operations = simulated(
        rng,
        model,
        clients=rng.randint(1, 5),
        length=rng.randint(3, 8),
        crash=rng.choice((0.0, 0.1, 0.3)),
        unique=rng.random() < 0.5,
        reads=rng.choice((0.3, 0.5, 0.7)),
    )
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        if operations:
            operations = corrupted(rng, operations)
    return operations
