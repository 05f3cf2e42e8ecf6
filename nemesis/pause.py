"""SIGSTOP: nodes that stand still and believe, once resumed, that no time has passed."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Literal

from nemesis.bursts import PICK, bursts, choose, draw_pick, steps
from nemesis.nemesis import CanPause, Choices, Evidence, Setting, Step
from nemesis.outages import hold_still, let_go
from nemesis.targets import choose_nodes

# A paused leader wakes up and does not know that it was deposed. All of them wake up with timers run out, and
# stand for election at the same time.
WEIGHTS = {"leader": 12, "all": 4, "one": 1, "follower": 1, "majority": 2}
# A single node is its own leader, majority and all.
SINGLE = {"all": 1}


class Pause:
    name = "pause"
    needs = frozenset({"pause"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 1
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s)
        targets = choose(rng, WEIGHTS if len(setting.nodes) > 1 else SINGLE, len(windows))
        return steps(self.name, first, windows, targets, lambda: {"pick": draw_pick(rng)})

    async def inject(self, cluster: CanPause, step: Step) -> Evidence:
        return await hold_still(cluster, step, await choose_nodes(cluster, step.target, step.options["pick"]))

    async def heal(self, cluster: CanPause, step: Step) -> Evidence:
        return await let_go(cluster, step)
