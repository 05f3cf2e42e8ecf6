"""Whom a fault falls on: turns a schedule's words into nodes at the moment of the inject."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from nemesis.in_force import Silence, in_force
from nemesis.nemesis import Cluster, Link

LEADER_DEADLINE_S = 2.0
# Three nodes that start again on a busy host take a few seconds.
FREE_DEADLINE_S = 15.0
_POLL_S = 0.05
_UNLED = f"no leader was known within {LEADER_DEADLINE_S:g} s, so the draw chose"
ANY_SILENCE: tuple[Silence, ...] = ("paused", "down")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The nodes a target selects, in the cluster's order. note: what the evidence must say of the choice."""

    nodes: tuple[str, ...]
    note: str = ""


async def choose_nodes(
    cluster: Cluster, target: str, pick: float, avoid: Sequence[Silence] = ANY_SILENCE
) -> Chosen:
    """Resolves "leader", "follower", "one", "majority" (of all nodes) or "all", among nodes that no fault
    silences already.

    pick: the draw, from 0 up to 1, that decides where there is a choice, so that a replay chooses the same
    Where no leader is known in time the draw chooses in its place, and the note says so. Waits a while for
    nodes that another fault has silenced; where they stay so, nothing is chosen.
    """
    if target == "leader":
        leader = await find_leader(cluster)
        if leader is not None:
            return Chosen((leader,))
        return Chosen(drawn(await free(cluster, cluster.nodes, avoid), pick, 1), _UNLED)
    if target == "follower":
        leader = await find_leader(cluster)
        followers = [node for node in cluster.nodes if node != leader]
        return Chosen(drawn(await free(cluster, followers, avoid), pick, 1), "" if leader else _UNLED)
    among = await free(cluster, cluster.nodes, avoid)
    count = {"one": 1, "majority": len(cluster.nodes) // 2 + 1, "all": len(among)}[target]
    return Chosen(drawn(among, pick, count))


async def find_leader(cluster: Cluster) -> str | None:
    """The leader, once there is one that no fault silences; None where there is none in time."""
    silenced = in_force(cluster).silenced
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LEADER_DEADLINE_S
    while True:
        leader = await cluster.leader()
        if leader is not None and leader not in silenced:
            return leader
        if loop.time() >= deadline:
            return None
        await asyncio.sleep(_POLL_S)


async def free(cluster: Cluster, names: Sequence[str], avoid: Sequence[Silence] = ANY_SILENCE) -> list[str]:
    """Those of these nodes, workers and services that no fault silences, once there are any."""
    silenced = in_force(cluster).silenced
    loop = asyncio.get_running_loop()
    deadline = loop.time() + FREE_DEADLINE_S
    while True:
        found = [name for name in names if silenced.get(name) not in avoid]
        if found or loop.time() >= deadline:
            return found
        await asyncio.sleep(_POLL_S)


def drawn(among: Sequence[str], pick: float, count: int) -> tuple[str, ...]:
    """`count` neighbours on a ring of nodes, beginning where the draw says; all where there are fewer."""
    start = int(pick * len(among))
    taken = [*among[start:], *among[:start]][:count]
    return tuple(node for node in among if node in taken)


def drawn_pair(nodes: Sequence[str], pick: float) -> Link:
    """One pair of nodes, of all there are."""
    pairs = list(combinations(nodes, 2))
    return pairs[int(pick * len(pairs))]


def cloud(name: str) -> str:
    """Where a node or a worker stands: cp-aws-1 in aws."""
    return name.split("-")[1]


def links_of(node: str, nodes: Sequence[str]) -> tuple[Link, ...]:
    """The directed links from a node to each peer, and back."""
    return tuple(link for peer in nodes if peer != node for link in ((node, peer), (peer, node)))


def links_among(nodes: Sequence[str]) -> tuple[Link, ...]:
    """Every directed link between two of the nodes."""
    return tuple((src, dst) for src in nodes for dst in nodes if src != dst)
