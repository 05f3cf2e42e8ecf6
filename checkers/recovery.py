"""Recovery: a leader soon after a majority has started, after each kill and after each heal; and in calm,
every node soon has what the leader applied.

That there is a leader is shown by what only a leader of a majority can do: commit an entry (its `commit`
event), or answer a client.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from checkers import events
from checkers.calm import still_harmed
from checkers.history import FaultWindow, History
from checkers.host import TOO_SLOW, Met, judge, only_too_slow
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import NS_PER_S, count, name_event, seconds

NAME = "recovery"
LEADER_BOUND_NS = 15 * NS_PER_S
FOLLOWER_BOUND_NS = NS_PER_S // 2
# Of simulated disks (system/simulation/disk.py): how many times as long as usual a sync takes at most.
USUAL_SYNC_MS, SLOWEST_SYNC = 1.0, 20
# The service that no control-plane node needs.
OBJECT_STORE = "minio"
# Nemeses that end processes; what they end may be the leader.
DOWN = ("kill", "stop", "cloud")
Event = dict[str, Any]


def recovery(history: History) -> Verdict:
    phases = history.facts.get("phases") or {}
    if "start" not in phases or "end" not in phases:
        return conclude(NAME, "", unknown=["the run did not record when it started and ended"])
    if len(_boots_ns(history)) < _majority(history):
        return conclude(NAME, "", unknown=["no majority of nodes left word of having started"])
    leaders = _Leaders(history)
    followers = _Followers(history)
    # The sign of a leader, or the apply, may be what is missing; or the system was not let alone.
    excuses = [*events.gaps(history), *still_harmed(history)]
    unknown = [*excuses, *leaders.unknown, *followers.unknown]
    summary = (
        f"a leader within {seconds(leaders.slowest_ns)} of each of {leaders.judged} moments that call for one"
    )
    vacuous = [] if leaders.judged else ["nothing that calls for a new leader happened"]
    if followers.followed:
        slowest_ms = followers.slowest_ns / 1e6
        summary += f", and {count(followers.followed, 'command')} on all followers within {slowest_ms:.0f} ms"
    elif len(events.nodes(history)) > 1:
        vacuous.append("no command was applied in calm, so whether followers keep up is not known")
    return conclude(
        NAME,
        summary,
        anomalies=[] if excuses else leaders.anomalies + followers.anomalies,
        unknown=unknown,
        vacuous=vacuous,
        evidence={
            "host_too_slow": only_too_slow(unknown),
            "moments_judged": leaders.judged,
            "moments_overtaken": leaders.overtaken,
            "slowest_leader_ms": round(leaders.slowest_ns / 1e6, 1),
            "commands_followed": followers.followed,
            "slowest_follower_ms": round(followers.slowest_ns / 1e6, 1),
        },
    )


@dataclass(frozen=True, slots=True)
class _Moment:
    """From when on there should soon be a leader. own_step: the fault whose doing it is, for a kill."""

    at_ns: int
    name: str
    own_step: int | None
    must: bool = False


class _Leaders:
    """overtaken: moments after which the next fault came before the bound and before recovery: they prove
    nothing."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._faults = [fault for fault in history.faults() if strikes_nodes(fault, history)]
        self._end_ns = history.facts["phases"]["end"]
        self._signs = _Signs(history)
        self.anomalies: list[Anomaly] = []
        self.unknown: list[str] = []
        self.judged = self.overtaken = self.slowest_ns = 0
        for moment in self._moments():
            self._judge(moment)

    def _moments(self) -> list[_Moment]:
        start = _Moment(_started(self._history), "the start", None, must=True)
        kills = [
            _Moment(
                fault.injected_ns,
                f"the {fault.nemesis} of {', '.join(fault.nodes)} (step {fault.step})",
                fault.step,
            )
            for fault in self._faults
            if fault.nemesis in DOWN and self._majority_survives(fault)
        ]
        healed = [(fault.healed_ns, fault) for fault in self._faults if fault.healed_ns is not None]
        last = max((at for at, _ in healed), default=None) if len(healed) == len(self._faults) else None
        heals = [
            _Moment(at, f"the heal of {fault.nemesis} (step {fault.step})", fault.step, must=at == last)
            for at, fault in healed
        ]
        return sorted([start, *kills, *heals], key=lambda moment: moment.at_ns)

    def _majority_survives(self, fault: FaultWindow) -> bool:
        nodes = events.nodes(self._history)
        return 2 * len([node for node in nodes if node not in fault.nodes]) > len(nodes)

    def _judge(self, moment: _Moment) -> None:
        recovered_ns = self._signs.after(moment.at_ns)
        overtaken_ns = None if moment.must else self._overtaken(moment)
        if overtaken_ns is not None and (recovered_ns is None or recovered_ns > overtaken_ns):
            if judge(self._history.lag, moment.at_ns, overtaken_ns, LEADER_BOUND_NS) is Met.IN_TIME:
                self.overtaken += 1
                return
            recovered_ns = None  # the bound had passed before the next fault came
        until_ns = recovered_ns
        if until_ns is None:
            until_ns = self._end_ns if overtaken_ns is None else overtaken_ns
        took_ns = max(0, until_ns - moment.at_ns)
        met = judge(self._history.lag, moment.at_ns, until_ns, LEADER_BOUND_NS)
        self.judged += 1
        if recovered_ns is not None and met is Met.IN_TIME:
            self.slowest_ns = max(self.slowest_ns, took_ns)
        elif met is Met.LATE:
            late = "took" if recovered_ns is not None else "is still missing after"
            bound = seconds(LEADER_BOUND_NS)
            message = f"a leader {late} {seconds(took_ns)} after {moment.name}; at most {bound}"
            self.anomalies.append(Anomaly("no-leader", message, time_ns=moment.at_ns))
        elif met is Met.HOST_TOO_SLOW:
            self.unknown.append(f"{TOO_SLOW}: {seconds(took_ns)} without a leader after {moment.name}")
        else:
            self.unknown.append(
                f"the run ended {seconds(took_ns)} after {moment.name}, before any leader was seen"
            )

    def _overtaken(self, moment: _Moment) -> int | None:
        """From when on another fault excuses that there is no leader."""
        excuses = [
            max(moment.at_ns, fault.inject_ns)
            for fault in self._faults
            if fault.step != moment.own_step and (fault.healed_ns is None or fault.healed_ns > moment.at_ns)
        ]
        return min(excuses, default=None)


def strikes_nodes(fault: FaultWindow, history: History) -> bool:
    """Not only workers, not only the object store, and not nothing."""
    others = (*(history.facts.get("workers") or ()), OBJECT_STORE)
    return bool(fault.nodes) and not all(node in others for node in fault.nodes)


def _started(history: History) -> int:
    """When a majority had booted for the first time: before that nobody can lead. What starting processes
    takes is the host's business."""
    asked_ns: int = history.facts["phases"]["start"]
    return max(asked_ns, _boots_ns(history)[_majority(history) - 1])


def _boots_ns(history: History) -> list[int]:
    """When each node that left word of it had booted for the first time."""
    return sorted(boots[0][0]["time_ns"] for boots in history.events.values() if boots and boots[0])


def _majority(history: History) -> int:
    return len(events.nodes(history)) // 2 + 1


class _Signs:
    """When there was proof of a leader."""

    def __init__(self, history: History) -> None:
        self._commits = sorted(
            event["time_ns"]
            for node in events.nodes(history)
            for event in events.stream(history, node)
            if event["event"] == "commit" and event["role"] == "leader"
        )
        # An answer that names no log index came from a worker.
        answered = [
            call
            for call in history.calls()
            if call.completion is not None and call.type == "ok" and call.completion.witness is not None
        ]
        self._invoked = [call.invoke.time_ns for call in answered]
        # earliest[i]: when the first of the answers to calls i, i + 1, … came.
        earliest = [call.completion.time_ns for call in answered if call.completion]
        self._earliest = list(accumulate(reversed(earliest), min))[::-1]

    def after(self, at_ns: int) -> int | None:
        """The first leader's commit since then, or answer to what a client asked since then."""
        commit, call = bisect_left(self._commits, at_ns), bisect_left(self._invoked, at_ns)
        return min((*self._commits[commit : commit + 1], *self._earliest[call : call + 1]), default=None)


class _Followers:
    """Commands applied by the leader while no fault was in force, and when the others applied them. followed:
    those that every follower applied in time."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._end_ns = history.facts["phases"]["end"]
        self._bound_ns = FOLLOWER_BOUND_NS + _syncs_ns(history)
        self.anomalies: list[Anomaly] = []
        self.unknown: list[str] = []
        self.followed = self.slowest_ns = 0
        applied = self._applied_at()
        self._calm = [(_caught_up(applied, start), end) for start, end in _calm(history)]
        for event in self._led():
            others = [node for node in events.nodes(history) if node != event["node"]]
            in_time = [self._judge(event, node, applied[node]) for node in others]
            self.followed += bool(others) and all(in_time)

    def _led(self) -> list[Event]:
        """The first apply of each command by a node that led, in calm, and not too close to the end."""
        found: dict[int, Event] = {}
        for node in events.nodes(self._history):
            role = ""
            for event in events.stream(self._history, node):
                if event["event"] in ("boot", "role"):
                    role = event.get("role", "follower")
                elif event["event"] == "apply" and event["kind"] == "command" and role == "leader":
                    first = found.setdefault(event["index"], event)
                    if event["time_ns"] < first["time_ns"]:
                        found[event["index"]] = event
        return [event for _, event in sorted(found.items()) if self._is_calm(event["time_ns"])]

    def _is_calm(self, at_ns: int) -> bool:
        return any(start <= at_ns and at_ns + FOLLOWER_BOUND_NS <= end for start, end in self._calm)

    def _applied_at(self) -> dict[str, dict[int, int]]:
        """When each node first applied each index."""
        return {
            node: {
                event["index"]: event["time_ns"]
                for event in reversed(list(events.stream(self._history, node)))
                if event["event"] == "apply"
            }
            for node in events.nodes(self._history)
        }

    def _judge(self, event: Event, node: str, applied: dict[int, int]) -> bool:
        """Whether the node applied in time what the leader did."""
        at_ns = event["time_ns"]
        done_ns = applied.get(event["index"])
        until_ns = done_ns if done_ns is not None else self._end_ns
        met = judge(self._history.lag, at_ns, until_ns, self._bound_ns)
        took_ms = (until_ns - at_ns) / 1e6
        if met is Met.IN_TIME:
            self.slowest_ns = max(self.slowest_ns, until_ns - at_ns)
        elif met is Met.HOST_TOO_SLOW:
            self.unknown.append(f"{TOO_SLOW}: index {event['index']} reached {node} after {took_ms:.0f} ms")
        else:
            late = f"{took_ms:.0f} ms later" if done_ns is not None else "never"
            message = (
                f"{name_event(event)} led and applied index {event['index']} in calm, but {node} applied"
                f" it {late};"
                f" at most {self._bound_ns // 1_000_000} ms"
            )
            self.anomalies.append(Anomaly("slow-follower", message, (), (event,), at_ns))
        return met is Met.IN_TIME


def _syncs_ns(history: History) -> int:
    """How long a follower may wait for its disk, where a simulated cluster's are slow by its knobs: for the
    sync under way, and for the next."""
    knobs = (history.facts.get("tuning") or {}).get("knobs") or {}
    sync_ms = knobs.get("sync_ms", 0.0)
    return int(2 * SLOWEST_SYNC * max(0.0, sync_ms - USUAL_SYNC_MS) * 1e6)


def _calm(history: History) -> list[tuple[int, int]]:
    """Windows with every node up and nothing in its way: before the first fault, and after recovery from the
    last."""
    phases = history.facts["phases"]
    struck = [fault for fault in history.faults() if strikes_nodes(fault, history)]
    start, end = phases.get("load"), phases["end"]
    if not struck:
        return [(start, end)] if start is not None else []
    calm = []
    if start is not None:
        calm.append((start, min(fault.inject_ns for fault in struck)))
    recovered = phases.get("recovered")
    if recovered is not None and all(fault.healed_ns is not None for fault in struck):
        calm.append((max(recovered, *(fault.healed_ns or 0 for fault in struck)), end))
    return calm


def _caught_up(applied: dict[str, dict[int, int]], at_ns: int) -> int:
    """From when on every node had applied what any had at at_ns; at_ns itself where one never did."""
    early = (i for indices in applied.values() for i, time in indices.items() if time <= at_ns)
    highest = max(early, default=0)
    times = [indices.get(highest) for indices in applied.values()]
    return max((at_ns, *(time for time in times if time is not None)))
