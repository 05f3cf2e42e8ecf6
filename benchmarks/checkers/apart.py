"""What is not beside Porcupine: transactions, columns, plain Python, and the whole way from a file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import columns, transactions
from benchmarks.checkers import histories as of
from benchmarks.checkers import ours, peers
from benchmarks.checkers.table import Row, Spread, ms
from checkers.formats.columns import load_columns, write_columns
from checkers.formats.reading import read_history
from checkers.judging import judge
from checkers.linear.certificate import verify
from checkers.linear.operations import Decision, Limits, Operation
from checkers.linear.search import search
from checkers.linear.zones import zones
from checkers.models.register import CAS_REGISTER, REGISTER
from checkers.verdict import Validity

Say = Callable[[str], None]
Cells = tuple[str, ...]
PLAIN_HEAD = ("work", "ours, ms", "plain Python, ms", "ratio", "verdicts")
HEAD = ("work", "ms")
ROOT = Path(__file__).resolve().parents[2]
PLAIN_TIMEOUT_S = 5.0
TRANSACTIONS, RECORDS = 200_000, 1_000_000
NOT_COMPARED = "not compared"


def timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def spread(rounds: int, what: Callable[[], object]) -> Spread:
    what()
    return Spread([timed(what) for _ in range(rounds)])


def throughput(folder: Path, rounds: int, say: Say) -> list[Row]:
    say(f"{TRANSACTIONS:,} transactions …")
    run = transactions.history(TRANSACTIONS)
    transactions.timed(run, False)
    judged = Spread([transactions.timed(run, False) for _ in range(rounds)])
    a_second = TRANSACTIONS / judged.median_s
    _, grown_bytes = transactions.in_fresh_process(run)
    bytes_each = (grown_bytes + run.nbytes) / run.micro_operations
    say(f"{RECORDS:,} records …")
    write_columns(folder / "columns", columns.recorded(RECORDS))
    read = spread(rounds, lambda: columns.load_and_touch(folder / "columns"))
    mapped = spread(rounds, lambda: load_columns(folder / "columns"))
    return [
        Row(
            f"list-append transactions with realtime edges: {TRANSACTIONS:,}",
            judged,
            NOT_COMPARED,
            "yes",
            note=f"{a_second / 1e6:.2f} M/s",
            asked="1 M/s",
            reached=a_second >= 1e6,
        ),
        Row(
            "  their memory, columns included",
            judged,
            NOT_COMPARED,
            "",
            note=f"{bytes_each:.0f} B a micro-operation",
            asked="under 200 B",
            reached=bytes_each < 200,
        ),
        *(
            Row(
                f"{name}: {RECORDS:,} records",
                took,
                NOT_COMPARED,
                "",
                note=f"{RECORDS / took.median_s / 1e6:,.0f} M/s",
                asked="50 M/s",
                reached=RECORDS / took.median_s >= 50e6,
            )
            for name, took in (("reading a run's columns", mapped), ("  and looking at every number", read))
        ),
    ]


def plain_python(etcd: Path, say: Say) -> list[Cells]:
    """Once each: it is slow, and where it gives up, for long."""
    found: list[Cells] = []
    logs = of.etcd_logs(etcd)
    if logs:
        say("etcd logs in plain Python …")
        said = [peers.plain_python(log, PLAIN_TIMEOUT_S) for log in logs]
        mine = [ours.judge(log) for log in logs]
        alike = sum(one == word for one, (word, _) in zip(mine, said, strict=True))
        took_s = timed(lambda: [ours.judge(log) for log in logs])
        theirs_s = sum(seconds for _, seconds in said)
        found.append(
            (
                f"the {len(logs)} etcd logs, in sum",
                ms(took_s),
                ms(theirs_s),
                f"{theirs_s / took_s:,.0f} ×",
                f"{alike} of {len(logs)} alike",
            )
        )
    for name, one in (
        ("register, unique values", of.registers(10, 10_000)),
        ("register, unique values", of.registers(20, 1_000)),
        ("cas and repeated values", of.registers(10, 1_000, values=5, swaps=of.SWAPS)),
    ):
        say(f"{one.name} in plain Python …")
        word, seconds = peers.plain_python(one, PLAIN_TIMEOUT_S)
        mine_word, took_s = ours.judge(one), timed(partial(ours.judge, one))
        answered = word in ("yes", "no")
        found.append(
            (
                f"{name}: {one.name}",
                ms(took_s),
                ms(seconds) if answered else word,
                f"{seconds / took_s:,.0f} ×" if answered else "",
                f"both {word}" if word == mine_word else f"ours {mine_word}",
            )
        )
    return found


def whole_way(folder: Path, etcd: Path, rounds: int, without_cache: bool, say: Say) -> list[Cells]:
    say("certificates, files, cold starts …")
    ten = of.registers(10, 10_000)
    operations = ten.operations
    decision = zones(operations)
    assert decision is not None
    found = [
        (f"register, {ten.name}: from columns", spread(rounds, lambda: ours.zones(ten))),
        ("  with an order as certificate", spread(rounds, lambda: ours.zones(ten, certify=True))),
        ("  from operations, with the order", spread(rounds, lambda: zones(operations))),
        ("  the order verified", spread(rounds, lambda: _verified(operations, decision))),
    ]
    logs = sorted(etcd.glob("*.log"))
    if logs:
        recorded = [one.operations for one in of.etcd_logs(etcd)]
        found += [
            (
                f"the {len(logs)} etcd logs: search, certificate and its verification",
                spread(rounds, partial(_proven, recorded)),
            ),
            (
                "  from file to verdict",
                spread(rounds, lambda: [judge(read_history(path), "cas-register") for path in logs]),
            ),
            ("  the first of them in a fresh process", cold(logs[0], rounds, {})),
        ]
        if without_cache:
            cache = {"NUMBA_CACHE_DIR": str(folder / "no-cache")}
            once = Spread([_run(logs[0], cache)])
            found.append(("  the same, with everything to be compiled", once))
    return [(work, str(took)) for work, took in found]


def _verified(operations: Sequence[Operation], decision: Decision) -> None:
    assert decision.order is not None
    assert verify(REGISTER, operations, decision.order) is None


def _proven(histories: Sequence[Sequence[Operation]]) -> None:
    for operations in histories:
        decision = search(CAS_REGISTER, operations, Limits.of(ours.LONGEST_S))
        if decision.validity is Validity.YES:
            assert decision.order is not None
            assert verify(CAS_REGISTER, operations, decision.order) is None


def cold(path: Path, rounds: int, environment: dict[str, str]) -> Spread:
    """A first run may have something to compile."""
    return spread(rounds, lambda: _run(path, environment))


def _run(path: Path, environment: dict[str, str]) -> float:
    command = [sys.executable, "-m", "checkers", str(path), "--model", "cas-register"]
    began = time.perf_counter()
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if ended.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)}: exit code {ended.returncode}: {ended.stderr.strip()}")
    return time.perf_counter() - began
