"""Peer and ours in turn, history by history."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkers import histories as of
from benchmarks.checkers import ours
from benchmarks.checkers.histories import History, Registers
from benchmarks.checkers.peers import Porcupine
from benchmarks.checkers.table import Row, Spread

OURS_A_ROUND = 5
NO_PEER = "not tried: Go is missing"


@dataclass(frozen=True)
class Bench:
    """timeout_s: for histories that Porcupine is not expected to decide."""

    porcupine: Porcupine | None
    rounds: int
    timeout_s: float
    say: Callable[[str], None] = print

    def row(
        self,
        work: str,
        history: History,
        *,
        timeout_s: float = ours.LONGEST_S,
        at_least: float | None = None,
        under_s: float | None = None,
        peer: bool = True,
    ) -> Row:
        """Both warm, in turn; a peer that gave no answer is not asked again."""
        self.say(f"{work} …")
        verdict, theirs = ours.judge(history), []
        mine = [timed(history)]
        said = "" if peer else "not tried"
        if peer and self.porcupine is not None:
            said, _ = self.porcupine.judge(history, timeout_s)
        for _ in range(self.rounds):
            if said in ("yes", "no") and self.porcupine is not None:
                theirs.append(self.porcupine.judge(history, timeout_s)[1])
            if max(mine) < timeout_s / OURS_A_ROUND:
                warm_up(history)
                mine += [timed(history) for _ in range(OURS_A_ROUND)]
        return Row(
            work,
            Spread(mine),
            Spread(theirs) if theirs else said or NO_PEER,
            verdicts(verdict, said if theirs else None),
            at_least,
            under_s,
        )

    def logs(self, logs: Sequence[Registers], at_least: float) -> list[Row]:
        """The sum over all logs, in each round anew, and the log where we compare worst."""
        self.say(f"{len(logs)} etcd logs …")
        found = {log: ours.judge(log) for log in logs}
        said = {log: self.porcupine.judge(log, ours.LONGEST_S)[0] for log in logs} if self.porcupine else {}
        mine: dict[Registers, list[float]] = {log: [] for log in logs}
        theirs: dict[Registers, list[float]] = {log: [] for log in logs}
        for _ in range(self.rounds):
            for log in logs:
                if self.porcupine is not None:
                    theirs[log].append(self.porcupine.judge(log, ours.LONGEST_S)[1])
                warm_up(log)
                mine[log].append(timed(log))
        counts = ", ".join(f"{list(found.values()).count(word)} {word}" for word in ("yes", "no"))
        if said:
            counts += ", both alike" if said == found else "; THEY DIFFER"
        work = f"the {len(logs)} etcd logs, in sum"
        sums = Spread([sum(times) for times in zip(*mine.values(), strict=True)])
        if self.porcupine is None:
            return [Row(work, sums, NO_PEER, counts, at_least)]
        peer = Spread([sum(times) for times in zip(*theirs.values(), strict=True)])
        rows = {log: Row("", Spread(mine[log]), Spread(theirs[log]), "") for log in logs}
        worst = min(logs, key=lambda log: rows[log].ratio or 0)
        return [
            Row(work, sums, peer, counts, at_least),
            Row(
                f"  the one where we compare worst, {worst.name}",
                rows[worst].ours,
                rows[worst].peer,
                verdicts(found[worst], said[worst]),
                at_least=1,
            ),
        ]


def warm_up(history: History) -> None:
    """The peer has had the caches; it gets warm within a call of its own, which takes longer than these."""
    for _ in range(OURS_A_ROUND):
        timed(history)


def timed(history: History) -> float:
    began = time.perf_counter()
    ours.judge(history)
    return time.perf_counter() - began


def verdicts(mine: str, theirs: str | None) -> str:
    if theirs is None:
        return mine
    return f"both {mine}" if mine == theirs else f"OURS {mine}, PORCUPINE {theirs}"


def rows(bench: Bench, etcd: Path) -> list[Row]:
    """The table of what is asked for, as far as it compares with Porcupine."""
    found = []
    logs = of.etcd_logs(etcd)
    if logs:
        found += bench.logs(logs, at_least=25)
    else:
        bench.say(f"{etcd}: no etcd logs there, so they are left out")
    ten = of.registers(10, 10_000)
    found.append(bench.row(f"register, unique values: {ten.name}", ten, at_least=1000))
    found.append(bench.row("  with a stale read", of.spoiled(ten)))
    for clients in (20, 50):
        for operations in (1_000, 10_000, 100_000):
            one = of.registers(clients, operations)
            found.append(bench.row(f"  {one.name}", one, timeout_s=bench.timeout_s, under_s=0.1))
    repeated = of.registers(10, 10_000, values=5, swaps=of.SWAPS)
    found.append(bench.row(f"cas and repeated values: {repeated.name}", repeated, at_least=20))
    found.append(bench.row("  with a read of what nobody wrote", of.spoiled(repeated)))
    twenty = of.registers(20, 10_000, values=5, swaps=of.SWAPS)
    found.append(bench.row(f"  {twenty.name}", twenty, timeout_s=bench.timeout_s, under_s=2.0))
    many = of.registers(50, 10_000, keys=10)
    found.append(bench.row(f"kv, 10 keys, unique values: {many.name}", many, at_least=50))
    found.append(bench.row("  with a stale read", of.spoiled(many)))
    whole = of.lists(10, 10_000, crashed=0.0)
    found.append(bench.row(f"append with witness and content: {whole.name}, no crash", whole, at_least=200))
    for operations, under_s in ((100_000, 0.05), (1_000_000, 0.5)):
        listed = of.lists(10, operations)
        found.append(
            bench.row(
                f"  {listed.name}",
                listed,
                timeout_s=bench.timeout_s,
                under_s=under_s,
                peer=operations <= 100_000,
            )
        )
    return found
