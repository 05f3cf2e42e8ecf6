"""SIGTERM: nodes that are asked to end, end in order, and are missing for as long as an upgrade takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

from nemesis.bursts import PICK, draw_pick
from nemesis.evidence import not_gone, not_graceful
from nemesis.nemesis import CanKill, Choices, Evidence, Facts, Setting, Step
from nemesis.outages import LONG_MIN_TIME_S, long_outages, start_again, take_down
from nemesis.targets import choose_nodes

WEIGHTS = {"leader": 2, "one": 1}


class Stop:
    name = "stop"
    needs = frozenset({"kill"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3  # the others are to go on
    min_time_s = LONG_MIN_TIME_S
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK}
    checkers: tuple[str, ...] = ("availability",)

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        return long_outages(self.name, rng, setting, first, WEIGHTS, lambda: {"pick": draw_pick(rng)})

    async def inject(self, cluster: CanKill, step: Step) -> Evidence:
        chosen = await choose_nodes(cluster, step.target, step.options["pick"])
        return await take_down(cluster, step, chosen, "stopped", cluster.stop_nodes, _doubt)

    async def heal(self, cluster: CanKill, step: Step) -> Evidence:
        return await start_again(cluster, step, "stopped")


def _doubt(facts: Facts, nodes: Sequence[str]) -> list[str]:
    return not_gone(facts, nodes) + not_graceful(facts, nodes)
