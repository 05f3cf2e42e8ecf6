"""kill -9, with what was never synced to disk lost too: what a machine that loses power does."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Literal

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.nemesis import CanKill, Choices, Evidence, Setting, Step
from nemesis.outages import start_again, take_down
from nemesis.targets import choose_nodes

WEIGHTS = {"leader": 4, "all": 2, "majority": 2, "one": 1}
# A single node is its own leader, majority and all.
SINGLE = {"all": 1}
# Short, since starting again takes a second or more by itself, which the gap has to allow for.
GAP_S = (1.5, 2.5)
LENGTHS: tuple[Length, ...] = ((2, 0.2, 0.5), (3, 0.5, 1.2), (1, 1.2, 2.0))
LOSE_UNSYNCED = 0.85


class Kill:
    name = "kill"
    needs = frozenset({"kill"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 1
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK, "lose_unsynced": (False, True)}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S)
        # Only with all of them down at once does nobody hold what was acknowledged but never synced.
        many = len(setting.nodes) > 1
        targets = choose(rng, WEIGHTS if many else SINGLE, len(windows), ("leader", "all") if many else ())
        return steps(
            self.name,
            first,
            windows,
            targets,
            lambda: {"pick": draw_pick(rng), "lose_unsynced": rng.random() < LOSE_UNSYNCED},
        )

    async def inject(self, cluster: CanKill, step: Step) -> Evidence:
        # A paused node may be killed too.
        chosen = await choose_nodes(cluster, step.target, step.options["pick"], avoid=("down",))
        lose = step.options["lose_unsynced"]
        return await take_down(
            cluster, step, chosen, "killed", lambda nodes: cluster.kill(nodes, lose_unsynced=lose)
        )

    async def heal(self, cluster: CanKill, step: Step) -> Evidence:
        return await start_again(cluster, step, "killed")
