"""The language of load: a workload draws operations and translates them; it does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Literal, Protocol

from system.client import Service

Value = Any
# What an answer says: it happened, or it changed nothing.
Outcome = Literal["ok", "fail"]


class Workload(Protocol):
    """One file in this room, one line in workloads.WORKLOADS. One object serves one run.

    checkers: names (checkers.CHECKERS) that judge its histories, besides those every run has
    service:  who carries its requests out; requests and answers are those of that service's client
              (system.client, system.object_client)
    needs:    the capabilities a cluster must offer, of nemesis.nemesis.CAPABILITIES
    """

    name: str
    checkers: tuple[str, ...]
    service: Service
    needs: frozenset[str]

    def __init__(self, keys: int | None = None) -> None:
        """keys: how many lists or registers are in use at a time; None: as many as usual."""

    def draw(self, rng: Random, *, reads_only: bool = False) -> tuple[str, Value]:
        """The next operation's (f, value); written values are unique in a run."""

    def request(self, f: str, value: Value) -> Any: ...

    def outcome(self, f: str, value: Value, answer: Any) -> tuple[Outcome, Value]:
        """The completion's (type, value): "ok", or "fail" for an answer that says it changed nothing."""

    def final_reads(self) -> Sequence[tuple[str, Value]]:
        """Reads of everything that was ever written to, for after the last heal."""


def number(text: str) -> int | str:
    """A value as it comes over the wire: decimal. Anything else was never written, and stays as it is, for
    the checkers to find."""
    try:
        value = int(text)
    except ValueError:
        return text
    return value if str(value) == text else text
