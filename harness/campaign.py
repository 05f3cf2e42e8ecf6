"""How soon a planted bug is found: seeds tried until the right checker objects, over several campaigns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from checkers.verdict import Validity
from harness.plan import Plan
from harness.run import RUNS, Result, carry_out
from reports.text import table_of
from system.mutants import MUTANTS, Mutant


@dataclass
class Tally:
    """One mutant's campaigns. seeds: how many each successful campaign took."""

    mutant: Mutant
    campaigns: int = 0
    seeds: list[int] = field(default_factory=list)
    caught_by: dict[str, int] = field(default_factory=dict)
    run_s: list[float] = field(default_factory=list)


def campaigns(names: Sequence[str], count: int, seeds: int, first_seed: int) -> bool:
    """Runs them, printing a line a run and a table at the end; whether every mutant was caught in nine
    tenths of its campaigns."""
    tallies = [_tally(MUTANTS[name], count, seeds, first_seed) for name in names]
    print(_table(tallies, seeds))
    return all(len(tally.seeds) >= 0.9 * tally.campaigns for tally in tallies)


def _tally(mutant: Mutant, count: int, seeds: int, first_seed: int) -> Tally:
    tally = Tally(mutant)
    for campaign in range(count):
        tally.campaigns += 1
        for tried in range(1, seeds + 1):
            seed = first_seed + campaign * seeds + tried - 1
            began = time.monotonic()
            result = carry_out(Plan(mutant.workload, mutant.nemeses, seed, mutant=mutant.name), RUNS)
            tally.run_s.append(time.monotonic() - began)
            by = _caught_by(result)
            print(
                f"{mutant.name} campaign {campaign + 1} seed {seed}: {', '.join(by) or 'not caught'}",
                flush=True,
            )
            for checker in by:
                tally.caught_by[checker] = tally.caught_by.get(checker, 0) + 1
            if any(checker in mutant.caught_by for checker in by):
                tally.seeds.append(tried)
                break
    return tally


def _caught_by(result: Result) -> list[str]:
    return [verdict.checker for verdict in result.verdicts if verdict.valid is Validity.NO]


def _table(tallies: Sequence[Tally], seeds: int) -> str:
    rows = [
        ("mutant", f"caught within {seeds} seeds", "seeds (median, worst)", "run, median", "caught by (runs)")
    ]
    for tally in tallies:
        rows.append(
            (
                tally.mutant.name,
                f"{len(tally.seeds)} of {tally.campaigns} campaigns",
                f"{statistics.median(tally.seeds):g}, {max(tally.seeds)}" if tally.seeds else "–",
                f"{statistics.median(tally.run_s):.1f} s",
                ", ".join(f"{name} ({n})" for name, n in sorted(tally.caught_by.items())) or "nobody",
            )
        )
    return table_of(rows)
