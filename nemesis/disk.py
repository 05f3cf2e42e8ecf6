"""Disks that are slow, that fail, and that do not hold what was written: on one node at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from nemesis.bursts import PICK, Length, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, ended, never_injected, nobody, not_gone, not_replaced
from nemesis.in_force import in_force
from nemesis.nemesis import CanHarmDisks, Choices, Evidence, Facts, Range, Setting, Step
from nemesis.targets import choose_nodes

WEIGHTS = {"slow": 3, "fail": 3, "flip": 2}
LENGTHS: tuple[Length, ...] = ((2, 0.5, 1.0), (3, 1.0, 2.0), (1, 2.0, 3.0))
SHORTEST_S = 0.5
GAP_S = (0.8, 1.6)
TIMES = (5, 50)
OF = ("leader", "one")


@dataclass(frozen=True, slots=True)
class _Harm:
    node: str
    evidence: Evidence


class Disk:
    name = "disk"
    needs = frozenset({"disk", "kill"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3  # the others are to go on
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    # times: of slow disks only.
    options: Mapping[str, Choices] = {"pick": PICK, "of": OF, "times": Range(1, 1000)}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s, LENGTHS, GAP_S, SHORTEST_S)
        targets = choose(rng, WEIGHTS, len(windows))
        return steps(self.name, first, windows, targets, lambda: _options(rng))

    async def inject(self, cluster: CanHarmDisks, step: Step) -> Evidence:
        chosen = await choose_nodes(cluster, step.options["of"], step.options["pick"])
        if not chosen.nodes:
            return nobody(step.target, chosen.note)
        (node,) = chosen.nodes
        force = in_force(cluster)
        force.injected[step.number] = _Harm(node, conclude([node], {}, ["it failed half-way"], ""))
        if step.target != "slow":
            force.silence([node], "down")
        harm = {"slow": _slow, "fail": _fail, "flip": _flip}[step.target]
        facts, complaints, proof = await harm(cluster, step, node)
        evidence = conclude([node], facts, complaints, proof, chosen.note)
        force.injected[step.number] = _Harm(node, evidence)
        return evidence

    async def heal(self, cluster: CanHarmDisks, step: Step) -> Evidence:
        force = in_force(cluster)
        harm: _Harm | None = force.injected.get(step.number)
        if harm is None:
            return never_injected()
        node = harm.node
        mended = await cluster.mend_disk(node)
        if step.target == "slow":
            evidence = _was_slow(harm, mended)
        else:
            frame = harm.evidence.facts.get("flipped", {}).get(node, {}).get("frame")
            if frame is not None:
                await cluster.restore_disk(node, frame)
            started = await cluster.start_nodes([node])
            force.hear([node], "down")
            complaints = not_replaced(harm.evidence.facts.get("ended", {}), started, [node])
            evidence = ended(harm.evidence, {"started": started}, complaints, "started again")
        del force.injected[step.number]
        return evidence


def _options(rng: Random) -> dict[str, Any]:
    return {"pick": draw_pick(rng), "of": rng.choices(OF, (2, 1))[0], "times": rng.randint(*TIMES)}


async def _slow(cluster: CanHarmDisks, step: Step, node: str) -> tuple[Facts, list[str], str]:
    times = step.options["times"]
    facts = await cluster.slow_disk(node, times)
    return {"slow": facts}, [], f"syncs of {node} take {times:g} times as long"


def _was_slow(harm: _Harm, mended: Facts) -> Evidence:
    """Proven by the syncs that were slow."""
    slow_syncs = mended.get(harm.node, {}).get("slow_syncs", 0)
    complaints = [] if slow_syncs else [f"{harm.node} synced nothing meanwhile"]
    return ended(harm.evidence, {"mended": mended}, complaints, f"{slow_syncs} syncs")


async def _fail(cluster: CanHarmDisks, step: Step, node: str) -> tuple[Facts, list[str], str]:
    """A node that cannot write its log any more ends by itself."""
    facts = await cluster.fail_sync(node)
    return {"ended": facts}, not_gone(facts, [node]), f"a sync of {node} failed, and it ended"


async def _flip(cluster: CanHarmDisks, step: Step, node: str) -> tuple[Facts, list[str], str]:
    """Nobody may start from such a log: that one refuses to is the proof."""
    gone = await cluster.kill([node], lose_unsynced=False)
    flipped = await cluster.flip_bit(node, step.options["pick"])
    frame = flipped.get(node, {}).get("frame")
    facts = {"ended": gone, "flipped": flipped}
    if frame is None:
        return facts, [f"{node} had nothing synced that could change"], ""
    refused = await cluster.start_nodes([node])
    facts["refused"] = refused
    said = refused.get(node, {})
    started = said.get("pid") != said.get("was_pid")
    complaints = [f"{node} started from a log that is not as written"] if started else []
    return facts, complaints, f"killed {node}, flipped a bit of line {frame} of its log: it would not start"
