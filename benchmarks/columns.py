"""How fast a run's history is read: its columns (the numbers as arrays; with every value; as operations) and
its JSON lines. Prints million records a second, the median and the spread of the repeats.

    python benchmarks/columns.py [--records N] [--repeats N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from checkers.formats.columns import load_columns, read_columns, write_columns
from checkers.formats.jsonl import read_ops, write_ops
from checkers.history import Op


def recorded(count: int) -> list[Op]:
    """An append workload's operations: 10 clients, an invocation and its completion in turn."""
    return [
        Op(
            index=number,
            time_ns=2_499_130_654_099 + number * 1_000,
            process=number // 2 % 10,
            type="ok" if number % 2 else "invoke",
            f="append",
            value=[f"k{number // 2 % 5}", number // 2],
            node="cp-aws-1",
            witness=number // 2 if number % 2 else None,
        )
        for number in range(count)
    ]


def load_and_touch(folder: Path) -> int:
    """Every number of every column passes through the processor once."""
    columns = load_columns(folder)
    arrays = (columns.index, columns.time_ns, columns.process, columns.type, columns.f, columns.node)
    return sum(int(array.sum()) for array in (*arrays, columns.witness))


def measure(name: str, count: int, repeats: int, read: Callable[[], object]) -> None:
    read()
    rates = []
    for _ in range(repeats):
        began = time.perf_counter()
        read()
        rates.append(count / (time.perf_counter() - began) / 1e6)
    print(
        f"{name:<40} {statistics.median(rates):8.2f} M records/s"
        f"  ({min(rates):.2f} to {max(rates):.2f}, {repeats} repeats)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, lines = Path(name) / "columns", Path(name) / "history.jsonl"
        ops = recorded(options.records)
        write_columns(folder, ops)
        write_ops(lines, ops)
        del ops
        for title, read in (
            ("columns: the numbers, as arrays", lambda: load_columns(folder)),
            ("columns: the same, each looked at", lambda: load_and_touch(folder)),
            ("columns: as operations, with values", lambda: read_columns(folder)),
            ("JSON lines: as operations, with values", lambda: read_ops(lines)),
        ):
            measure(title, options.records, options.repeats, read)


if __name__ == "__main__":
    main()
