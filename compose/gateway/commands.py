"""Running `ip`, `iptables` and `tc`."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class SetupError(Exception):
    """One line for a person: what the container or its kernel lacks, or what a command that failed said."""


def run(command: Sequence[str], stdin: str = "") -> str:
    """What the command printed. Raises SetupError."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SetupError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise SetupError(f"`{' '.join(command)}` failed: {said}")
    return done.stdout


def succeeds(command: Sequence[str]) -> bool:
    try:
        run(command)
    except SetupError:
        return False
    return True
