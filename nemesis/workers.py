"""Workers that stop, die or stand still for long enough to be marked offline, and then come back."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Literal, Protocol

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.nemesis import CanKill, CanPause, Choices, Evidence, Setting, Step
from nemesis.outages import hold_still, let_go, start_again, take_down
from nemesis.targets import Chosen, drawn, free

WEIGHTS = {"one": 2, "two": 1}
HOW = ("stop", "kill", "pause")
# A worker is offline after three heartbeats of 5 s, and must be marked so within 20 s.
LENGTHS: tuple[Length, ...] = ((1, 22.0, 24.0),)
# Time to be seen online again before the next fault.
GAP_S = (8.0, 10.0)


class CanHarmWorkers(CanKill, CanPause, Protocol):
    """The same verbs, given names of workers."""


class Workers:
    name = "workers"
    needs = frozenset({"kill", "pause"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["workers"] = "workers"
    min_nodes = 1
    min_time_s = 30.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK, "how": HOW}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S, shortest_s=LENGTHS[0][1])
        targets = choose(rng, WEIGHTS if len(setting.nodes) > 1 else {"one": 1}, len(windows))
        return steps(
            self.name, first, windows, targets, lambda: {"pick": draw_pick(rng), "how": rng.choice(HOW)}
        )

    async def inject(self, cluster: CanHarmWorkers, step: Step) -> Evidence:
        among = await free(cluster, cluster.workers)
        chosen = Chosen(drawn(among, step.options["pick"], {"one": 1, "two": 2}[step.target]))
        match step.options["how"]:
            case "pause":
                return await hold_still(cluster, step, chosen)
            case "kill":
                return await take_down(
                    cluster, step, chosen, "killed", lambda names: cluster.kill(names, lose_unsynced=False)
                )
            case _:
                return await take_down(cluster, step, chosen, "stopped", cluster.stop_nodes)

    async def heal(self, cluster: CanHarmWorkers, step: Step) -> Evidence:
        match step.options["how"]:
            case "pause":
                return await let_go(cluster, step)
            case "kill":
                return await start_again(cluster, step, "killed")
            case _:
                return await start_again(cluster, step, "stopped")
