"""Elections: at most one leader a term, at most one vote a term and node (Raft, §5.2).

Every node testifies for itself: leaders are taken from each node's own event log and from its answers to
Status. Neither does without the other.
"""

from __future__ import annotations

from typing import Any

from checkers import events
from checkers.answers import answers
from checkers.history import History
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import count, listed, name_event

SINGLE_LEADER, ONE_VOTE = "single-leader", "one-vote"


def single_leader(history: History) -> Verdict:
    """No two nodes lead one term, and whoever leads was elected by a majority's votes."""
    anomalies: list[Anomaly] = []
    gaps = events.gaps(history)
    leaders = _leaders(history)
    for term, claims in sorted(leaders.items()):
        if len(claims) > 1:
            anomalies.append(_two_leaders(term, claims))
    if not gaps:  # a vote that nobody wrote down proves nothing where events are missing
        anomalies += _unelected(history, leaders)
    vacuous = [] if leaders else ["no node ever led"]
    if not history.observations:
        vacuous.append("no node ever answered Status, so who claimed to lead when asked is not known")
    return conclude(
        SINGLE_LEADER,
        f"{count(len(leaders), 'term')} had a leader, none had two",
        anomalies=anomalies,
        unknown=gaps,
        vacuous=vacuous,
        evidence={
            "terms_led": len(leaders),
            "last_term_led": max(leaders, default=0),
            "observations": len(history.observations),
        },
    )


def one_vote(history: History) -> Verdict:
    """No node votes for two candidates in one term, restarts included."""
    anomalies, votes = [], 0
    for node in events.nodes(history):
        given: dict[int, dict[str, Any]] = {}
        for event in events.stream(history, node):
            candidate = _vote(event)
            if candidate is None:
                continue
            first = given.setdefault(event["term"], event)
            votes += first is event
            if _vote(first) != candidate:
                message = (
                    f"{node} voted twice in term {event['term']}: for {_vote(first)}, see"
                    f" {name_event(first)}, and"
                    f" for {candidate}, see {name_event(event)}"
                )
                anomalies.append(Anomaly("two-votes", message, (), (first, event), event["time_ns"]))
    return conclude(
        ONE_VOTE,
        f"{count(votes, 'vote')}, never two by one node in one term",
        anomalies=anomalies,
        unknown=events.gaps(history),
        vacuous=[] if votes else ["no node ever voted"],
        evidence={"votes": votes},
    )


def _vote(event: dict[str, Any]) -> str | None:
    """Whom the event says its node voted for in the event's term. What a node recovers, it had promised."""
    if event["event"] == "vote":
        return str(event["for"])
    return event["voted_for"] if event["event"] == "boot" else None


def _leaders(history: History) -> dict[int, dict[str, dict[str, Any]]]:
    """Who claimed to lead each term: the first event or observation of each claimant."""
    claims: dict[int, dict[str, dict[str, Any]]] = {}
    for node in events.nodes(history):
        for event in events.stream(history, node):
            if event["event"] == "role" and event["role"] == "leader":
                claims.setdefault(event["term"], {}).setdefault(node, event)
    for seen in answers(history):
        if seen["role"] == "leader":
            claims.setdefault(seen["term"], {}).setdefault(seen["node"], seen)
    return claims


def _two_leaders(term: int, claims: dict[str, dict[str, Any]]) -> Anomaly:
    first_claims = sorted(claims.values(), key=lambda claim: claim["time_ns"])
    sources = [
        name_event(claim) if "seq" in claim else f"{claim['node']}'s own answer to Status"
        for claim in first_claims
    ]
    message = (
        f"{listed(sorted(claims))} all led term {term}; see {listed(sources)}. A term has one leader at most"
    )
    return Anomaly("two-leaders", message, (), tuple(first_claims), first_claims[1]["time_ns"])


def _unelected(history: History, leaders: dict[int, dict[str, dict[str, Any]]]) -> list[Anomaly]:
    """A vote is written down before it is cast, so a rightful leader's votes are all on record."""
    voters = events.nodes(history)
    cast: dict[tuple[int, str], set[str]] = {}
    for node in voters:
        for event in events.stream(history, node):
            candidate = _vote(event)
            if candidate is not None:
                cast.setdefault((event["term"], candidate), set()).add(node)
    anomalies = []
    for term, claims in sorted(leaders.items()):
        for leader, claim in claims.items():
            by = cast.get((term, leader), set())
            if len(by) <= len(voters) // 2:
                message = (
                    f"{leader} led term {term} with the votes of {len(by)} of {len(voters)} nodes"
                    f" ({listed(sorted(by)) or 'none'}); an election takes a majority"
                )
                anomalies.append(Anomaly("no-majority", message, (), (claim,), claim["time_ns"]))
    return anomalies
