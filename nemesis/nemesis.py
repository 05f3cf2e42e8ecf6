"""The language of harm: what a nemesis is, what it asks of a cluster, and what it shows afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Protocol

# An ordered pair of sites: messages from the first to the second.
Link = tuple[str, str]
# JSON values: what a cluster reports of a fault that it applied or removed.
Facts = dict[str, Any]
# "packets": everything from the first to the second stops, acknowledgements too.
# "messages": messages stop, but what the connection itself says (acknowledgements, keepalives) still passes.
CutKind = Literal["packets", "messages"]
Action = Literal["inject", "heal"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Proof that a fault took effect, or that it is gone.

    nodes: the nodes it fell on. facts: the proof as JSON values. summary: the proof in one line.
    """

    took_effect: bool
    nodes: tuple[str, ...]
    summary: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a nemesis does. A schedule is a list of these, sorted by time.

    number: pairs an inject with its heal
    at_s:   seconds after the load began
    target: the nemesis' own word for what it falls on, such as "isolate-leader"; resolved when injected
    options: further draws, so that a replay injects exactly the same (JSON values)
    """

    number: int
    at_s: float
    nemesis: str
    action: Action
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)


class Cluster(Protocol):
    """What every nemesis may ask. `nodes` are the control-plane nodes in a fixed order."""

    @property
    def nodes(self) -> Sequence[str]: ...
    @property
    def workers(self) -> Sequence[str]: ...
    @property
    def capabilities(self) -> frozenset[str]: ...
    async def leader(self) -> str | None: ...


class CanCut(Cluster, Protocol):
    async def cut(self, links: Sequence[Link], kind: CutKind) -> Facts:
        """Cuts each directed link; returns when traffic was seen to be held back, or after 2 s.
        Facts: {"a->b": {"held_bytes": int, "passed_bytes": int (since the cut)}} for each link, and for its reverse."""

    async def mend(self, links: Sequence[Link]) -> Facts:
        """Mends them; the same facts, counted from the cut to now."""


class CanPause(Cluster, Protocol):
    async def pause(self, nodes: Sequence[str]) -> Facts:
        """SIGSTOP. Facts: {node: {"pid": int, "state": "T"}} as the kernel reports it."""

    async def resume(self, nodes: Sequence[str]) -> Facts: ...


class CanKill(Cluster, Protocol):
    async def kill(self, nodes: Sequence[str], *, lose_unsynced: bool) -> Facts:
        """kill -9, and where asked the bytes that were never synced are lost too.
        Facts: {node: {"pid": int, "gone": bool, "lost_bytes": int}}."""

    async def stop_nodes(self, nodes: Sequence[str]) -> Facts:
        """Graceful stop (SIGTERM). Facts: {node: {"pid": int, "gone": bool, "exit_code": int}}."""

    async def start_nodes(self, nodes: Sequence[str]) -> Facts:
        """Starts what is not running; returns once it answers. Facts: {node: {"pid": int, "was_pid": int}}."""


class CanDelay(Cluster, Protocol):
    async def delay(self, links: Sequence[Link], extra_ms: float, jitter_ms: float) -> Facts:
        """Facts: {"a->b": {"rtt_before_ms": float, "rtt_ms": float}}: round trips measured through the links."""

    async def undelay(self, links: Sequence[Link]) -> Facts: ...


class Nemesis(Protocol):
    """One file in this room, one line in nemesis.NEMESES.

    needs: the capability a cluster must offer ("cut", "pause", "kill", "delay"; "" for none)
    plan:  draws this nemesis' steps for a run of `time_limit_s` from its own random stream; numbers count from `first`
    """

    name: str
    needs: str

    def plan(self, rng: Random, nodes: Sequence[str], time_limit_s: float, first: int) -> list[Step]: ...
    async def inject(self, cluster: Any, step: Step) -> Evidence: ...
    async def heal(self, cluster: Any, step: Step) -> Evidence: ...
