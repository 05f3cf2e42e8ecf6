"""Who was what and when: each node's role and term, what was done to it, and the workers' states, as spans
of time drawn from the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checkers.history import FaultWindow, History
from reports.measure import Measured, all_events

_Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """From start_ns to end_ns, `state` held: for a node follower, candidate, leader or down, with its term
    where it has one; for a fault on a node paused or touched; for a worker what its leader said of it."""

    start_ns: int
    end_ns: int
    state: str
    term: int | None = None


@dataclass(frozen=True, slots=True)
class Leadership:
    """A node became leader of a term."""

    time_ns: int
    node: str
    term: int


def nodes_of(history: History) -> list[str]:
    """The control-plane nodes, in the harness' order; those with an event log where it did not say."""
    return list(history.facts.get("nodes") or sorted(history.events))


def workers_of(history: History) -> list[str]:
    """The workers, in the harness' order; those the leader knew where it did not say."""
    known = {str(worker) for state in history.worker_states for worker in state.get("workers", {})}
    return list(history.facts.get("workers") or sorted(known))


def leaderships(history: History) -> list[Leadership]:
    """Every time a node wrote that it became leader, in order of time."""
    return [
        Leadership(event["time_ns"], str(event.get("node")), event["term"])
        for event in all_events(history)
        if event.get("event") == "role" and event.get("role") == "leader" and "term" in event
    ]


def leader_changes(history: History) -> int:
    """How often leadership passed on after the first leader."""
    return max(0, len(leaderships(history)) - 1)


def role_spans(measured: Measured, node: str) -> list[Span]:
    """The node's roles in order of time up to the run's end, with a `down` span between boots and after an
    end that nobody undid."""
    spans: list[Span] = []
    timed = [
        [e for e in boot if isinstance(e.get("time_ns"), int)]
        for boot in measured.history.events.get(node, [])
    ]
    boots = [boot for boot in timed if boot]
    for i, boot in enumerate(boots):
        next_ns = boots[i + 1][0]["time_ns"] if i + 1 < len(boots) else None
        went_ns = _went_down_ns(measured, node, boot, next_ns)
        spans += _roles(boot, measured.end_ns if went_ns is None else went_ns)
        if went_ns is not None:
            spans.append(Span(went_ns, measured.end_ns if next_ns is None else next_ns, "down"))
    return [span for span in spans if span.end_ns > span.start_ns]


def _roles(boot: list[_Event], end_ns: int) -> Iterator[Span]:
    since_ns, role, term = boot[0]["time_ns"], "follower", boot[0].get("term")
    for event in boot:
        if event.get("event") not in ("role", "term"):
            continue
        new_role = event.get("role", role) if event["event"] == "role" else role
        if (new_role, event.get("term")) != (role, term):
            yield Span(since_ns, min(event["time_ns"], end_ns), role, term)
            since_ns, role, term = event["time_ns"], new_role, event.get("term")
    yield Span(since_ns, end_ns, role, term)


def _went_down_ns(measured: Measured, node: str, boot: list[_Event], next_ns: int | None) -> int | None:
    """When a boot came to its end; None where it lived to the run's.

    A process that the kernel ends writes nothing, so the fault or the harness' note of the exit says when;
    failing both, a next boot says that it ended after its last event."""
    ends = [w.inject_ns for w in measured.faults if state_of(w, node) == "down"]
    ends += [exit_["time_ns"] for exit_ in measured.history.facts.get("exits") or [] if exit_["node"] == node]
    ends = [ns for ns in ends if boot[0]["time_ns"] <= ns and (next_ns is None or ns < next_ns)]
    if ends:
        # A kill takes a moment: the last event may come after it was asked for.
        return int(max(min(ends), boot[-1]["time_ns"]))
    return None if next_ns is None else int(boot[-1]["time_ns"])


def state_of(window: FaultWindow, node: str) -> str | None:
    """What a fault made of a process, by its evidence: `down` (gone), `paused` (stopped, as the kernel says),
    `touched` otherwise; None for one it did not fall on."""
    facts = _facts_of(window.evidence, node)
    if any(said.get("gone") for said in facts):
        return "down"
    if any(said.get("state") == "T" for said in facts):
        return "paused"
    return "touched" if node in window.nodes else None


def _facts_of(evidence: dict[str, Any], node: str) -> list[dict[str, Any]]:
    """What the evidence says of a process: {node: facts}, or the same under the name of what was done."""
    places = [evidence, *(place for place in evidence.values() if isinstance(place, dict))]
    return [place[node] for place in places if isinstance(place.get(node), dict)]


def fault_spans(measured: Measured, node: str) -> list[Span]:
    """What faults did to a process, and for how long: down, paused, touched."""
    states = [(window, state_of(window, node)) for window in measured.faults]
    return [
        Span(window.injected_ns, fault_end_ns(measured, window), state)
        for window, state in states
        if state is not None
    ]


def fault_end_ns(measured: Measured, window: FaultWindow) -> int:
    """Until when a fault counts: until it was shown to be gone, or was asked to go, or the run's end."""
    return window.healed_ns or window.heal_ns or measured.end_ns


def worker_spans(measured: Measured, worker: str) -> list[Span]:
    """What the leader said of a worker, in order of time; nothing before the first word of it."""
    spans: list[Span] = []
    for answer in measured.history.worker_states:
        said = answer.get("workers", {}).get(worker)
        if said is None or (spans and spans[-1].state == said):
            continue
        if spans:
            spans[-1] = Span(spans[-1].start_ns, answer["time_ns"], spans[-1].state)
        spans.append(Span(answer["time_ns"], measured.end_ns, str(said)))
    return spans
