"""Load: what clients do, drawn from a seed, and what their answers mean."""

from __future__ import annotations

from difflib import get_close_matches

from workloads.append import Lists
from workloads.register import Registers
from workloads.workload import Workload

_ALL: tuple[type[Workload], ...] = (Lists, Registers)

# One object serves one run: WORKLOADS[name]() makes it.
WORKLOADS: dict[str, type[Workload]] = {workload.name: workload for workload in _ALL}


def resolve(name: str) -> type[Workload]:
    """Raises LookupError, with a line that lists the names there are."""
    if name in WORKLOADS:
        return WORKLOADS[name]
    close = get_close_matches(name, WORKLOADS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise LookupError(f"unknown workload '{name}': there are {', '.join(WORKLOADS)}{hint}")
