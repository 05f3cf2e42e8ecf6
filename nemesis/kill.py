"""kill -9, with what was never synced to disk lost too: what a machine that loses power does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, ended, never_injected, nobody, not_gone, not_replaced
from nemesis.in_force import in_force
from nemesis.nemesis import CanKill, Choices, Evidence, Step
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
    on: Literal["nodes"] = "nodes"
    min_nodes = 1
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK, "lose_unsynced": (False, True)}

    def plan(self, rng: Random, nodes: Sequence[str], time_limit_s: float, first: int) -> list[Step]:
        windows = bursts(rng, time_limit_s, LENGTHS, GAP_S)
        # Only with all of them down at once does nobody hold what was acknowledged but never synced.
        many = len(nodes) > 1
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
        if not chosen.nodes:
            return nobody(step.target, chosen.note)
        force = in_force(cluster)
        force.injected[step.number] = conclude(chosen.nodes, {}, ["the kill failed"], "")
        force.silence(chosen.nodes, "down")
        lose = step.options["lose_unsynced"]
        facts = await cluster.kill(chosen.nodes, lose_unsynced=lose)
        lost_bytes = sum(facts.get(node, {}).get("lost_bytes", 0) for node in chosen.nodes)
        proof = f"killed: {', '.join(chosen.nodes)}" + (f", {lost_bytes} unsynced bytes lost" if lose else "")
        evidence = conclude(
            chosen.nodes, {"killed": facts}, not_gone(facts, chosen.nodes), proof, chosen.note
        )
        force.injected[step.number] = evidence
        return evidence

    async def heal(self, cluster: CanKill, step: Step) -> Evidence:
        force = in_force(cluster)
        begun: Evidence | None = force.injected.get(step.number)
        if begun is None:
            return never_injected()
        facts = await cluster.start_nodes(begun.nodes)
        force.hear(begun.nodes)
        del force.injected[step.number]
        complaints = not_replaced(begun.facts.get("killed", {}), facts, begun.nodes)
        return ended(begun, {"started": facts}, complaints, "started again")
