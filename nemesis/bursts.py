"""When faults happen: short bursts with breath between them.

Short bursts found bugs four to five times sooner than long, even ones; the lengths straddle the election
timeout (300-600 ms), since what happens just before, at and after it differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from nemesis.nemesis import Range, Step

# A kind of burst: its weight, its shortest and its longest length in seconds.
Length = tuple[int, float, float]
Window = tuple[float, float]

LENGTHS: tuple[Length, ...] = ((2, 0.3, 0.7), (7, 0.7, 1.8), (2, 1.8, 2.8))
FIRST_S = (0.8, 1.2)
GAP_S = (0.7, 1.5)
SHORTEST_S = 0.7
PICK = Range(0.0, 0.999)
# Load that goes on after the last heal.
CALM_AT_END_S = 0.5


def bursts(
    rng: Random,
    time_limit_s: float,
    lengths: Sequence[Length] = LENGTHS,
    gap_s: Window = GAP_S,
    shortest_s: float = SHORTEST_S,
) -> list[Window]:
    """Windows (inject, heal), in seconds after the load began, in order and apart from one another.

    A last burst without room for its drawn length is shortened, down to shortest_s.
    """
    windows: list[Window] = []
    end_s = time_limit_s - CALM_AT_END_S
    at_s = rng.uniform(*FIRST_S)
    while True:
        _, low, high = rng.choices(lengths, [weight for weight, _, _ in lengths])[0]
        length_s = rng.uniform(low, high)
        if at_s + min(length_s, shortest_s) > end_s:
            return windows
        heal_s = min(at_s + length_s, end_s)
        windows.append((round(at_s, 3), round(heal_s, 3)))
        at_s = heal_s + rng.uniform(*gap_s)


def choose(rng: Random, weights: Mapping[str, int], count: int, always: Sequence[str] = ()) -> list[str]:
    """Targets for so many bursts, by weight; from three bursts on, each of `always` is among them."""
    chosen = rng.choices(list(weights), list(weights.values()), k=count)
    if count >= 3:
        for target, place in zip(always, rng.sample(range(count), len(always)), strict=True):
            chosen[place] = target
    return chosen


def draw_pick(rng: Random) -> float:
    """A draw for nemesis.targets, from 0 up to but not 1, short enough to be read in a schedule."""
    return rng.randrange(1000) / 1000


def steps(
    nemesis: str,
    first: int,
    windows: Sequence[Window],
    targets: Sequence[str],
    options: Callable[[], dict[str, Any]],
) -> list[Step]:
    """An inject and its heal for each window, numbered from `first`; options() draws those of the next."""
    made = []
    for number, ((inject_s, heal_s), target) in enumerate(zip(windows, targets, strict=True), first):
        drawn = options()
        made.append(Step(number, inject_s, nemesis, "inject", target, drawn))
        made.append(Step(number, heal_s, nemesis, "heal", target, drawn))
    return made


def pairs(steps: Sequence[Step]) -> list[tuple[Step, Step]]:
    """Each inject with its heal."""
    heals = {step.number: step for step in steps if step.action == "heal"}
    return [(step, heals[step.number]) for step in steps if step.action == "inject"]
