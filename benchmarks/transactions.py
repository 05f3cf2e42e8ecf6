"""How fast list-append transactions are judged for strict serializability, from parsed columns.

    python benchmarks/transactions.py [TRANSACTIONS …]        (default: 200000 and 1000000)

The history is that of a simulated store that runs every transaction at one moment: 20 clients, 1 to 4
micro-operations a transaction, half of them reads, 10 live keys, a key retired after 100 appends. Printed,
for each size: transactions a second, warm, the median of several runs with their spread; the same with the
serial order proven by its verifier; how long a first judgement takes in a fresh process; and the memory in
use at its highest beyond the columns themselves, and with them, a micro-operation.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from checkers.transactions.columns import TransactionColumns  # noqa: E402
from checkers.transactions.judge import judge_columns  # noqa: E402

SIZES = (200_000, 1_000_000)
REPEATS = 7
CLIENTS, LIVE_KEYS, APPENDS_A_KEY, MOST_MICRO_OPS = 20, 10, 100, 4


@njit(cache=True)
def simulate(transactions: int, seed: int) -> Any:
    np.random.seed(seed)
    most = transactions * MOST_MICRO_OPS
    invoked, returned = np.empty(transactions, np.int64), np.empty(transactions, np.int64)
    process, first = np.empty(transactions, np.int64), np.zeros(transactions + 1, np.int64)
    f, key, version = np.zeros(most, np.uint8), np.empty(most, np.int32), np.full(most, -1, np.int32)
    length = np.zeros(most, np.int64)
    live, appended = np.arange(LIVE_KEYS), np.zeros(LIVE_KEYS, np.int64)
    keys = LIVE_KEYS
    running, ran = np.full(CLIENTS, -1, np.int64), np.zeros(CLIENTS, np.bool_)
    begun = returns = now = 0
    while returns < transactions:
        client = np.random.randint(CLIENTS)
        t = running[client]
        if t < 0:
            if begun == transactions:
                continue
            t = running[client] = begun
            ran[client] = False
            begun += 1
            first[t + 1] = first[t] + np.random.randint(1, MOST_MICRO_OPS + 1)
            invoked[t], process[t] = now, client
            now += 1
        elif not ran[client]:
            ran[client] = True
            for j in range(first[t], first[t + 1]):
                k = np.random.randint(LIVE_KEYS)
                key[j] = live[k]
                f[j] = np.random.randint(2)
                if f[j]:
                    version[j] = live[k] * APPENDS_A_KEY + appended[k]
                    appended[k] += 1
                    if appended[k] == APPENDS_A_KEY:
                        live[k], appended[k] = keys, 0
                        keys += 1
                else:
                    length[j] = appended[k]
        else:
            returned[t] = now
            now += 1
            returns += 1
            running[client] = -1
    m = first[transactions]
    element_first = np.zeros(m + 1, np.int64)
    element_first[1:] = np.cumsum(length[:m])
    elements = np.empty(element_first[m], np.int32)
    for j in range(m):
        for i in range(length[j]):
            elements[element_first[j] + i] = key[j] * APPENDS_A_KEY + i
    return (
        process, invoked, returned, first, f[:m].copy(), key[:m].copy(), version[:m].copy(),
        element_first, elements, keys, now,
    )  # fmt: skip


def history(transactions: int, seed: int = 1) -> TransactionColumns:
    process, invoked, returned, first, f, key, version, element_first, elements, keys, events = simulate(
        transactions, seed
    )
    return TransactionColumns(
        "list-append",
        np.zeros(transactions, np.uint8),
        process,
        invoked,
        returned,
        first,
        f,
        key,
        version,
        element_first,
        elements,
        invoked,
        returned,
        int(keys),
        int(keys) * APPENDS_A_KEY,
        int(events),
    )


def timed(columns: TransactionColumns, prove: bool) -> float:
    began_s = time.perf_counter()
    outcome = judge_columns(columns, prove=prove)
    took_s = time.perf_counter() - began_s
    assert outcome.found == [], outcome.found
    return took_s


def main() -> None:
    for transactions in [int(word) for word in sys.argv[1:]] or SIZES:
        columns = history(transactions)
        micro_ops = columns.micro_operations
        print(
            f"{transactions:,} transactions, {micro_ops:,} micro-operations,"
            f" {len(columns.elements):,} elements read, {columns.events:,} events"
        )
        for name, prove in (("judged", False), ("judged and proven", True)):
            timed(columns, prove)
            runs = sorted(timed(columns, prove) for _ in range(REPEATS))
            middle = statistics.median(runs)
            print(
                f"  {name}: {transactions / middle:,.0f} transactions/s"
                f" ({1e3 * middle:.0f} ms; {1e3 * runs[0]:.0f} to {1e3 * runs[-1]:.0f} ms of {REPEATS} runs)"
            )
        cold_s, grown_bytes = in_fresh_process(columns)
        print(f"  first use in a process, its code compiled before: {1e3 * cold_s:.0f} ms")
        print(
            f"  memory: {grown_bytes / micro_ops:.0f} bytes a micro-operation beyond the columns,"
            f" {(grown_bytes + columns.nbytes) / micro_ops:.0f} with them"
        )


def in_fresh_process(columns: TransactionColumns) -> tuple[float, int]:
    """The seconds that a first, small judgement takes, and by how much the process grew for these columns."""
    with tempfile.TemporaryDirectory() as folder:
        arrays = {name: value for name, value in vars(columns).items() if isinstance(value, np.ndarray)}
        for name, array in arrays.items():
            np.save(Path(folder) / f"{name}.npy", array)
        counts = [str(columns.keys), str(columns.versions), str(columns.events)]
        command = [sys.executable, __file__, "--fresh", folder, *counts]
        words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(words[0]), int(words[1])


def fresh(folder: Path, counts: list[int]) -> None:
    arrays = {path.stem: np.load(path) for path in folder.iterdir()}
    keys, versions, events = counts
    columns = TransactionColumns(kind="list-append", **arrays, keys=keys, versions=versions, events=events)
    cold_s = timed(history(100), True)
    before_bytes = highest_bytes()
    timed(columns, True)
    print(cold_s, highest_bytes() - before_bytes)


def highest_bytes() -> int:
    """The most memory that this process had in use so far. Linux only: what other systems call so starts from
    the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fresh"]:
        fresh(Path(sys.argv[2]), [int(word) for word in sys.argv[3:]])
    else:
        main()
