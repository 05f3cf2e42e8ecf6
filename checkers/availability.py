"""Availability: while only a minority of the control plane is silenced, and nothing else is in the way,
commands go on: soon where the leader is not among those silenced, else once there is a new one.

A command counts as acknowledged where its answer names the log index it took. Commands pinned to a node are
left out, since that node need not be the leader.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from checkers import events
from checkers.calm import still_harmed
from checkers.history import Call, FaultWindow, History
from checkers.host import TOO_SLOW, Met, judge, only_too_slow
from checkers.recovery import LEADER_BOUND_NS, strikes_nodes
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import NS_PER_S, listed, name_call, seconds

NAME = "availability"
# How long commands may stand still under a leader that nothing harms.
BOUND_NS = 5 * NS_PER_S
STOPPED = ("T", "frozen")


def availability(history: History) -> Verdict:
    if "end" not in (history.facts.get("phases") or {}):
        return conclude(NAME, "", unknown=["the run did not record when it ended"])
    outages = _Outages(history)
    # Who led is read from what may be missing; and what was never healed may have been in the way.
    excuses = [*events.gaps(history), *still_harmed(history)]
    unknown = [*excuses, *outages.unknown]
    vacuous = []
    if not outages.judged:
        short = f": {outages.too_short} were too short to tell" if outages.too_short else ""
        vacuous = [f"no outage of a minority shows whether commands go on{short}"]
    return conclude(
        NAME,
        f"commands went on in each of {outages.judged} outages of a minority: the first within"
        f" {seconds(outages.slowest_ns)}, and then never more than {seconds(outages.longest_gap_ns)} apart",
        anomalies=[] if excuses else outages.anomalies,
        unknown=unknown,
        vacuous=vacuous,
        evidence={
            "host_too_slow": only_too_slow(unknown),
            "outages_judged": outages.judged,
            "outages_too_short": outages.too_short,
            "slowest_first_ms": round(outages.slowest_ns / 1e6, 1),
            "longest_gap_ms": round(outages.longest_gap_ns / 1e6, 1),
        },
    )


class _Outages:
    """judged: outages in which a command was acknowledged, or in which it is known that none was in time.
    too_short: those that ended before their bound, without an acknowledgement."""

    def __init__(self, history: History) -> None:
        self._lag = history.lag
        self._nodes = events.nodes(history)
        self._faults = [fault for fault in history.faults() if strikes_nodes(fault, history)]
        self._end_ns: int = history.facts["phases"]["end"]
        self._roles = _roles(history)
        self._commands = _commands(history)
        self._invoked = [call.invoke.time_ns for call in self._commands]
        self.anomalies: list[Anomaly] = []
        self.unknown: list[str] = []
        self.judged = self.too_short = self.slowest_ns = self.longest_gap_ns = 0
        for fault in self._faults:
            silenced = [node for node in self._nodes if node in _silenced(fault)]
            if fault.took_effect and silenced and 2 * len(silenced) < len(self._nodes):
                for start_ns, end_ns in self._alone(fault):
                    self._judge(fault, silenced, start_ns, end_ns)

    def _alone(self, fault: FaultWindow) -> Iterator[tuple[int, int]]:
        """The times within the fault at which it is the only one."""
        start_ns, end_ns = fault.injected_ns, self._end_ns if fault.heal_ns is None else fault.heal_ns
        for other in self._faults:
            over_ns = self._end_ns if other.healed_ns is None else other.healed_ns
            if other.step == fault.step or over_ns <= start_ns or other.inject_ns >= end_ns:
                continue
            if other.inject_ns > start_ns:
                yield start_ns, other.inject_ns
            start_ns = over_ns
        if start_ns < end_ns:
            yield start_ns, end_ns

    def _judge(self, fault: FaultWindow, silenced: Sequence[str], start_ns: int, end_ns: int) -> None:
        """Judges each time without an acknowledgement, from one to the next, the last up to the end."""
        answers = map(_acknowledged, self._asked(start_ns, end_ns))
        acknowledged = sorted(at_ns for at_ns in answers if at_ns is not None and at_ns < end_ns)
        leader = self._leader_at(fault.inject_ns)
        has_leader = start_ns == fault.injected_ns and leader is not None and leader not in silenced
        bound_ns, before = BOUND_NS if has_leader else LEADER_BOUND_NS, len(self.anomalies)
        since_ns = start_ns
        for at_ns in acknowledged:
            gap_ns = self._judge_gap(fault, silenced, since_ns, at_ns, bound_ns)
            if since_ns == start_ns:
                self.slowest_ns = max(self.slowest_ns, gap_ns)
            else:
                self.longest_gap_ns = max(self.longest_gap_ns, gap_ns)
            since_ns, bound_ns = at_ns, BOUND_NS
        self._judge_gap(fault, silenced, since_ns, end_ns, bound_ns)
        known = bool(acknowledged) or len(self.anomalies) > before
        self.judged += known
        self.too_short += not known

    def _judge_gap(
        self,
        fault: FaultWindow,
        silenced: Sequence[str],
        since_ns: int,
        until_ns: int,
        bound_ns: int,
    ) -> int:
        """How long commands stood still: from the first that was asked for to when the last had its answer,
        or was given up, or to the end of the gap."""
        asked = self._asked(since_ns, until_ns)
        if not asked:
            return 0
        began_ns = asked[0].invoke.time_ns
        ended_ns = min(until_ns, max(_over(call, until_ns) for call in asked))
        took_ns = ended_ns - began_ns
        met = judge(self._lag, began_ns, ended_ns, bound_ns)
        what = f"no command was acknowledged in {seconds(took_ns)}"
        during = f"during {fault.nemesis} of {listed(silenced)} (step {fault.step})"
        if met is Met.LATE:
            others = listed(node for node in self._nodes if node not in silenced)
            message = (
                f"{what} from {name_call(asked[0])} on, {during}, although nothing kept {others} from going"
                f" on; at most {seconds(bound_ns)}"
            )
            self.anomalies.append(Anomaly("no-progress", message, (asked[0].invoke.index,), time_ns=began_ns))
        elif met is Met.HOST_TOO_SLOW:
            self.unknown.append(f"{TOO_SLOW}: {what} {during}")
        return took_ns

    def _asked(self, since_ns: int, until_ns: int) -> Sequence[Call]:
        """The commands that were asked for within this time, in order."""
        first, end = bisect_left(self._invoked, since_ns), bisect_left(self._invoked, until_ns)
        return self._commands[first:end]

    def _leader_at(self, at_ns: int) -> str | None:
        """Who led then, of the highest term, by the nodes' own accounts."""
        now: dict[str, tuple[str, int]] = {}
        for time_ns, node, role, term in self._roles:
            if time_ns <= at_ns:
                now[node] = role, term
        leaders = [(term, node) for node, (role, term) in now.items() if role == "leader"]
        return max(leaders)[1] if leaders else None


def _silenced(fault: FaultWindow) -> list[str]:
    """Whom the evidence shows to have stood still or to have been gone."""
    return [
        name
        for facts in fault.evidence.values()
        if isinstance(facts, dict)
        for name, said in facts.items()
        if isinstance(said, dict) and (said.get("gone") is True or said.get("state") in STOPPED)
    ]


def _commands(history: History) -> list[Call]:
    """Commands by clients that follow the leader: operations of a kind that is answered with a log index."""
    calls = list(history.calls())
    logged = {call.invoke.f for call in calls if _acknowledged(call) is not None} - {"read"}
    return [call for call in calls if call.invoke.f in logged and call.invoke.node is None]


def _acknowledged(call: Call) -> int | None:
    done = call.completion
    return done.time_ns if done is not None and done.witness is not None and done.type != "info" else None


def _over(call: Call, until_ns: int) -> int:
    return call.completion.time_ns if call.completion is not None else until_ns


def _roles(history: History) -> list[tuple[int, str, str, Any]]:
    """Every change of a role: (time_ns, node, role, term), in order of time. A boot makes a follower."""
    return [
        (event["time_ns"], event["node"], event.get("role", "follower"), event["term"])
        for event in events.timeline(history)
        if event["event"] in ("boot", "role")
    ]
