"""No faults: what the system does when left in peace."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Literal

from nemesis.evidence import never_injected, nobody
from nemesis.nemesis import Choices, Evidence, Setting, Step


class Peace:
    name = "none"
    needs: frozenset[str] = frozenset()
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 1
    min_time_s = 0.0
    targets: tuple[str, ...] = ()
    options: Mapping[str, Choices] = {}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        return []

    async def inject(self, cluster: Any, step: Step) -> Evidence:
        return nobody(step.target)

    async def heal(self, cluster: Any, step: Step) -> Evidence:
        return never_injected()
