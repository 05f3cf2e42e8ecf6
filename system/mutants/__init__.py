"""Planted bugs: what the harness is measured with.

Each overrides one method of the core, the replica, the log or the client from outside; production code
carries no flag for them. `python -m system.mutants NAME` is a control-plane node that has the bug.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from system.mutants.clients import CLIENTS
from system.mutants.commits import COMMITS
from system.mutants.disks import DISKS
from system.mutants.elections import ELECTIONS
from system.mutants.mutant import Mutant, Place, replaced
from system.mutants.reads import READS

__all__ = ["MUTANTS", "Mutant", "Place", "plant", "planted", "resolve"]

_ALL: tuple[Mutant, ...] = (*ELECTIONS, *COMMITS, *READS, *CLIENTS, *DISKS)
MUTANTS: dict[str, Mutant] = {mutant.name: mutant for mutant in _ALL}
_BY_ID = {mutant.id.lower(): mutant for mutant in _ALL}


def resolve(name: str) -> Mutant | None:
    """By name or by id."""
    return MUTANTS.get(name) or _BY_ID.get(name.lower())


def plant(name: str) -> None:
    """For good, in this process: a real node's."""
    for mutant in _with_others(name):
        place = mutant.place
        setattr(place.find(), place.method, place.override)


@contextlib.contextmanager
def planted(name: str | None) -> Iterator[None]:
    """For a while, in this process: the simulator's. None: no bug."""
    with contextlib.ExitStack() as stack:
        for mutant in _with_others(name) if name is not None else ():
            stack.enter_context(replaced(mutant.simulated or mutant.place))
        yield


def _with_others(name: str) -> list[Mutant]:
    mutant = MUTANTS[name]
    return [mutant, *(MUTANTS[other] for other in mutant.besides)]
