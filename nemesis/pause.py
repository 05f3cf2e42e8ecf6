"""SIGSTOP: nodes that stand still and believe, once resumed, that no time has passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

from nemesis.bursts import PICK, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, ended, never_injected, nobody, not_stopped, still_stopped
from nemesis.in_force import in_force
from nemesis.nemesis import CanPause, Choices, Evidence, Step
from nemesis.targets import choose_nodes

# A paused leader wakes up and does not know that it was deposed. All of them wake up with timers run out, and
# stand for election at the same time.
WEIGHTS = {"leader": 6, "all": 2, "one": 1, "majority": 1}
# A single node is its own leader, majority and all.
SINGLE = {"all": 1}


class Pause:
    name = "pause"
    needs = frozenset({"pause"})
    on: Literal["nodes"] = "nodes"
    min_nodes = 1
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {"pick": PICK}

    def plan(self, rng: Random, nodes: Sequence[str], time_limit_s: float, first: int) -> list[Step]:
        windows = bursts(rng, time_limit_s)
        targets = choose(rng, WEIGHTS if len(nodes) > 1 else SINGLE, len(windows))
        return steps(self.name, first, windows, targets, lambda: {"pick": draw_pick(rng)})

    async def inject(self, cluster: CanPause, step: Step) -> Evidence:
        chosen = await choose_nodes(cluster, step.target, step.options["pick"])
        if not chosen.nodes:
            return nobody(step.target, chosen.note)
        force = in_force(cluster)
        force.injected[step.number] = conclude(chosen.nodes, {}, ["the pause failed"], "")
        force.silence(chosen.nodes, "paused")
        facts = await cluster.pause(chosen.nodes)
        proof = f"stopped: {', '.join(chosen.nodes)}"
        evidence = conclude(
            chosen.nodes, {"paused": facts}, not_stopped(facts, chosen.nodes), proof, chosen.note
        )
        force.injected[step.number] = evidence
        return evidence

    async def heal(self, cluster: CanPause, step: Step) -> Evidence:
        force = in_force(cluster)
        begun: Evidence | None = force.injected.get(step.number)
        if begun is None:
            return never_injected()
        # What was killed meanwhile is no longer stopped, and may be down: its kill's heal starts it.
        paused = [node for node in begun.nodes if force.silenced.get(node) == "paused"]
        facts = await cluster.resume(paused)
        force.hear(paused)
        del force.injected[step.number]
        return ended(begun, {"resumed": facts}, still_stopped(facts, paused), "resumed")
