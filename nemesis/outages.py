"""Processes that are gone or stand still for a while: what kill, stop, cloud, pause and services share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any

from nemesis.bursts import Length, bursts, choose, steps
from nemesis.evidence import (
    conclude,
    ended,
    never_injected,
    nobody,
    not_gone,
    not_replaced,
    not_stopped,
    still_stopped,
)
from nemesis.in_force import in_force
from nemesis.nemesis import CanKill, CanPause, Evidence, Facts, Setting, Step
from nemesis.targets import Chosen

# Ends these nodes, with the facts of CanKill.
End = Callable[[tuple[str, ...]], Awaitable[Facts]]
# What counts as unproven of those facts, in words.
Doubt = Callable[[Facts, Sequence[str]], list[str]]
# Outages so long that progress can be asked for while they last (checkers/availability.py).
LONG: tuple[Length, ...] = ((1, 5.5, 8.0),)
# Time to start again, and to serve, before the next.
LONG_GAP_S = (2.0, 3.0)
# The first may begin after 1.2 s.
LONG_MIN_TIME_S = 8.0


def long_outages(
    nemesis: str,
    rng: Random,
    setting: Setting,
    first: int,
    weights: Mapping[str, int],
    options: Callable[[], dict[str, Any]],
) -> list[Step]:
    windows = bursts(rng, setting.time_limit_s, LONG, LONG_GAP_S, shortest_s=LONG[0][1])
    return steps(nemesis, first, windows, choose(rng, weights, len(windows)), options)


async def take_down(
    cluster: CanKill, step: Step, chosen: Chosen, how: str, end: End, doubt: Doubt = not_gone
) -> Evidence:
    """how: "killed" or "stopped", for the words and as the name of the facts."""
    nodes = chosen.nodes
    if not nodes:
        return nobody(step.target, chosen.note)
    force = in_force(cluster)
    force.injected[step.number] = conclude(nodes, {}, [f"it failed before they were {how}"], "")
    force.silence(nodes, "down")
    facts = await end(nodes)
    proof = f"{how}: {', '.join(nodes)}"
    if step.options.get("lose_unsynced"):
        lost_bytes = sum(facts.get(node, {}).get("lost_bytes", 0) for node in nodes)
        proof += f", {lost_bytes} unsynced bytes lost"
    evidence = conclude(nodes, {how: facts}, doubt(facts, nodes), proof, chosen.note)
    force.injected[step.number] = evidence
    return evidence


async def start_again(cluster: CanKill, step: Step, how: str) -> Evidence:
    """The heal of take_down."""
    force = in_force(cluster)
    begun: Evidence | None = force.injected.get(step.number)
    if begun is None:
        return never_injected()
    facts = await cluster.start_nodes(begun.nodes)
    force.hear(begun.nodes, "down")
    del force.injected[step.number]
    complaints = not_replaced(begun.facts.get(how, {}), facts, begun.nodes)
    return ended(begun, {"started": facts}, complaints, "started again")


async def hold_still(cluster: CanPause, step: Step, chosen: Chosen) -> Evidence:
    nodes = chosen.nodes
    if not nodes:
        return nobody(step.target, chosen.note)
    force = in_force(cluster)
    force.injected[step.number] = conclude(nodes, {}, ["the pause failed"], "")
    force.silence(nodes, "paused")
    facts = await cluster.pause(nodes)
    complaints, proof = not_stopped(facts, nodes), f"paused: {', '.join(nodes)}"
    evidence = conclude(nodes, {"paused": facts}, complaints, proof, chosen.note)
    force.injected[step.number] = evidence
    return evidence


async def let_go(cluster: CanPause, step: Step) -> Evidence:
    """The heal of hold_still."""
    force = in_force(cluster)
    begun: Evidence | None = force.injected.get(step.number)
    if begun is None:
        return never_injected()
    # What was killed meanwhile is no longer stopped, and may be down: its kill's heal starts it.
    paused = [node for node in begun.nodes if force.silenced.get(node) == "paused"]
    facts = await cluster.resume(paused)
    force.hear(paused, "paused")
    del force.injected[step.number]
    return ended(begun, {"resumed": facts}, still_stopped(facts, paused), "resumed")
