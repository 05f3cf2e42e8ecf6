"""Where a run's options come from: the command line, then CROSSWIND_* variables, then the ini file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

import pytest

from harness.errors import PlanError
from harness.plan import CONCURRENCY, NODES, RATE, TIME_LIMIT_S, Plan
from nemesis import NEMESES
from system.mutants import resolve

DEFAULT_WORKLOADS = ("append", "register")
DEFAULT_NEMESES = ("partition", "pause", "kill", "latency")
# What `pytest -m nemesis` runs besides every default workload under every default nemesis.
DEFAULT_EXTRAS = (("append", ("workers",)),)


@dataclass(frozen=True, slots=True)
class Option:
    """One option. many: commas and repeats ask for one run each (of --nemesis, only repeats do: a comma
    puts several nemeses into one run). switch: the flag takes no value; variable and ini entry say yes or
    no."""

    name: str
    convert: Callable[[str], Any]
    many: bool
    help: str
    switch: bool = False

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def ini(self) -> str:
        return "crosswind_" + self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        return self.ini.upper()


def _number(convert: Callable[[str], Any], what: str) -> Callable[[str], Any]:
    def converted(text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            raise PlanError(f"{text!r}: expected {what}") from None

    return converted


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise PlanError(f"{text!r}: expected yes or no")
    return text == "yes"


def _mutant(text: str) -> str:
    """Its name, where it was asked for by its id. The plan refuses what is neither."""
    mutant = resolve(text)
    return mutant.name if mutant is not None else text


_INT = _number(int, "a whole number")
_FLOAT = _number(float, "a number")
OPTIONS = (
    Option("workload", str, True, "what the clients do: append, register, storage"),
    Option(
        "nemesis", str, False, "faults; a comma puts several into one run, a repeated flag makes several runs"
    ),
    Option("cluster", str, True, "where the system runs: local, docker, sim"),
    Option("seed", _INT, True, "decides every random choice (default: drawn, and printed)"),
    Option("time-limit", _FLOAT, True, f"seconds of load and faults (default {TIME_LIMIT_S:g})"),
    Option("rate", _FLOAT, True, f"operations a second, all processes together (default {RATE:g})"),
    Option("concurrency", _INT, True, f"processes at a time (default {CONCURRENCY})"),
    Option("nodes", _INT, True, f"control-plane nodes: 1, 3 or 5 (default {NODES})"),
    Option("mutant", _mutant, True, "plant this bug into the system (crosswind mutants --list)"),
    Option(
        "attach",
        _yes,
        True,
        "use the docker cluster that `make sim-up` started; wipes its control plane's data",
        switch=True,
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Raises pytest.UsageError, naming the flag, where another plugin has taken one of ours."""
    group = parser.getgroup("crosswind", "Crosswind: runs of a distributed system under faults")
    taken = _flags(parser)
    for option in OPTIONS:
        if option.flag in taken:
            raise pytest.UsageError(
                f"crosswind needs the flag {option.flag}, which another pytest plugin has taken; "
                "disable that plugin with -p no:NAME"
            )
        if option.switch:
            how: dict[str, Any] = {"action": "append_const", "const": "yes"}
        else:
            how = {"action": "append", "metavar": "X"}
        group.addoption(option.flag, default=None, help=option.help, **how)
        parser.addini(option.ini, f"default of {option.flag}", default="")


def _flags(parser: pytest.Parser) -> set[str]:
    groups = [parser._anonymous, *parser._groups]
    return {flag for group in groups for option in group.options for flag in option.names()}


def asked(config: pytest.Config) -> bool:
    """Whether the command line asks for runs by any of our flags."""
    return any(config.getoption(option.flag) for option in OPTIONS)


def plans(config: pytest.Config, default_seed: int) -> list[Plan]:
    """The runs asked for, in a fixed order. Raises pytest.UsageError for what cannot be carried out."""
    try:
        values = {option.name: _values(config, option) for option in OPTIONS}
        pairs = _pairs(values["workload"], values["nemesis"], min(values["nodes"] or [NODES]))
        rest = [
            values["seed"] or [default_seed],
            values["cluster"] or ["local"],
            values["time-limit"] or [TIME_LIMIT_S],
            values["rate"] or [RATE],
            values["concurrency"] or [CONCURRENCY],
            values["nodes"] or [NODES],
            values["mutant"] or [None],
            values["attach"] or [False],
        ]
        return [
            Plan(workload, nemeses, seed, cluster, time_limit_s, rate, concurrency, nodes, mutant, attach)
            for (seed, cluster, time_limit_s, rate, concurrency, nodes, mutant, attach), (
                workload,
                nemeses,
            ) in itertools.product(itertools.product(*rest), pairs)
        ]
    except PlanError as error:
        raise pytest.UsageError(str(error)) from None


def _pairs(
    workloads: Sequence[str], nemeses: Sequence[tuple[str, ...]], nodes: int
) -> list[tuple[str, tuple[str, ...]]]:
    """Of the default nemeses, those that so many nodes can have."""
    usual = [(name,) for name in DEFAULT_NEMESES if NEMESES[name].min_nodes <= nodes]
    chosen = list(itertools.product(workloads or DEFAULT_WORKLOADS, nemeses or usual))
    return chosen if workloads or nemeses else [*chosen, *DEFAULT_EXTRAS]


def _values(config: pytest.Config, option: Option) -> list[Any]:
    """From the first source that says anything; duplicates are dropped, order is kept."""
    for source, texts in (
        (option.flag, config.getoption(option.flag) or []),
        (option.variable, os.environ.get(option.variable, "").split()),
        (option.ini, str(config.getini(option.ini)).split()),
    ):
        if texts:
            return list(dict.fromkeys(_convert(option, source, texts)))
    return []


def _convert(option: Option, source: str, texts: Iterable[str]) -> Iterable[Any]:
    for text in texts:
        words = [word.strip() for word in text.split(",")]
        if not all(words):
            raise PlanError(f"{source}={text}: expected names or numbers with commas between them")
        try:
            values = [option.convert(word) for word in words]
        except PlanError as error:
            raise PlanError(f"{source}={text}: {error}") from None
        yield from values if option.many else [tuple(values)]


def draw_seed() -> int:
    """A seed small enough to be typed again."""
    return SystemRandom().randrange(1, 1_000_000)
