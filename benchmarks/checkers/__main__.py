"""How fast the checkers judge, beside Porcupine in the same run.

    python -m benchmarks.checkers [--rounds N] [--timeout S] [--huge] [--without-cache] [--write FILE]

Both are warm, in turn, and judge from parsed columns; medians, and in brackets the fastest and the slowest.
All histories but the recorded ones are simulated: half of the operations are reads, and 3 in 100 crash,
unless said otherwise. Lists are as in the workload. Apart from it: what else it takes from a file to a proven
verdict.
The exit code is 1 where something that is asked for was not reached.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ETCD = ROOT.parent / "shared" / "histories" / "etcd"


def main() -> int:
    from benchmarks.checkers import apart, comparing, huge, table
    from benchmarks.checkers.peers import Porcupine

    options = parse()
    sections: list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]] = []

    def say(what: str) -> None:
        print(f"  {what}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        porcupine = Porcupine(folder) if Porcupine.is_possible() else None
        bench = comparing.Bench(porcupine, options.rounds, options.timeout, say)
        try:
            rows = comparing.rows(bench, options.etcd)
        finally:
            if porcupine is not None:
                porcupine.close()
        rows += apart.throughput(folder, options.rounds, say)
        sections.append(("Beside Porcupine, warm, from columns", table.HEAD, [row.cells() for row in rows]))
        sections.append(
            (
                "The in-repository search in plain Python",
                apart.PLAIN_HEAD,
                apart.plain_python(options.etcd, say),
            )
        )
        sections.append(
            (
                "From a file to a proven verdict",
                apart.HEAD,
                apart.whole_way(folder, options.etcd, options.rounds, options.without_cache, say),
            )
        )
        if options.huge:
            sections.append(("In bounded memory", huge.HEAD, [huge.measure(folder, say)]))
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    for title, head, cells in sections:
        print(f"\n{title}\n\n{table.plain(head, cells)}")
    print(f"\n{machine}; {options.rounds} rounds; load {os.getloadavg()[0]:.1f}")
    if options.write is not None:
        text = [f"## {title}\n\n{table.markdown(head, cells)}\n" for title, head, cells in sections]
        said = (
            f"Printed by `make bench-checkers` on {datetime.now(UTC):%Y-%m-%d}; {machine};"
            f" {options.rounds} rounds; load {os.getloadavg()[0]:.1f}."
        )
        page = "\n".join(["# How fast the checkers judge\n", said, "", *text])
        options.write.write_text(page, encoding="utf-8")
    return 0 if all(row.holds() is not False for row in rows) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.checkers", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=5, help="of peer and ours in turn (5)")
    parser.add_argument(
        "--timeout",
        type=float,
        default=2.0,
        metavar="S",
        help="what Porcupine gets where it is not expected to answer (2)",
    )
    parser.add_argument("--etcd", type=Path, default=ETCD, metavar="FOLDER", help="of the etcd logs")
    parser.add_argument("--huge", action="store_true", help="10 million operations from a file, too")
    parser.add_argument("--without-cache", action="store_true", help="a cold start that compiles all, too")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the tables as a page in Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
