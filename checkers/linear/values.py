"""Values as the judges compare them: hashable, and 1, 1.0 and true are three values."""

from __future__ import annotations

from collections.abc import Hashable
from types import NoneType
from typing import Any

# What stands for itself: most lists hold nothing else, and are long.
_PLAIN = frozenset({int, str, NoneType})


class Typed:
    """A value that Python would take for an equal one of another type."""

    __slots__ = ("_key", "value")

    def __init__(self, value: bool | float) -> None:
        self.value = value
        self._key = (type(value).__name__, repr(value))  # a NaN equals itself

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Typed) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return str(self.value).lower() if isinstance(self.value, bool) else repr(self.value)


def frozen(value: Any) -> Hashable:
    """A JSON value with lists as tuples and objects as frozensets of pairs. Values are as deep as their
    file's reader allows, so this may recurse."""
    if isinstance(value, (bool, float)):
        return Typed(value)
    if isinstance(value, (list, tuple)):
        if _PLAIN.issuperset(map(type, value)):
            return tuple(value)
        return tuple(frozen(item) for item in value)
    if isinstance(value, dict):
        return frozenset((frozen(key), frozen(item)) for key, item in value.items())
    return value  # type: ignore[no-any-return]
