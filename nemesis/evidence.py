"""What counts as proof that a fault took effect, or ended: facts in, complaints out. No complaint: proven."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from nemesis.nemesis import Evidence, Facts, Link

# Of the round trip that a delay should add, the share that must be measured. With both directions delayed it
# is more than one direction alone can add, and less than what jitter and a noisy host take away.
DELAY_SHARE = 0.7
# A leader speaks every 150 ms and a candidate every 600 ms at the latest; the rest is for a noisy host.
QUIET_MS = 1500
# The kernel's letter for a process under SIGSTOP, and a frozen container.
STOPPED = ("T", "frozen")
# Of so many packets that a harm should have fallen on, the number it did fall on is about as expected.
MANY_PACKETS = 100


def conclude(
    nodes: Sequence[str], facts: Facts, complaints: Sequence[str], proof: str, note: str = ""
) -> Evidence:
    """Evidence that names what is not proven, or else the proof."""
    said = [*complaints] or [proof]
    return Evidence(not complaints, tuple(nodes), "; ".join([*said, *([note] if note else [])]), facts)


def ended(begun: Evidence, facts: Facts, complaints: Sequence[str], how: str) -> Evidence:
    """The final word on a fault: it was proven when injected, and so was its end."""
    unproven = [] if begun.took_effect else [begun.summary]
    return conclude(begun.nodes, begun.facts | facts, [*unproven, *complaints], f"{begun.summary}; {how}")


def nobody(target: str, note: str = "") -> Evidence:
    """A target that selects nothing took no effect: the run must not pass for one with this fault."""
    return conclude((), {}, [f"{target} selected nothing"], "", note)


def never_injected() -> Evidence:
    return conclude((), {}, ["nothing was injected, so there was nothing to heal"], "")


def name(link: Link) -> str:
    return f"{link[0]}->{link[1]}"


def count(facts: Facts, link: Link, what: str) -> int:
    return int(facts.get(name(link), {}).get(what, 0))


def not_held(facts: Facts, links: Sequence[Link], may_be_quiet: Collection[Link]) -> list[str]:
    """Cut links on which no byte was held back, but for those on which there was nothing to say; of these
    alone there is no proof."""
    silent = [link for link in links if count(facts, link, "held_bytes") == 0]
    if len(silent) == len(links):
        return ["no byte was held back on any link"]
    return [f"no byte was held back on {name(link)}" for link in silent if link not in may_be_quiet]


def not_passing(facts: Facts, links: Iterable[Link]) -> list[str]:
    """Links that should carry messages up to now, and on which none passed, or none for too long."""
    quiet = {link: _fact(facts, name(link), "quiet_ms") for link in links}
    return [
        f"no message passed on {name(link)} in the last {quiet_ms} ms"
        for link, quiet_ms in quiet.items()
        if count(facts, link, "passed_messages") == 0 or quiet_ms is None or quiet_ms > QUIET_MS
    ]


def not_stopped(facts: Facts, nodes: Sequence[str]) -> list[str]:
    states = {node: _fact(facts, node, "state") for node in nodes}
    return [f"{node} is in state {state}, not T" for node, state in states.items() if state not in STOPPED]


def still_stopped(facts: Facts, nodes: Sequence[str]) -> list[str]:
    states = {node: _fact(facts, node, "state") for node in nodes}
    return [
        f"{node} is in state {state} after resume"
        for node, state in states.items()
        if state is None or state in STOPPED
    ]


def not_graceful(facts: Facts, nodes: Sequence[str]) -> list[str]:
    """Nodes that did not end by themselves when asked to."""
    codes = {node: _fact(facts, node, "exit_code") for node in nodes}
    return [f"{node} ended with code {code}, not 0" for node, code in codes.items() if code != 0]


def not_gone(facts: Facts, nodes: Sequence[str]) -> list[str]:
    return [f"{node} is still there" for node in nodes if _fact(facts, node, "gone") is not True]


def not_replaced(gone: Facts, started: Facts, nodes: Sequence[str]) -> list[str]:
    """Nodes that are not back under a new process id."""
    pids = {node: (_fact(gone, node, "pid"), _fact(started, node, "pid")) for node in nodes}
    return [
        f"{node} is not back as a new process (pid {new})"
        for node, (old, new) in pids.items()
        if new in (old, None)
    ]


def not_delayed(
    facts: Facts, links: Sequence[Link], extra_ms: float, unmeasurable: Collection[Link]
) -> list[str]:
    """Links whose measured round trip did not grow by most of what was added; of unmeasurable ones alone
    there is no proof."""
    if all(link in unmeasurable for link in links):
        return ["no round trip could be measured"]
    added = {link: _grown_ms(facts, facts, link) for link in links if link not in unmeasurable}
    return [
        f"the round trip {name(link)} grew by {grown_ms:.0f} ms only"
        if grown_ms is not None
        else f"no answer over {name(link)}"
        for link, grown_ms in added.items()
        if grown_ms is None or grown_ms < DELAY_SHARE * _expected_ms(link, links, extra_ms)
    ]


def still_delayed(before: Facts, after: Facts, links: Sequence[Link], extra_ms: float) -> list[str]:
    """Links whose round trip is still as long as with the delay."""
    grown = {link: _grown_ms(before, after, link) for link in links}
    return [
        f"the round trip {name(link)} is still {grown_ms:.0f} ms longer"
        for link, grown_ms in grown.items()
        if grown_ms is not None and grown_ms >= DELAY_SHARE * _expected_ms(link, links, extra_ms)
    ]


def not_harmed(facts: Facts, links: Sequence[Link], what: str, share: float | None) -> list[str]:
    """Where no packet of these links is counted as `what`, or, of many, less than half or more than twice the
    share (None: it has none) of them."""
    packets = sum(count(facts, link, "packets") for link in links)
    harmed = sum(count(facts, link, what) for link in links)
    if harmed == 0:
        return [f"of {packets} packets none was {what}"]
    expected = packets * (share or 0.0)
    if expected >= MANY_PACKETS and not expected / 2 <= harmed <= 2 * expected:
        return [f"of {packets} packets {harmed} were {what}, not about {expected:.0f}"]
    return []


def _expected_ms(link: Link, links: Sequence[Link], extra_ms: float) -> float:
    return extra_ms * (2 if (link[1], link[0]) in links else 1)


def _grown_ms(before: Facts, after: Facts, link: Link) -> float | None:
    then, now = _fact(before, name(link), "rtt_before_ms"), _fact(after, name(link), "rtt_ms")
    return None if then is None or now is None else float(now) - float(then)


def _fact(facts: Facts, of: str, what: str) -> Any:
    return facts.get(of, {}).get(what)
