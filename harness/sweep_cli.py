"""`crosswind sweep` and `crosswind mutants`: their options, what they show meanwhile, and how they end."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

from checkers.cli import EXIT_CODES, OptionError, duration_s
from checkers.verdict import Validity
from checkers.words import count
from harness import compiled
from harness.errors import ExecutorError, PlanError
from harness.executors import compiled_processes, on_dask, processes
from harness.plan import known
from harness.run import RUNS, carry_out
from harness.sweep import CONCURRENCY, NEMESES, RATE, WORKLOADS, Campaign, Tally, probe_all, sweep
from nemesis import NEMESES as ALL_NEMESES
from system.mutants import MUTANTS, Mutant, resolve
from workloads import WORKLOADS as ALL_WORKLOADS

SHOW_EVERY_S = 1.0
# How many failures get a run directory, unless --keep says otherwise.
KEEP = 5


def add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="the first (default 1)")
    parser.add_argument(
        "--workload", action="append", help=f"one after the other (default {', '.join(WORKLOADS)})"
    )
    parser.add_argument(
        "--nemesis", default=",".join(NEMESES), help=f"with commas (default {','.join(NEMESES)})"
    )
    parser.add_argument("--mutant", help="plant this bug, by name or id (crosswind mutants --list)")
    parser.add_argument("--nodes", type=int, default=3, help="control-plane nodes: 1, 3 or 5 (default 3)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"operations a second (default {RATE:g})")
    parser.add_argument(
        "--concurrency", type=int, default=CONCURRENCY, help=f"clients (default {CONCURRENCY})"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="on a Dask scheduler's workers, such as tcp://host:8786"
    )
    parser.add_argument(
        "--compiled",
        action="store_true",
        help="compile the simulator, once: a quarter to a half more seeds in the same time (needs a C"
        " compiler)",
    )
    parser.add_argument("--time", type=duration_s, help="stop after so long, such as 90s, 10m or 2h")
    parser.add_argument("--all", action="store_true", help="count all violations, not only the first")
    parser.add_argument("--client-only", action="store_true", help="judge by what the clients saw alone")
    parser.add_argument(
        "--keep", type=int, default=KEEP, help=f"run directories of failures (default {KEEP})"
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="json: one object at the end"
    )


def run_sweep(options: argparse.Namespace) -> int:
    """Exit codes: 0 no violation, 1 violations, 3 nothing could have shown. Raises PlanError, OptionError,
    ExecutorError."""
    campaign = _campaign(options)
    with _executor(options) as (executor, at_a_time):
        shown = _Live(campaign.seeds, quiet=options.format == "json")
        tally = sweep(campaign, executor, at_a_time, shown.show)
        shown.close()
    if options.compiled:
        _confirm(campaign, tally)
    kept = _keep(campaign, tally, options.keep)
    if options.format == "json":
        print(json.dumps(tally.to_json() | {"mutant": campaign.mutant, "runs": list(map(str, kept))}))
    else:
        print(_summary(tally))
        _tell_failures(campaign, tally, kept)
    if tally.found:
        return EXIT_CODES[Validity.NO]
    showed_nothing = tally.vacuous.total() == tally.probes or tally.never_ok
    return EXIT_CODES[Validity.VACUOUS if showed_nothing else Validity.YES]


def _executor(options: argparse.Namespace) -> AbstractContextManager[tuple[Executor, int]]:
    if not options.compiled:
        return on_dask(options.dask) if options.dask else processes(options.jobs)
    if options.dask:
        raise OptionError(f"--compiled --dask={options.dask}: what is compiled runs on this machine only")
    if options.mutant is not None:
        raise OptionError(
            f"--compiled --mutant={options.mutant}: no bug can be planted in what is compiled; leave"
            " --compiled out"
        )
    return compiled_processes(options.jobs, compiled.tree())


def _confirm(campaign: Campaign, tally: Tally) -> None:
    """What the compiled code found counts once the code as it stands finds it too, by the same steps."""
    for one in tally.found:
        (again,) = probe_all(campaign, (one.plan.seed,))
        if (again.trace_hash, again.findings) != (one.trace_hash, one.findings):
            said = ", ".join(sorted(again.kinds)) or "nothing"
            raise ExecutorError(
                f"seed {one.plan.seed}: compiled, the simulator finds {', '.join(sorted(one.kinds))}; not"
                f" compiled, {said}: what compiles it is wrong; sweep without --compiled"
            )


def _campaign(options: argparse.Namespace) -> Campaign:
    for flag, value, least in (
        ("--seeds", options.seeds, 1),
        ("--jobs", options.jobs, 1),
        ("--keep", options.keep, 0),
    ):
        if value < least:
            raise OptionError(f"{flag}={value}: expected a whole number of at least {least}")
    mutant = _mutant(options.mutant).name if options.mutant is not None else None
    campaign = Campaign(
        first=options.seed,
        seeds=options.seeds,
        workloads=tuple(options.workload or WORKLOADS),
        nemeses=tuple(options.nemesis.split(",")),
        mutant=mutant,
        nodes=options.nodes,
        rate=options.rate,
        concurrency=options.concurrency,
        limit_s=options.time,
        count_all=options.all,
        inside=not options.client_only,
    )
    for workload in campaign.workloads:
        known("workload", workload, ALL_WORKLOADS)
    for nemesis in campaign.nemeses:
        known("nemesis", nemesis, ALL_NEMESES)
    for seed in (campaign.first, campaign.first + campaign.seeds - 1):
        campaign.plan(seed)
    return campaign


def _mutant(name: str) -> Mutant:
    mutant = resolve(name)
    if mutant is None:
        known("mutant", name, MUTANTS)
    assert mutant is not None
    return mutant


class _Live:
    """Seeds done, simulated seconds a second, violations: a line that changes on a terminal."""

    def __init__(self, seeds: int, *, quiet: bool) -> None:
        self._seeds = seeds
        self._quiet = quiet or not sys.stderr.isatty()
        self._shown_s = 0.0

    def show(self, tally: Tally) -> None:
        if self._quiet or time.monotonic() - self._shown_s < SHOW_EVERY_S:
            return
        self._shown_s = time.monotonic()
        pace = tally.simulated_s / max(tally.wall_s, 1e-9)
        done = f"{tally.probes}/{self._seeds} seeds"
        print(
            f"\r\x1b[2K{done}  {pace:.0f} simulated s/s  {len(tally.found)} violations",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        if not self._quiet:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def _summary(tally: Tally) -> str:
    per_cpu = tally.simulated_s / max(tally.cpu_s, 1e-9)
    done = f"{count(tally.probes, 'seed')}, {count(tally.operations, 'operation')}"
    said = (
        f"{done}, {tally.simulated_s:.0f} simulated s in {tally.cpu_s:.1f} CPU s ({per_cpu:.0f} a CPU s),"
        f" in {tally.wall_s:.1f} s; {count(len(tally.found), 'violation')}"
    )
    if tally.vacuous:
        reasons = "; ".join(f"{reason}: {n}" for reason, n in tally.vacuous.most_common())
        said += f"\n{count(tally.vacuous.total(), 'run')} could have shown nothing ({reasons})"
    for f, n in tally.never_ok.items():
        said += f"\nnone of {n:,} {f} operations succeeded, so nothing is known of them: not green"
    return said


def _keep(campaign: Campaign, tally: Tally, most: int) -> list[Path]:
    """Carries failures out again, recorded; the same seed does the same. Returns their run directories."""
    failures = sorted(tally.found, key=lambda one: one.plan.seed)[:most]
    return [carry_out(one.plan, RUNS).directory for one in failures]


def _tell_failures(campaign: Campaign, tally: Tally, kept: Sequence[Path]) -> None:
    failures = sorted(tally.found, key=lambda one: one.plan.seed)
    for number, one in enumerate(failures[: max(len(kept), 1)]):
        first = one.findings[0]
        print(f"\nseed {one.plan.seed}: {first.by}: {first.kind}: {first.message}")
        if number < len(kept):
            print(f"  report:  {os.path.relpath(kept[number] / 'report.html')}")
        print(f"  again:   {one.plan.command}")
    if len(failures) > len(kept):
        print(f"\n{len(failures) - len(kept)} more failing seeds have no run directory (--keep)")


def add_mutant_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", help="name them, and stop")
    parser.add_argument("--mutant", action="append", help="only this one, by name or id (repeatable)")
    parser.add_argument("--repeats", type=int, default=5, help="searches a bug, from other seeds (default 5)")
    parser.add_argument("--limit", type=duration_s, default=60.0, help="CPU time a search (default 60s)")
    parser.add_argument(
        "--client-repeats",
        type=int,
        default=1,
        help="searches by the clients' history alone (default 1; 0: none)",
    )
    parser.add_argument(
        "--client-limit", type=duration_s, default=30.0, help="CPU time of such a search (default 30s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the first (default 1)")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="json: one object at the end"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the track record as a page, too")
    parser.add_argument("--cluster", choices=("sim", "local"), default="sim", help="where (default sim)")
    parser.add_argument("--campaigns", type=int, default=10, help="of the local cluster (default 10)")
    parser.add_argument(
        "--seeds", type=int, default=10, help="of the local cluster: seeds a campaign (default 10)"
    )


def run_mutants(options: argparse.Namespace) -> int:
    """Exit codes: 0 every mutant was killed or is argued equivalent, 1 not. Raises PlanError, OptionError."""
    chosen = [_mutant(name) for name in options.mutant] if options.mutant else list(MUTANTS.values())
    if options.list:
        width = max(map(len, MUTANTS))
        for mutant in chosen:
            print(f"{mutant.name:<{width}}  {mutant.id}  {mutant.summary}")
        return 0
    if min(options.campaigns, options.seeds, options.repeats) < 1 or options.client_repeats < 0:
        raise OptionError("--campaigns, --seeds, --repeats: expected a whole number of at least 1")
    if options.cluster == "local":
        return _on_real_processes(chosen, options)
    from harness.kill_score import Effort, page, score, summary, table

    effort = Effort(
        options.repeats, options.limit, options.client_repeats, options.client_limit, options.seed
    )
    with processes(1) as (executor, _):
        scores = score(
            chosen, effort, executor, lambda one: print(f"{one.mutant.name} …", file=sys.stderr, flush=True)
        )
    if options.write is not None:
        options.write.write_text(page(scores, _command(options)), encoding="utf-8")
    if options.format == "json":
        print(json.dumps({"mutants": [one.to_json() for one in scores], "summary": summary(scores)}))
    else:
        print(table(scores))
        print(summary(scores))
    return 0 if all(one.killed or one.mutant.equivalent for one in scores) else 1


def _command(options: argparse.Namespace) -> str:
    """The line that writes the page again."""
    return shlex.join(["crosswind", "mutants", f"--repeats={options.repeats}", f"--write={options.write}"])


def _on_real_processes(chosen: Sequence[Mutant], options: argparse.Namespace) -> int:
    from harness.campaign import campaigns

    shown = [mutant.name for mutant in chosen if mutant.nemeses]
    if not shown:
        raise PlanError("none of these mutants has a run on real processes that is meant to show it")
    return 0 if campaigns(shown, options.campaigns, options.seeds, options.seed) else 1
