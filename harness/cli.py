"""The `crosswind` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from checkers import cli as files
from checkers.verdict import worst
from harness.judge import judge
from harness.plan import PlanError
from reports.record import RecordError, load
from reports.text import verdict_lines
from system.mutants import MUTANTS

EXIT_BAD_INPUT = files.EXIT_BAD_INPUT


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 yes, 1 no, 2 unknown, 3 vacuous, 64 bad input."""
    parser = _parser()
    try:
        options = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has said what was wrong
        return EXIT_BAD_INPUT if stop.code else 0
    try:
        return int(options.act(options))
    except (RecordError, PlanError, files.OptionError) as error:
        print(f"crosswind: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crosswind", description="Tests distributed systems under faults, and judges them."
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    judging = verbs.add_parser(
        "judge",
        help="judge saved runs again, or anybody's histories",
        description="Judges runs again, offline, by their own checkers; or any history as what --model says.",
    )
    files.add_arguments(judging)
    judging.set_defaults(act=_judge)

    mutants = verbs.add_parser("mutants", help="planted bugs, and how soon they are found")
    mutants.add_argument("--list", action="store_true", help="name them, and stop")
    mutants.add_argument("--campaigns", type=int, default=10, help="campaigns a mutant (default 10)")
    mutants.add_argument("--seeds", type=int, default=10, help="seeds a campaign at most (default 10)")
    mutants.add_argument("--seed", type=int, default=1, help="the first campaign's first seed (default 1)")
    mutants.add_argument(
        "--mutant", action="append", choices=list(MUTANTS), help="only this one (repeatable)"
    )
    mutants.set_defaults(act=_mutants)
    return parser


def _judge(options: argparse.Namespace) -> int:
    if options.model is not None:
        return files.run(options)
    codes = []
    for path in options.files:
        try:
            verdicts = judge(load(path))
        except RecordError as error:
            hint = "" if path.is_dir() else "; --model says what a history that is no run is to be judged as"
            print(f"crosswind: {error}{hint}", file=sys.stderr)
            codes.append(EXIT_BAD_INPUT)
            continue
        print(f"{path}\n{verdict_lines(verdicts)}" if len(options.files) > 1 else verdict_lines(verdicts))
        codes.append(files.EXIT_CODES[worst(verdicts)])
    return files.worst_code(codes)


def _mutants(options: argparse.Namespace) -> int:
    from harness.campaign import campaigns  # brings in the whole harness, which judging does not need

    if options.list:
        width = max(map(len, MUTANTS))
        for mutant in MUTANTS.values():
            print(f"{mutant.name:<{width}}  {mutant.summary}")
        return 0
    if options.campaigns < 1 or options.seeds < 1:
        raise PlanError("--campaigns and --seeds: expected a whole number of at least 1")
    return (
        0 if campaigns(options.mutant or list(MUTANTS), options.campaigns, options.seeds, options.seed) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
