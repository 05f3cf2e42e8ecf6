"""What harm is in force on a cluster now: for its heal, and for other nemeses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

from nemesis.nemesis import Link

Silence = Literal["paused", "down"]


@dataclass(slots=True)
class InForce:
    """silenced: processes that a fault keeps from saying anything. A kill takes the place of a pause, since
        it ends the process that was paused
    cut:      directed links that are cut
    injected: by step number, what the nemesis must know to heal it
    """

    silenced: dict[str, Silence] = field(default_factory=dict)
    cut: list[Link] = field(default_factory=list)
    injected: dict[int, Any] = field(default_factory=dict)


_ON: WeakKeyDictionary[Any, InForce] = WeakKeyDictionary()


def in_force(cluster: object) -> InForce:
    """The harm in force on this cluster, an object told apart by its identity."""
    return _ON.setdefault(cluster, InForce())
