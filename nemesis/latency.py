"""Links that become slow, with jitter: leaders that seem dead, messages of an earlier term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from nemesis.bursts import PICK, bursts, choose, draw_pick, steps
from nemesis.evidence import conclude, ended, never_injected, nobody, not_delayed, still_delayed
from nemesis.in_force import in_force
from nemesis.nemesis import CanDelay, Choices, Evidence, Link, Range, Setting, Step
from nemesis.targets import choose_nodes, drawn_pair, links_among, links_of

WEIGHTS = {"leader": 4, "all": 3, "one-link": 1}
# On top of the links' own delay, each way. 150 ms and more bring the round trip near the election timeout.
EXTRA_MS = (50, 300)
JITTER = 0.25  # of the extra, at most


@dataclass(frozen=True, slots=True)
class _Delay:
    links: tuple[Link, ...]
    evidence: Evidence


class Latency:
    name = "latency"
    needs = frozenset({"delay"})
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 2
    min_time_s = 3.0
    targets = tuple(WEIGHTS)
    options: Mapping[str, Choices] = {
        "pick": PICK,
        "extra_ms": Range(1, 10_000),
        "jitter_ms": Range(0, 10_000),
    }
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        windows = bursts(rng, setting.time_limit_s)
        return steps(self.name, first, windows, choose(rng, WEIGHTS, len(windows)), lambda: _options(rng))

    async def inject(self, cluster: CanDelay, step: Step) -> Evidence:
        nodes, links, note = await _select(cluster, step)
        if not links:
            return nobody(step.target, note)
        force = in_force(cluster)
        force.injected[step.number] = _Delay(links, conclude(nodes, {}, ["the delay failed"], ""))
        extra_ms, jitter_ms = step.options["extra_ms"], step.options["jitter_ms"]
        silenced = force.watch()
        facts = await cluster.delay(links, extra_ms, jitter_ms)
        unmeasurable = _unmeasurable(links, force.cut, silenced())
        complaints = not_delayed(facts, links, extra_ms, unmeasurable)
        proof = (
            f"{step.target} {', '.join(nodes)}: {extra_ms:g} ± {jitter_ms:g} ms more on {len(links)} links"
        )
        evidence = conclude(nodes, {"delayed": facts}, complaints, proof, note)
        force.injected[step.number] = _Delay(links, evidence)
        return evidence

    async def heal(self, cluster: CanDelay, step: Step) -> Evidence:
        injected = in_force(cluster).injected
        delay: _Delay | None = injected.get(step.number)
        if delay is None:
            return never_injected()
        facts = await cluster.undelay(delay.links)
        del injected[step.number]
        before = delay.evidence.facts.get("delayed", {})
        complaints = still_delayed(before, facts, delay.links, step.options["extra_ms"])
        return ended(delay.evidence, {"undelayed": facts}, complaints, "as fast as before")


def _options(rng: Random) -> dict[str, float]:
    extra_ms = rng.randint(*EXTRA_MS)
    return {
        "pick": draw_pick(rng),
        "extra_ms": extra_ms,
        "jitter_ms": round(extra_ms * rng.uniform(0, JITTER)),
    }


async def _select(cluster: CanDelay, step: Step) -> tuple[tuple[str, ...], tuple[Link, ...], str]:
    """(nodes, links, note) of a step's target; both directions of each link."""
    everyone, pick = tuple(cluster.nodes), step.options["pick"]
    if step.target == "all":
        return everyone, links_among(everyone), ""
    if step.target == "one-link":
        pair = drawn_pair(everyone, pick)
        return pair, links_among(pair), ""
    chosen = await choose_nodes(cluster, "leader", pick)
    return (
        chosen.nodes,
        tuple(link for node in chosen.nodes for link in links_of(node, everyone)),
        chosen.note,
    )


def _unmeasurable(links: Sequence[Link], cut: Sequence[Link], silenced: Sequence[str]) -> list[Link]:
    """Links over which no answer comes, since another fault cuts them or silences an end."""
    return [
        (src, dst)
        for src, dst in links
        if (src, dst) in cut or (dst, src) in cut or src in silenced or dst in silenced
    ]
