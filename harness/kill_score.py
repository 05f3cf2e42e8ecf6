"""How soon each planted bug is found in the simulator, and by whom."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.sweep import Campaign, sweep
from reports.host import host_facts
from reports.text import table_of
from system.mutants import Mutant

# Seeds of one search never meet those of another.
APART = 100_000
SOON_S = 1.0


@dataclass(frozen=True, slots=True)
class Search:
    """One search for a bug. seeds: how many it took. by: {"checker: kind": findings}, empty if not found"""

    found: bool
    seeds: int
    cpu_s: float
    by: dict[str, int]


@dataclass
class Score:
    """All searches for one bug. clients: those by the clients' history alone."""

    mutant: Mutant
    inside: list[Search] = field(default_factory=list)
    clients: list[Search] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        """Found in 19 of 20 searches, or in all of fewer."""
        return bool(self.inside) and sum(s.found for s in self.inside) >= 0.95 * len(self.inside)

    @property
    def cpu_s(self) -> float:
        return statistics.median(search.cpu_s for search in self.inside)

    @property
    def seen_by_clients(self) -> bool:
        return sum(search.found for search in self.clients) * 2 > len(self.clients)

    def to_json(self) -> dict[str, Any]:
        mutant = self.mutant
        return {
            "id": mutant.id,
            "name": mutant.name,
            "summary": mutant.summary,
            "seen_in": list(mutant.seen_in),
            "equivalent": mutant.equivalent,
            "killed": self.killed,
            "inside": [_as_json(search) for search in self.inside],
            "clients": [_as_json(search) for search in self.clients],
        }


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look. repeats: searches a bug, from different seeds; limit_s: CPU seconds a search."""

    repeats: int = 5
    limit_s: float = 60.0
    client_repeats: int = 1
    client_limit_s: float = 30.0
    first: int = 1


def score(
    mutants: Sequence[Mutant], effort: Effort, executor: Executor, show: Callable[[Score], None]
) -> list[Score]:
    """Searches for each bug; show is called with every score that is complete."""
    scores = []
    for mutant in mutants:
        one = Score(mutant)
        if not mutant.equivalent:
            for repeat in range(effort.repeats):
                one.inside.append(
                    _search(mutant, effort.first + repeat * APART, effort.limit_s, executor, True)
                )
            for repeat in range(effort.client_repeats):
                first = effort.first + repeat * APART
                one.clients.append(_search(mutant, first, effort.client_limit_s, executor, False))
        scores.append(one)
        show(one)
    return scores


def _search(mutant: Mutant, first: int, limit_s: float, executor: Executor, inside: bool) -> Search:
    """One process at a time, so that what it cost is what it took."""
    seeds, cpu_s = 0, 0.0
    while cpu_s < limit_s:
        campaign = Campaign(first + seeds, 20, mutant=mutant.name, inside=inside)
        tally = sweep(campaign, executor, 1)
        seeds += tally.probes
        cpu_s += tally.cpu_s
        if tally.found:
            by = Counter(f"{f.by}: {f.kind}" for one in tally.found for f in one.findings)
            return Search(True, seeds, cpu_s, dict(by))
    return Search(False, seeds, cpu_s, {})


def _as_json(search: Search) -> dict[str, Any]:
    return {"found": search.found, "seeds": search.seeds, "cpu_s": round(search.cpu_s, 3), "by": search.by}


def table(scores: Sequence[Score]) -> str:
    headings = ["id", "mutant", "seen in", "found by", "seeds", "CPU s (worst)", "clients alone"]
    return table_of([headings, *map(_row, scores)])


def _row(one: Score) -> list[str]:
    mutant = one.mutant
    if mutant.equivalent:
        return [
            mutant.id,
            mutant.name,
            ", ".join(mutant.seen_in),
            f"equivalent: {mutant.equivalent}",
            "",
            "",
            "",
        ]
    kinds = Counter(kind for search in one.inside for kind in search.by)
    by = kinds.most_common(1)[0][0] if kinds else "nobody"
    worst = max(search.cpu_s for search in one.inside)
    return [
        mutant.id,
        mutant.name,
        ", ".join(mutant.seen_in),
        by,
        f"{statistics.median(search.seeds for search in one.inside):g}",
        f"{one.cpu_s:.2f} ({worst:.2f})",
        _clients(one),
    ]


def _clients(one: Score) -> str:
    found = [search for search in one.clients if search.found]
    if not one.seen_by_clients:
        tried = sum(search.seeds for search in one.clients)
        why = f": {one.mutant.unseen}" if one.mutant.unseen else ""
        return f"not in {tried} seeds{why}" if tried else ""
    seeds = statistics.median(search.seeds for search in found)
    took_s = statistics.median(search.cpu_s for search in found)
    return f"{seeds:g} seed{'' if seeds == 1 else 's'}, {took_s:.1f} s"


_HEAD = """# Track record

Bugs that real implementations of Raft have had, each planted by overriding one method (`system/mutants/`),
and how soon the simulator finds them: seeds and CPU seconds until the first violation, medians over searches
from different seeds. *Clients alone*: found from what the clients saw, without a look inside.

Written by `{command}` on {date}; {cpu}, {count} processors, load {load:.1f}, {python}.

| id | bug | seen in | found by | seeds | CPU s (worst) | clients alone | what finds it |
|---|---|---|---|---|---|---|---|
"""


def page(scores: Sequence[Score], command: str) -> str:
    """The track record as a page: every bug, who had it, what finds it here, and how soon."""
    host = host_facts()
    head = _HEAD.format(
        command=command,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        cpu=host["cpu"]["model"],
        count=host["cpu"]["count"],
        load=host["load"][0],
        python=host["python"],
    )
    said = summary(scores)
    rows = "".join(f"| {' | '.join(_page_row(one))} |\n" for one in scores)
    return f"{head}{rows}\n{said[0].upper()}{said[1:]}.\n"


def _page_row(one: Score) -> list[str]:
    id_, name, seen, *rest = _row(one)
    return [id_, one.mutant.summary, seen, *rest, f"`crosswind sweep --mutant {name}`"]


def summary(scores: Sequence[Score]) -> str:
    """The last line: the kill score."""
    judged = [one for one in scores if not one.mutant.equivalent]
    killed = [one for one in judged if one.killed]
    soon = [one for one in killed if one.cpu_s < SOON_S]
    worst = max((search.cpu_s for one in judged for search in one.inside), default=0.0)
    said = (
        f"killed {len(killed)} of {len(judged)} mutants ({_share(killed, judged)}),"
        f" {len(scores) - len(judged)} argued equivalent; {len(soon)} ({_share(soon, judged)}) in a median"
        f" under {SOON_S:g} CPU s, the longest search took {worst:.1f} CPU s"
    )
    tried = [one for one in judged if one.clients]
    by_clients = [one for one in tried if one.seen_by_clients]
    return said + (f"; by clients alone {len(by_clients)} ({_share(by_clients, tried)})" if tried else "")


def _share(some: Sequence[Score], all_: Sequence[Score]) -> str:
    return f"{100 * len(some) / len(all_):.0f} %" if all_ else "none"
