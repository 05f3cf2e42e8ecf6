"""What harm is in force on a cluster now: for its heal, and for other nemeses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

from nemesis.nemesis import Link

Silence = Literal["paused", "down"]


@dataclass(slots=True)
class InForce:
    """silenced: processes that a fault keeps from saying anything. A kill takes the place of a pause, since
        it ends the process that was paused
    cut:      directed links that are cut, each as often as there are faults that cut it
    injected: by step number, what the nemesis must know to heal it
    """

    silenced: dict[str, Silence] = field(default_factory=dict)
    cut: list[Link] = field(default_factory=list)
    injected: dict[int, Any] = field(default_factory=dict)
    _silences: list[str] = field(default_factory=list)

    def silence(self, nodes: Sequence[str], how: Silence) -> None:
        self.silenced |= dict.fromkeys(nodes, how)
        self._silences += nodes

    def hear(self, nodes: Sequence[str], after: Silence) -> None:
        """They speak again after a pause, or after they were down; but for those that another fault has
        silenced otherwise since."""
        for node in nodes:
            if self.silenced.get(node) == after:
                del self.silenced[node]

    def mend(self, links: Sequence[Link]) -> None:
        """One fault less cuts them."""
        for link in links:
            self.cut.remove(link)

    def watch(self) -> Callable[[], list[str]]:
        """Returns a function that names whoever is silenced now, or was at any time up to its call."""
        now, seen = [*self.silenced], len(self._silences)
        return lambda: [*now, *self._silences[seen:]]


_ON: WeakKeyDictionary[Any, InForce] = WeakKeyDictionary()


def in_force(cluster: object) -> InForce:
    """The harm in force on this cluster, an object told apart by its identity."""
    return _ON.setdefault(cluster, InForce())
