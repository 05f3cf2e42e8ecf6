"""`crosswind judge`."""

from __future__ import annotations

import argparse
import sys

from checkers import cli as files
from checkers.verdict import worst
from reports.record import RecordError, load
from reports.text import verdict_lines

add_arguments = files.add_arguments


def run(options: argparse.Namespace) -> int:
    """The worst of the exit codes. Raises RecordError, OptionError."""
    if options.model is not None:
        return files.run(options)
    from harness.judge import judge  # knows all workloads and nemeses; judging a mere history needs none

    codes = []
    for path in options.files:
        try:
            verdicts = judge(load(path))
        except RecordError as error:
            hint = "" if path.is_dir() else "; --model says what a history that is no run is to be judged as"
            print(f"crosswind: {error}{hint}", file=sys.stderr)
            codes.append(files.EXIT_BAD_INPUT)
            continue
        print(f"{path}\n{verdict_lines(verdicts)}" if len(options.files) > 1 else verdict_lines(verdicts))
        codes.append(files.EXIT_CODES[worst(verdicts)])
    return files.worst_code(codes)
