"""Small histories as hypothesis draws them, so that one that fails shrinks to the least that does."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from checkers.linear.operations import NEVER, UNKNOWN, Model, Operation
from tests.checkers.atomic_objects import READS

# Of each function, what it may have been called with and what it may have returned.
_VALUES, _TEXTS = st.sampled_from((1, 2, 3)), st.sampled_from(("a", "b"))
_SETS = st.frozensets(_VALUES, max_size=2)
_NOTHING = st.none()


def _same(arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return arguments.map(lambda argument: (argument, argument))


def _returning(results: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.tuples(_NOTHING, results)


def _registers(values: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[tuple[Any, Any]]]:
    pairs = _same(st.tuples(values | _NOTHING, values))
    return {
        "read": _returning(values | _NOTHING),
        "write": _same(values),
        "cas": pairs,
        "miss": pairs,
        "get": _returning(values | _NOTHING),
        "put": _same(values),
    }


_TAKEN = {"dequeue": _returning(_VALUES | _NOTHING), "pop": _returning(_VALUES | _NOTHING)}
_GUESSES: dict[str, dict[str, st.SearchStrategy[tuple[Any, Any]]]] = {
    "register": _registers(_VALUES),
    "cas-register": _registers(_VALUES),
    "kv": {
        **_registers(_TEXTS),
        "append": _same(_TEXTS),
        "get": _returning(st.text("ab", max_size=3)),
    },
    "append": {
        "append": _same(_VALUES),
        "read": _returning(st.lists(_VALUES, max_size=3, unique=True).map(tuple)),
    },
    "counter": {"add": _same(st.integers(-1, 2)), "read": _returning(st.integers(-1, 3))},
    "fetch-add": {
        "fetch-add": st.tuples(_VALUES, st.integers(0, 4)).map(lambda pair: (pair[0], pair)),
        "read": _returning(st.integers(0, 4)),
    },
    "set": {
        "add": _same(_VALUES),
        "remove": _same(_VALUES),
        "contains": st.tuples(_VALUES, st.booleans()).map(lambda pair: (pair[0], pair)),
        "read": _returning(_SETS),
    },
    "queue": {"enqueue": _same(_VALUES), **_TAKEN},
    "stack": {"push": _same(_VALUES), **_TAKEN},
    "mutex": {"acquire": _returning(_NOTHING), "release": _returning(_NOTHING)},
    "fenced-mutex": {"acquire": _returning(st.integers(0, 4)), "release": _returning(_NOTHING)},
}


@st.composite
def guessed(draw: st.DrawFn, model: Model) -> list[Operation]:
    """Up to six calls that returned whatever, at any time: few are valid, and those that fail shrink well."""
    guesses = _GUESSES[model.name]
    names = st.sampled_from(sorted(model.functions & guesses.keys()))
    operations: list[Operation] = []
    for number in range(draw(st.integers(1, 6))):
        f, start, length = draw(names), draw(st.integers(0, 8)), draw(st.integers(0, 6))
        argument, result = draw(guesses[f])
        # Every rank is used once: those of one instant follow the calls' order, invocations first.
        invoked, returned = 16 * start + number, 16 * (start + length) + 8 + number
        if f not in READS and f != "miss" and draw(st.integers(0, 3)) == 3:
            result, returned = UNKNOWN, NEVER
        process = draw(st.integers(0, 2))
        while any(
            op.process == process and op.invoked < returned and invoked < op.returned for op in operations
        ):
            process += 1
        operations.append(Operation(f, argument, result, invoked, returned, invoked, process))
    return sorted(operations, key=lambda operation: operation.invoked)
