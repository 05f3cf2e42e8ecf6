"""A whole cloud lost: its control-plane nodes, its workers, and the services that have their home there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Literal

from nemesis.bursts import PICK, draw_pick
from nemesis.in_force import in_force
from nemesis.kill import LOSE_UNSYNCED
from nemesis.nemesis import CanKill, Choices, Evidence, Facts, Setting, Step
from nemesis.outages import LONG_MIN_TIME_S, long_outages, start_again, take_down
from nemesis.targets import Chosen, choose_nodes, cloud

WEIGHTS = {"leader": 2, "one": 1}


class Cloud:
    name = "cloud"
    needs = frozenset({"kill"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3  # in three clouds, so that no cloud has a majority
    min_time_s = LONG_MIN_TIME_S
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK, "lose_unsynced": (False, True)}
    checkers: tuple[str, ...] = ("availability",)

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        return long_outages(self.name, rng, setting, first, WEIGHTS, lambda: _options(rng))

    async def inject(self, cluster: CanKill, step: Step) -> Evidence:
        chosen = await choose_nodes(cluster, step.target, step.options["pick"], avoid=("down",))
        nodes = tuple(name for node in chosen.nodes for name in _up_beside(node, cluster))
        lose = step.options["lose_unsynced"]
        return await take_down(
            cluster, step, Chosen(nodes, chosen.note), "killed", lambda names: _kill(cluster, names, lose)
        )

    async def heal(self, cluster: CanKill, step: Step) -> Evidence:
        return await start_again(cluster, step, "killed")


def _options(rng: Random) -> dict[str, float]:
    return {"pick": draw_pick(rng), "lose_unsynced": rng.random() < LOSE_UNSYNCED}


def _up_beside(node: str, cluster: CanKill) -> list[str]:
    """All that stands in the node's cloud, but for what another fault holds down, whose heal starts it."""
    where = {name: cloud(name) for name in (*cluster.nodes, *cluster.workers)}
    where |= {service: home for service, home in cluster.homes.items() if service in cluster.services}
    silenced = in_force(cluster).silenced
    return [name for name, home in where.items() if home == cloud(node) and silenced.get(name) != "down"]


async def _kill(cluster: CanKill, names: tuple[str, ...], lose_unsynced: bool) -> Facts:
    """All at once. Only control-plane nodes can lose what was never synced: they alone say what was."""
    nodes = [name for name in names if name in cluster.nodes]
    others = [name for name in names if name not in cluster.nodes]
    killed = await asyncio.gather(
        cluster.kill(nodes, lose_unsynced=lose_unsynced), cluster.kill(others, lose_unsynced=False)
    )
    return {name: facts for some in killed for name, facts in some.items()}
