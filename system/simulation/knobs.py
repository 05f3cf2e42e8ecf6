"""What one simulated cluster is tuned to: as the real ones are, or drawn from the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from random import Random
from typing import Any

MS = 1_000_000
BATCHES = (1, 3, 64)
FASTEST_ELECTION_MS = 300
# The narrow range makes votes split; with 10 ms instead of 50 they split for minutes, in a correct Raft too.
SLOWEST_ELECTION_MS = (350, 600)
SYNC_MS = (0.5, 80.0)
DRIFT = 0.05
KEYS = (1, 2, 4)
# The share of clusters whose clocks all go right: there what happens at the same time keeps doing so.
STEADY = 0.35
# One in so many clusters runs the real asyncio shell around its replicas. Odd, so that whatever seeds take
# turns at comes upon it.
SHELL_EVERY = 31
# What the numbers of a knob may be; of those not named, from 0 to the longest.
LONGEST_MS = 60_000
BOUNDS = {
    "max_batch": (1, 100_000),
    "keys": (0, 1_000),
    "election_ms": (200, LONGEST_MS),
    "drift": (-0.5, 0.5),
}


class KnobError(ValueError):
    """Knobs that no cluster can be tuned to; one line."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """max_batch:       entries a message, at most
    election_ms:     the range of election timeouts
    sync_ms:         what a sync of the log takes: half of it at least, twice as long at most, and now and
                     then ten times as long
    drift:           how much faster each node's clock goes, {node number: share}; None: not at all
    jitter_ms:       by how much a message may come later than the distance says
    sync_samples_ms, lag_samples_ms, link_samples_ms: measured durations to draw from instead: of a sync, of a
                     timer's lateness, and of what a link adds to its distance
    keys:            how many lists or registers clients use at a time; 0: as many as usual
    shell:           the real asyncio shell and the real log run around the replicas, not stand-ins for them
    """

    max_batch: int = 64
    election_ms: tuple[int, int] = (FASTEST_ELECTION_MS, 600)
    sync_ms: float = 1.0
    drift: tuple[float, ...] = ()
    jitter_ms: float = 1.0
    sync_samples_ms: tuple[float, ...] = ()
    lag_samples_ms: tuple[float, ...] = ()
    link_samples_ms: tuple[float, ...] = ()
    keys: int = 0
    shell: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def drawn(seed: int, nodes: Sequence[str]) -> Knobs:
    """Tuned by the seed: small batches, narrow ranges and slow disks show what the usual ones hide."""
    rng = Random(f"{seed}/knobs")
    low, high = SYNC_MS
    return Knobs(
        max_batch=rng.choice(BATCHES),
        election_ms=(FASTEST_ELECTION_MS, rng.choice(SLOWEST_ELECTION_MS)),
        sync_ms=round(low * (high / low) ** rng.random(), 3),
        drift=() if rng.random() < STEADY else tuple(round(rng.uniform(-DRIFT, DRIFT), 4) for _ in nodes),
        jitter_ms=rng.choice((0.2, 1.0, 5.0)),
        keys=rng.choice(KEYS),
        shell=seed % SHELL_EVERY == 1,
    )


def from_json(said: Any) -> Knobs:
    """Raises KnobError."""
    known = {field.name: field.default for field in fields(Knobs)}
    if not isinstance(said, Mapping) or not set(said) <= set(known):
        raise KnobError(f"knobs are {said!r}; expected an object with some of {', '.join(known)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    for name, value in values.items():
        if not _is_like(value, known[name]):
            raise KnobError(f"knob {name} is {said[name]!r}; expected a value such as {known[name]!r}")
        if not _is_possible(name, value):
            raise KnobError(f"knob {name} is {said[name]!r}; no cluster can be tuned to that")
    made: Any = values
    return Knobs(**made)


def _is_possible(name: str, value: Any) -> bool:
    numbers = value if isinstance(value, tuple) else (value,)
    low, high = BOUNDS.get(name, (0, LONGEST_MS))
    if not all(low <= number <= high for number in numbers):
        return False
    if name == "election_ms":
        return len(numbers) == 2 and numbers[0] <= numbers[1]
    return name not in ("max_batch", "keys") or isinstance(value, int)


def _is_like(value: Any, default: Any) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(_is_like(one, 0.0) for one in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)
