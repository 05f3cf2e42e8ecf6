"""A schedule: the steps of a run's nemeses as data, drawn from a seed, saved, and read back."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Any

from nemesis import NEMESES, resolve
from nemesis.nemesis import CAPABILITIES, SERVICES, Choices, Nemesis, Range, Setting, Step

Schedule = tuple[Step, ...]
_FIELDS = ("number", "at_s", "nemesis", "action", "target", "options")


class ScheduleError(ValueError):
    """A schedule that cannot be carried out; the message is one line for people."""


def draw(
    names: Sequence[str],
    seed: int,
    nodes: Sequence[str],
    workers: Sequence[str],
    time_limit_s: float,
    *,
    capabilities: Collection[str] | None = None,
) -> Schedule:
    """The steps of these nemeses, sorted by time, all healed before the time limit.

    Each nemesis draws from a stream of its own, so that leaving one out moves no other's draws.
    capabilities: what the cluster can; None: all there is
    Raises ScheduleError where a nemesis does not fit the cluster or the time.
    """
    check_fit(names, nodes, workers, time_limit_s, capabilities=capabilities)
    steps: list[Step] = []
    for name in dict.fromkeys(names):
        nemesis = NEMESES[name]
        on = nodes if nemesis.on == "nodes" else workers
        setting = Setting(on, time_limit_s, CAPABILITIES if capabilities is None else capabilities)
        steps += nemesis.plan(Random(f"{seed}/nemesis/{name}"), setting, len(steps) // 2)
    return in_order(steps)


def check_fit(
    names: Sequence[str],
    nodes: Sequence[str],
    workers: Sequence[str],
    time_limit_s: float,
    *,
    capabilities: Collection[str] | None = None,
) -> None:
    """Raises ScheduleError for an unknown name, and where a nemesis needs more processes, more time or other
    capabilities (None: all there is) than there are."""
    for name in names:
        nemesis = _resolve(name)
        have = len(nodes if nemesis.on == "nodes" else workers)
        if have < nemesis.min_nodes:
            what = "control-plane nodes" if nemesis.on == "nodes" else "workers"
            raise ScheduleError(
                f"nemesis {name} needs at least {nemesis.min_nodes} {what}, and there are {have}"
            )
        if time_limit_s < nemesis.min_time_s:
            raise ScheduleError(
                f"nemesis {name} needs a run of {nemesis.min_time_s:g} s, not of {time_limit_s:g} s"
            )
        if missing := lacking(nemesis, capabilities):
            raise ScheduleError(f"nemesis {name} needs a cluster that {offers(missing)}; this one does not")


def lacking(nemesis: Nemesis, capabilities: Collection[str] | None, target: str | None = None) -> list[str]:
    """The capabilities that the nemesis, or a target of it, needs, and that are not among these (None: all
    there is)."""
    needs = nemesis.needs | nemesis.target_needs.get(target or "", frozenset())
    return sorted(needs - set(CAPABILITIES if capabilities is None else capabilities))


def offers(capabilities: Sequence[str]) -> str:
    """What a cluster with these does, such as "can kill, pause and has gateway"."""
    can = ", ".join(word for word in capabilities if word not in SERVICES)
    has = ", ".join(word for word in capabilities if word in SERVICES)
    return " and ".join([*([f"can {can}"] if can else []), *([f"has {has}"] if has else [])])


def to_json(schedule: Sequence[Step]) -> list[dict[str, Any]]:
    """One object a step, with the fields of Step."""
    return [
        {field: getattr(step, field) for field in _FIELDS} | {"options": dict(step.options)}
        for step in schedule
    ]


def from_json(data: Any, *, capabilities: Collection[str] | None = None) -> Schedule:
    """The schedule that to_json wrote, or that somebody edited. Raises ScheduleError, also for what a cluster
    with these capabilities (None: all there is) cannot do."""
    if not isinstance(data, list):
        raise ScheduleError(f"a schedule is a list of steps, not {_kind(data)}")
    steps = [_step(position, item) for position, item in enumerate(data)]
    _check_pairs(steps)
    for step in steps:
        if missing := lacking(NEMESES[step.nemesis], capabilities, step.target):
            raise ScheduleError(
                f"schedule step {step.number}: {step.nemesis} {step.target} needs a cluster that"
                f" {offers(missing)}; this one does not"
            )
    return in_order(steps)


def in_order(steps: Sequence[Step]) -> Schedule:
    """By time; what is healed at a moment is healed before anything is injected then."""
    return tuple(sorted(steps, key=lambda step: (step.at_s, step.action == "inject", step.number)))


def _step(position: int, data: Any) -> Step:
    where = f"schedule step at position {position}"
    if not isinstance(data, dict):
        raise ScheduleError(f"{where}: expected an object, not {_kind(data)}")
    for field in _FIELDS:
        if field not in data:
            raise ScheduleError(f"{where}: '{field}' is missing")
    for field in data:
        if field not in _FIELDS:
            raise ScheduleError(f"{where}: unknown field '{field}'; a step has {', '.join(_FIELDS)}")
    number, at_s, action, options = data["number"], data["at_s"], data["action"], data["options"]
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ScheduleError(f"{where}: number is {number!r}, expected a whole number from 0")
    if not _is_number(at_s) or at_s < 0:
        raise ScheduleError(f"{where}: at_s is {at_s!r}, expected a number of seconds from 0")
    if action not in ("inject", "heal"):
        raise ScheduleError(f"{where}: action is {action!r}, expected inject or heal")
    nemesis = _resolve(data["nemesis"], where)
    if data["target"] not in nemesis.targets:
        known = ", ".join(nemesis.targets) or "none"
        raise ScheduleError(f"{where}: {nemesis.name} has no target {data['target']!r}; it has {known}")
    _check_options(where, nemesis, options)
    return Step(number, at_s, nemesis.name, action, data["target"], options)


def _check_options(where: str, nemesis: Nemesis, options: Any) -> None:
    if not isinstance(options, Mapping) or sorted(options) != sorted(nemesis.options):
        said = f"{', '.join(sorted(options))}" if isinstance(options, Mapping) else _kind(options)
        raise ScheduleError(
            f"{where}: options of {nemesis.name} are {', '.join(nemesis.options)}, not {said or 'none'}"
        )
    for name, choices in nemesis.options.items():
        if not _fits(options[name], choices):
            raise ScheduleError(f"{where}: option {name} is {options[name]!r}, expected {_describe(choices)}")


def _fits(value: Any, choices: Choices) -> bool:
    if isinstance(choices, Range):
        return _is_number(value) and choices.low <= value <= choices.high
    return any(type(value) is type(choice) and value == choice for choice in choices)


def _describe(choices: Choices) -> str:
    if isinstance(choices, Range):
        return f"a number from {choices.low:g} to {choices.high:g}"
    return " or ".join(repr(choice) for choice in choices)


def _check_pairs(steps: Sequence[Step]) -> None:
    """Each number stands for one inject and one later heal of the same fault."""
    pairs: dict[int, dict[str, Step]] = {}
    for step in steps:
        pair = pairs.setdefault(step.number, {})
        if step.action in pair:
            raise ScheduleError(f"schedule: step {step.number} has two {step.action}s")
        pair[step.action] = step
    for number, pair in pairs.items():
        if len(pair) < 2:
            missing = "heal" if "inject" in pair else "inject"
            raise ScheduleError(f"schedule: step {number} has no {missing}")
        inject, heal = pair["inject"], pair["heal"]
        if (inject.nemesis, inject.target, inject.options) != (heal.nemesis, heal.target, heal.options):
            raise ScheduleError(f"schedule: step {number} injects one fault and heals another")
        if heal.at_s <= inject.at_s:
            raise ScheduleError(f"schedule: step {number} heals at {heal.at_s:g} s, not after its inject")


def _resolve(name: Any, where: str = "") -> Nemesis:
    try:
        return resolve(str(name))
    except LookupError as error:
        raise ScheduleError(f"{where}: {error}" if where else str(error)) from None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _kind(value: Any) -> str:
    return type(value).__name__
