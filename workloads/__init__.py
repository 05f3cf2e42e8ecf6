"""Load: what clients do, drawn from a seed, and what their answers mean."""

from __future__ import annotations

from workloads.append import Lists
from workloads.register import Registers
from workloads.storage import Objects
from workloads.workload import Workload

_ALL: tuple[type[Workload], ...] = (Lists, Registers, Objects)

# One object serves one run: WORKLOADS[name]() makes it.
WORKLOADS: dict[str, type[Workload]] = {workload.name: workload for workload in _ALL}
