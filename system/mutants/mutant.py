"""What a planted bug is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """The one method that a bug replaces, and what by.

    owner: "module" or "module:Class", imported only where the bug is planted: a node needs no simulator
    """

    owner: str
    method: str
    override: Any

    def find(self) -> Any:
        """Raises AttributeError where there is no such method to override."""
        module, _, name = self.owner.partition(":")
        owner: Any = import_module(module)
        if name:
            owner = getattr(owner, name)
        if not hasattr(owner, self.method):
            raise AttributeError(f"{self.owner} has no method {self.method} to override")
        return owner


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug: one small change to a correct Raft, such as real implementations have had.

    id:       its short name, such as E01
    name:     as on the command line
    summary:  the change, in one line
    seen_in:  real implementations that had it
    place:    where it is planted
    simulated: where it is planted in the simulator, if elsewhere
    besides:  names of other mutants that must be planted too for this one to show
    only_simulated: what it changes is part of the simulator: no real node can have it
    equivalent: why nobody can tell it from the correct system; "" where somebody can
    unseen:   why clients hardly ever see it; "" where they do
    workload, nemeses: the run on real processes that is meant to show it; none: nobody has tried
    caught_by: the checkers that are right to object in such a run
    """

    id: str
    name: str
    summary: str
    seen_in: tuple[str, ...]
    place: Place
    simulated: Place | None = None
    besides: tuple[str, ...] = ()
    only_simulated: bool = False
    equivalent: str = ""
    unseen: str = ""
    workload: str = "append"
    nemeses: tuple[str, ...] = ()
    caught_by: tuple[str, ...] = ()


@contextlib.contextmanager
def replaced(place: Place) -> Iterator[None]:
    """Has the bug in this process for a while."""
    owner = place.find()
    original = owner.__dict__.get(place.method)
    setattr(owner, place.method, place.override)
    try:
        yield
    finally:
        if original is not None:
            setattr(owner, place.method, original)
        else:  # it was inherited
            delattr(owner, place.method)


def before(owner: str, method: str) -> Any:
    """The method as it is without the bug."""
    return getattr(Place(owner, method, None).find(), method)
