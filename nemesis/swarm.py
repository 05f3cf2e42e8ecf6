"""A random subset of all faults at random rates, another one for each seed, and often noise beneath them.

Bugs hide behind faults that keep each other from striking: a run with few of them, often, finds what one with
all of them never would (Groce et al., Swarm Testing, 2012). The steps are those of the other nemeses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Literal

from nemesis.bare_majority import BareMajority
from nemesis.bursts import CALM_AT_END_S, draw_pick, pairs
from nemesis.churn import Churn
from nemesis.clock import Clock
from nemesis.cloud import Cloud
from nemesis.deposed import Deposed
from nemesis.disk import Disk
from nemesis.duplicate import DUPLICATE
from nemesis.evidence import never_injected, nobody
from nemesis.kill import Kill
from nemesis.latency import Latency
from nemesis.loss import LOSS
from nemesis.nemesis import Choices, Evidence, Nemesis, Setting, Step
from nemesis.outages import LONG_MIN_TIME_S
from nemesis.packets import PacketNemesis
from nemesis.partition import Partition
from nemesis.pause import Pause
from nemesis.reorder import REORDER
from nemesis.slow_ack import SlowAck
from nemesis.stop import Stop
from nemesis.trigger import Trigger

Fault = tuple[Step, Step]

MEMBERS: tuple[tuple[Nemesis, int], ...] = (
    *((Churn(), 3), (Trigger(), 4), (Deposed(), 4), (SlowAck(), 4)),
    *((Partition(), 4), (Kill(), 4), (Pause(), 3), (Stop(), 1), (Cloud(), 1)),
    *((Latency(), 1), (LOSS, 1), (REORDER, 2), (DUPLICATE, 1), (Disk(), 3), (Clock(), 1)),
)
# Those that alone, in rapid succession, show what a mixture hides.
ALONE: tuple[tuple[Nemesis, int], ...] = (
    *((Churn(), 2), (Trigger(), 3), (Deposed(), 2), (SlowAck(), 5)),
    *((BareMajority(), 3), (Disk(), 2)),
)
ALONE_SHARE = 0.5
NOISE: tuple[PacketNemesis, ...] = (LOSS, DUPLICATE, REORDER)
NOISE_SHARE = 0.5
NOISE_AMOUNT = (0.01, 0.04)
NOISE_FROM_S = 0.1
KINDS = (2, 4)
# Of its own plan, the share of a kind's faults that is kept.
KEPT = (0.3, 1.0)
MOST_FAULTS = 10


class Swarm:
    name = "swarm"
    needs = frozenset().union(*(member.needs for member, _ in MEMBERS))
    target_needs: Mapping[str, frozenset[str]] = {}
    on: Literal["nodes"] = "nodes"
    min_nodes = 3
    min_time_s = LONG_MIN_TIME_S
    targets: tuple[str, ...] = ()
    options: Mapping[str, Choices] = {}
    checkers: tuple[str, ...] = ()

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        """Steps of the members, each with its own nemesis' name."""
        if rng.random() < ALONE_SHARE:
            chosen = _choose(rng, ALONE, 1)
            faults = pairs(chosen[0].plan(rng, setting, 0))
        else:
            chosen = _choose(rng, MEMBERS, rng.randint(*KINDS))
            faults = [fault for member in chosen for fault in _thinned(rng, member.plan(rng, setting, 0))]
        while len(faults) > MOST_FAULTS:
            del faults[rng.randrange(len(faults))]
        if rng.random() < NOISE_SHARE:
            quiet = [noise for noise in NOISE if noise not in chosen]
            for one in rng.sample(quiet, min(len(quiet), rng.randint(1, len(NOISE)))):
                faults.append(_noise(rng, one, setting))
        numbered = enumerate(faults, first)
        return [replace(step, number=number) for number, fault in numbered for step in fault]

    async def inject(self, cluster: Any, step: Step) -> Evidence:
        """No step bears its name."""
        return nobody(step.target)

    async def heal(self, cluster: Any, step: Step) -> Evidence:
        return never_injected()


def _choose(rng: Random, among: Sequence[tuple[Nemesis, int]], count: int) -> list[Nemesis]:
    """So many different ones, by weight."""
    left, chosen = list(among), []
    for _ in range(count):
        place = rng.choices(range(len(left)), [weight for _, weight in left])[0]
        chosen.append(left.pop(place)[0])
    return chosen


def _thinned(rng: Random, steps: Sequence[Step]) -> list[Fault]:
    """At least one of them stays."""
    faults, rate = pairs(steps), rng.uniform(*KEPT)
    kept = [fault for fault in faults if rng.random() < rate]
    return kept or faults[:1]


def _noise(rng: Random, harm: PacketNemesis, setting: Setting) -> Fault:
    """A little of it on all links, from the beginning of the load to the end."""
    options = {"pick": draw_pick(rng), harm.how: round(rng.uniform(*NOISE_AMOUNT), 3)}
    inject = Step(0, NOISE_FROM_S, harm.name, "inject", "all", options)
    return inject, replace(inject, at_s=round(setting.time_limit_s - CALM_AT_END_S, 3), action="heal")
