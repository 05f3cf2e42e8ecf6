"""The language of harm: what a nemesis is, what it asks of a cluster, and what it shows afterwards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
# Services that a cluster may run besides its nodes.
SERVICES = ("gateway", "minio")
# What a cluster may be able to do, a word each; of a service: that it is there.
CAPABILITIES = (
    *("cut", "cut-messages", "pause", "kill", "delay"),
    *("lose", "duplicate", "reorder", "corrupt", "rate"),
    *("elections", "hold", "trigger", "disk", "clock"),
    *SERVICES,
)


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
    """What every nemesis may ask. Verbs that take `nodes` take names of workers and services too.

    nodes:        the control-plane nodes in a fixed order; the second part of a name is its cloud
    services:     those of SERVICES that it runs
    homes:        {service: its cloud}, of those that stand in one
    capabilities: what it can do, of CAPABILITIES
    """

    @property
    def nodes(self) -> Sequence[str]: ...
    @property
    def workers(self) -> Sequence[str]: ...
    @property
    def services(self) -> Sequence[str]: ...
    @property
    def homes(self) -> Mapping[str, str]: ...
    @property
    def capabilities(self) -> frozenset[str]: ...
    async def leader(self) -> str | None: ...
    async def still_harmed(self) -> Sequence[str]:
        """What faults have left behind on links, processes, disks and clocks, by looking at these: a few
        words each, such as "cp-aws-1 is stopped". Not who does not run, for that may be its own doing."""


class CanCut(Cluster, Protocol):
    async def cut(self, links: Sequence[Link], kind: CutKind) -> Facts:
        """Cuts each directed link; returns when traffic was seen to be held back, or after 2 s.
        Facts since the cut, for each link and for its reverse:
        {"a->b": {"held_bytes": int, "passed_bytes": int, "passed_messages": int, "quiet_ms": int}};
        quiet_ms: how long ago the last message passed, or the cut began where none did."""

    async def mend(self, links: Sequence[Link]) -> Facts:
        """Mends them; the same facts, counted from the cut to now."""


class CanPause(Cluster, Protocol):
    async def pause(self, nodes: Sequence[str]) -> Facts:
        """SIGSTOP, or a container's freezer. Facts: {node: {"pid": int, "state": "T" or "frozen"}} as the
        kernel reports it."""

    async def resume(self, nodes: Sequence[str]) -> Facts:
        """SIGCONT, or thawed. The same facts, with another state. A node without a process is left alone."""


class CanKill(Cluster, Protocol):
    async def kill(self, nodes: Sequence[str], *, lose_unsynced: bool) -> Facts:
        """kill -9, and where asked the bytes that were never synced are lost too.
        Facts: {node: {"pid": int, "gone": bool, "lost_bytes": int}}."""

    async def stop_nodes(self, nodes: Sequence[str]) -> Facts:
        """Graceful stop (SIGTERM). Facts: {node: {"pid": int, "gone": bool, "exit_code": int}}."""

    async def start_nodes(self, nodes: Sequence[str]) -> Facts:
        """Starts what is not running; returns once it answers.
        Facts: {node: {"pid": int, "was_pid": int}}."""


class CanDelay(Cluster, Protocol):
    async def delay(self, links: Sequence[Link], extra_ms: float, jitter_ms: float) -> Facts:
        """Delays each directed link. Facts: {"a->b": {"rtt_before_ms": float, "rtt_ms": float}}: round trips
        from a to b and back, measured through the links; rtt_ms None where no answer came."""

    async def undelay(self, links: Sequence[Link]) -> Facts:
        """The same facts, measured again: rtt_before_ms with the delay, rtt_ms without."""


class CanShape(Cluster, Protocol):
    async def shape(self, links: Sequence[Link], how: Mapping[str, float]) -> Facts:
        """Harms packets on each directed link, besides what is in force there already. how: of "loss",
        "duplicate", "reorder" and "corrupt" the share of packets, from 0 to 1; of "rate_bytes_s" bytes a
        second. Returns when it was seen to take effect, or after 2 s. Facts since then: {"a->b": {"packets",
        "dropped", "duplicated", "reordered", "corrupted", "queued"}}, each a number of packets; queued: had
        to wait for the rate."""

    async def unshape(self, links: Sequence[Link], which: Sequence[str]) -> Facts:
        """Ends these harms. The same facts, counted from the shape to now. Idempotent."""


class CanTellElections(Cluster, Protocol):
    async def elected(self, after_term: int, within_s: float) -> tuple[str, int] | None:
        """(leader, term) once somebody leads a later term than that, at the very moment; None where nobody
        does in time."""


class CanHold(Cluster, Protocol):
    async def hold(self, links: Sequence[Link], kinds: Sequence[str]) -> Facts:
        """Messages of these types ("vote", "vote-reply", "append", "append-reply") arrive no more, all others
        do. Facts as of CanCut.cut."""

    async def release(self, links: Sequence[Link], kinds: Sequence[str]) -> Facts:
        """They arrive after all. The same facts, counted from the hold to now."""


class CanTrigger(Cluster, Protocol):
    async def arm(self, number: int, kind: str, *, most: int, down_ms: float, lose_unsynced: bool) -> Facts:
        """From now on whoever sends a message of this type (only votes that are asked for or given in
        earnest) is killed when it has left, and starts again so much later; so many times at most, and never
        a majority at once."""

    async def disarm(self, number: int) -> Facts:
        """Returns when it has killed somebody, or after 2 s, and whom it killed has had its time to start.
        Facts: {"fired": [{"node": str, "at_ns": int, "was_pid": int, "pid": int, "lost_bytes": int}]}; pid:
        now."""


class CanHarmDisks(CanKill, Protocol):
    async def slow_disk(self, node: str, times: float) -> Facts:
        """Syncs take so many times as long. Facts: {node: {"slow_syncs": int}}."""

    async def fail_sync(self, node: str) -> Facts:
        """The next sync fails, whereupon the node ends. Returns when it has, or after 2 s.
        Facts: {node: {"pid": int, "gone": bool}}."""

    async def mend_disk(self, node: str) -> Facts:
        """Ends both. Facts: {node: {"slow_syncs": int}}, how many there were."""

    async def flip_bit(self, node: str, pick: float) -> Facts:
        """Of a node that is down: turns over one bit of a record that was synced, which one the pick says.
        Facts: {node: {"frame": its line, or None where nothing was synced}}."""

    async def restore_disk(self, node: str, frame: int) -> Facts:
        """That record is again as it was written."""


class CanSkew(Cluster, Protocol):
    async def skew(self, node: str, share: float) -> Facts:
        """The node's monotonic clock goes faster by this share, or slower. It never goes back."""

    async def unskew(self, node: str) -> Facts:
        """It goes as before. Facts since the skew: {node: {"true_ms": float, "gained_ms": float}}."""


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers an option may hold, both ends included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What a nemesis plans for: the processes it falls on, how long a run lasts, and what the cluster can, of
    CAPABILITIES."""

    nodes: Sequence[str]
    time_limit_s: float
    can: Collection[str] = CAPABILITIES


# What an option may hold: a number in a range, or one of these values.
Choices = Range | tuple[Any, ...]


class Nemesis(Protocol):
    """One file in this room, one line in nemesis.NEMESES. It keeps nothing in itself: what it must remember
    between an inject and its heal belongs to the cluster (nemesis.in_force).

    needs:        the capabilities a cluster must offer, of CAPABILITIES
    target_needs: {target: those it needs besides}, of targets that need more
    on:           the processes it falls on
    min_nodes:    how many of those there must be
    min_time_s:   the shortest run in which it makes sense
    targets:      what Step.target may hold
    options:      what Step.options holds: exactly these names, each with one of these values
    checkers:     names (checkers.CHECKERS) that judge runs with it, besides those every run has
    """

    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> frozenset[str]: ...
    @property
    def target_needs(self) -> Mapping[str, frozenset[str]]: ...
    @property
    def on(self) -> Literal["nodes", "workers"]: ...
    @property
    def min_nodes(self) -> int: ...
    @property
    def min_time_s(self) -> float: ...
    @property
    def targets(self) -> tuple[str, ...]: ...
    @property
    def options(self) -> Mapping[str, Choices]: ...
    @property
    def checkers(self) -> tuple[str, ...]: ...

    def plan(self, rng: Random, setting: Setting, first: int) -> list[Step]:
        """Draws this nemesis' steps for a run from its own random stream; numbers count from `first`."""

    async def inject(self, cluster: Any, step: Step) -> Evidence:
        """Does the harm. Its evidence may still be partial: the heal's is final."""

    async def heal(self, cluster: Any, step: Step) -> Evidence:
        """Undoes exactly what this step's inject did, also where that failed half-way. Took effect: the
        harm was proven, and so was its end."""
