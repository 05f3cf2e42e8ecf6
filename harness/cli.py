"""The `crosswind` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from checkers.cli import EXIT_BAD_INPUT, OptionError
from harness.errors import ExecutorError, PlanError
from reports.record import RecordError


@dataclass(frozen=True, slots=True)
class Command:
    """module: where `add` (a parser's arguments) and `run` (options -> exit code) are; imported only for the
    command that is asked for, since judging a file needs no cluster."""

    name: str
    help: str
    description: str
    module: str
    add: str
    run: str


COMMANDS = (
    Command(
        "judge",
        "judge saved runs again, or anybody's histories",
        "Judges runs again, offline, by their own checkers; or any history as what --model says.",
        "harness.judge_cli",
        "add_arguments",
        "run",
    ),
    Command(
        "sweep",
        "many seeds in the simulator",
        "Runs seed after seed in the simulator, and stops at the first that breaks a promise.",
        "harness.sweep_cli",
        "add_sweep_arguments",
        "run_sweep",
    ),
    Command(
        "shrink",
        "the smallest schedule that still fails",
        "Leaves out of a failing simulated run what it fails without.",
        "harness.replay_cli",
        "add_shrink_arguments",
        "run_shrink",
    ),
    Command(
        "replay",
        "a simulated run once more, step by step the same",
        "Carries a simulated run out again, and compares the traces.",
        "harness.replay_cli",
        "add_replay_arguments",
        "run_replay",
    ),
    Command(
        "mutants",
        "planted bugs, and how soon they are found",
        "Searches for each planted bug from several seeds; by every check, and by clients alone.",
        "harness.sweep_cli",
        "add_mutant_arguments",
        "run_mutants",
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 yes, 1 no, 2 unknown, 3 vacuous, 64 bad input."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        options = _parser(words[0] if words else "").parse_args(words)
    except SystemExit as stop:  # argparse has said what was wrong
        return EXIT_BAD_INPUT if stop.code else 0
    try:
        return int(options.act(options))
    except (RecordError, PlanError, OptionError, ExecutorError) as error:
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


def _parser(asked: str) -> argparse.ArgumentParser:
    """Knows all commands, and the arguments of the one that is asked for."""
    parser = _Parser(prog="crosswind", description="Tests distributed systems under faults, and judges them.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        verb = verbs.add_parser(command.name, help=command.help, description=command.description)
        if command.name == asked:
            module = import_module(command.module)
            getattr(module, command.add)(verb)
            verb.set_defaults(act=getattr(module, command.run))
    return parser


if __name__ == "__main__":
    sys.exit(main())
