"""The `crosswind` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from checkers import cli as files
from checkers.verdict import worst
from harness import replay_cli, sweep_cli
from harness.judge import judge
from harness.plan import PlanError
from harness.sweep import ExecutorError
from reports.record import RecordError, load
from reports.text import verdict_lines

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
    except (RecordError, PlanError, files.OptionError, ExecutorError) as error:
        print(f"crosswind: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage above it."""
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="crosswind", description="Tests distributed systems under faults, and judges them.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    judging = verbs.add_parser(
        "judge",
        help="judge saved runs again, or anybody's histories",
        description="Judges runs again, offline, by their own checkers; or any history as what --model says.",
    )
    files.add_arguments(judging)
    judging.set_defaults(act=_judge)

    sweeping = verbs.add_parser(
        "sweep",
        help="many seeds in the simulator",
        description="Runs seed after seed in the simulator, and stops at the first that breaks a promise.",
    )
    sweep_cli.add_sweep_arguments(sweeping)
    sweeping.set_defaults(act=sweep_cli.run_sweep)

    shrinking = verbs.add_parser(
        "shrink",
        help="the smallest schedule that still fails",
        description="Leaves out of a failing simulated run what it fails without.",
    )
    replay_cli.add_shrink_arguments(shrinking)
    shrinking.set_defaults(act=replay_cli.run_shrink)

    replaying = verbs.add_parser(
        "replay",
        help="a simulated run once more, step by step the same",
        description="Carries a simulated run out again, and compares the traces.",
    )
    replay_cli.add_replay_arguments(replaying)
    replaying.set_defaults(act=replay_cli.run_replay)

    mutants = verbs.add_parser(
        "mutants",
        help="planted bugs, and how soon they are found",
        description="Searches for each planted bug from several seeds; by every check, and by clients alone.",
    )
    sweep_cli.add_mutant_arguments(mutants)
    mutants.set_defaults(act=sweep_cli.run_mutants)
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


if __name__ == "__main__":
    sys.exit(main())
