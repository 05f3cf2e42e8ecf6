"""A correct object for every linear model, and what its clients call. Written apart from checkers/models, so
that each judges the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# A call takes effect: its name (a cas that does not match is a miss), its result and the state after it; None
# where it has to wait, as for a lock that is held.
Effect = tuple[str, Any, Any] | None
READS = frozenset({"read", "get", "contains"})


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
# What its clients call to change it, of which a history has the first and some of the others; and what they
# call to see what is there.
CALLS = {
    "register": ("write",),
    "cas-register": ("write", "cas"),
    "kv": ("put", "append", "cas", "write"),
    "append": ("append",),
    "counter": ("add",),
    "fetch-add": ("fetch-add",),
    "set": ("add", "remove"),
    "queue": ("enqueue",),
    "stack": ("push",),
    "mutex": ("acquire",),
    "fenced-mutex": ("acquire",),
}
LOOKS = {"kv": ("get", "read"), "set": ("contains", "read"), "queue": ("dequeue",), "stack": ("pop",)}
