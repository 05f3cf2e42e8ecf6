"""Workers: marked offline soon after they stop, and back by themselves once they run again and can be heard.

Judged by what the leader said of them (its /cluster-state), observation by observation.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from checkers.answers import worker_states
from checkers.calm import still_harmed
from checkers.history import FaultWindow, History
from checkers.host import TOO_SLOW, Met, judge, only_too_slow
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import NS_PER_S, seconds

NAME = "workers"
BOUND_NS = 20 * NS_PER_S
# How old the last answer may be to speak for the end of the run.
RECENT_NS = 5 * NS_PER_S
ONLINE = "online"


def workers(history: History) -> Verdict:
    names = list(history.facts.get("workers") or ())
    states = worker_states(history)
    if not names:
        return conclude(NAME, "", vacuous=["the run had no workers"])
    if not states:
        return conclude(NAME, "", unknown=["no leader was ever asked for its workers"])
    judge_ = _Judge(history)
    for fault in history.faults():
        for worker in fault.nodes:
            if worker in names:
                judge_.judge_stop(fault, worker)
    end_ns = (history.facts.get("phases") or {}).get("end", states[-1]["time_ns"])
    if end_ns - states[-1]["time_ns"] > RECENT_NS:
        judge_.unknown.append("the leader was not asked for its workers at the end")
    else:
        for worker in names:
            judge_.judge_end(worker)
    excuses = still_harmed(history)
    unknown = [*excuses, *judge_.unknown]
    stops = (
        f"{judge_.stops} stops of workers were noticed within {seconds(judge_.slowest_offline_ns)} and over"
        f" within {seconds(judge_.slowest_online_ns)}; "
        if judge_.stops
        else ""
    )
    return conclude(
        NAME,
        f"{stops}all {len(names)} workers were online at the end",
        anomalies=[] if excuses else judge_.anomalies,
        unknown=unknown,
        evidence={
            "host_too_slow": only_too_slow(unknown),
            "workers": len(names),
            "observations": len(states),
            "stops": judge_.stops,
            "slowest_offline_s": round(judge_.slowest_offline_ns / NS_PER_S, 1),
            "slowest_online_s": round(judge_.slowest_online_ns / NS_PER_S, 1),
        },
    )


class _Judge:
    def __init__(self, history: History) -> None:
        self._history = history
        self._states = history.worker_states
        self.anomalies: list[Anomaly] = []
        self.unknown: list[str] = []
        self.stops = self.slowest_offline_ns = self.slowest_online_ns = 0

    def judge_stop(self, fault: FaultWindow, worker: str) -> None:
        """A stop that ends before its bound need not have been noticed."""
        if not fault.took_effect:
            return
        self.stops += 1
        last_ns = self._states[-1]["time_ns"]
        until_ns = last_ns if fault.heal_ns is None else min(last_ns, fault.heal_ns)
        took_ns = self._await(worker, fault.injected_ns, until_ns, online=False, must=fault.heal_ns is None)
        self.slowest_offline_ns = max(self.slowest_offline_ns, took_ns)
        if fault.healed_ns is not None:
            again = [
                other.inject_ns
                for other in self._history.faults()
                if worker in other.nodes and other.inject_ns > fault.healed_ns
            ]
            until_ns = min(again, default=last_ns)
            took_ns = self._await(worker, fault.healed_ns, until_ns, online=True, must=not again)
            self.slowest_online_ns = max(self.slowest_online_ns, took_ns)

    def judge_end(self, name: str) -> None:
        """Whether it was online when last asked for. A new leader needs a heartbeat to know of it, so only
        one that had been missing for longer than the bound counts against the system."""
        last = self._states[-1]
        missing = list(takewhile(lambda s: s["workers"].get(name) != ONLINE, reversed(self._states)))
        if not missing:
            return
        freed_ns = [
            f.healed_ns for f in self._history.faults() if name in f.nodes and f.healed_ns is not None
        ]
        since_ns = max(missing[-1]["time_ns"], *freed_ns, 0)
        took = seconds(last["time_ns"] - since_ns)
        said = f"at the end {last['node']} said that {name} is {last['workers'].get(name, 'unknown to it')}"
        if judge(self._history.lag, since_ns, last["time_ns"], BOUND_NS) is Met.LATE:
            message = f"{said}, as the leader had for {took}, although nothing kept it from coming back"
            self.anomalies.append(Anomaly("not-online-at-end", message, time_ns=last["time_ns"]))
        else:
            self.unknown.append(f"{said}, but only for {took}")

    def _await(self, worker: str, since_ns: int, until_ns: int, *, online: bool, must: bool) -> int:
        """How long it took until a leader saw the worker online, or not; 0 where that stays open.

        Between two observations it may have happened at any time, so a change is late only if it was seen
        missing after the bound."""
        wrong_ns = since_ns
        for at_ns, is_online in self._seen(worker, since_ns, until_ns):
            if is_online is online:
                if self._is_late(worker, since_ns, wrong_ns, online):
                    return 0
                return at_ns - since_ns
            wrong_ns = at_ns
        if not self._is_late(worker, since_ns, wrong_ns, online) and must:
            self.unknown.append(
                f"the leader was not asked long enough to tell whether {worker} {_change(online)} in time"
            )
        return 0

    def _is_late(self, worker: str, since_ns: int, wrong_ns: int, online: bool) -> bool:
        met = judge(self._history.lag, since_ns, wrong_ns, BOUND_NS)
        if met is Met.LATE:
            message = (
                f"{worker} {'ran again' if online else 'was stopped'}, yet the leader still said"
                f" {'offline' if online else 'online'} {seconds(wrong_ns - since_ns)} later; at most"
                f" {seconds(BOUND_NS)}"
            )
            kind = "slow-to-come-back" if online else "slow-to-notice"
            self.anomalies.append(Anomaly(kind, message, time_ns=since_ns))
        elif met is Met.HOST_TOO_SLOW:
            self.unknown.append(
                f"{TOO_SLOW}: {worker} {_change(online)} only after {seconds(wrong_ns - since_ns)}"
            )
        return met is not Met.IN_TIME

    def _seen(self, worker: str, since_ns: int, until_ns: int) -> Iterator[tuple[int, bool]]:
        for state in self._states:
            if since_ns <= state["time_ns"] <= until_ns:
                yield state["time_ns"], state["workers"].get(worker) == ONLINE


def _change(online: bool) -> str:
    return "came back" if online else "was marked offline"
