"""One name everywhere: on the command line, of the file, in the registry, and in the history."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

import nemesis
import workloads
from checkers import CHECKERS, RUN_CHECKERS
from nemesis import NEMESES
from nemesis.nemesis import CAPABILITIES, Range, Setting
from tests.nemesis.fake import NODES
from workloads import WORKLOADS

ENTRIES: list[tuple[str, Any, Any]] = [
    *(("nemesis", name, entry) for name, entry in NEMESES.items()),
    *(("workloads", name, entry) for name, entry in WORKLOADS.items()),
]


@pytest.mark.parametrize(("room", "name", "entry"), ENTRIES)
def test_the_name_is_the_file_and_the_key(room: str, name: str, entry: Any) -> None:
    assert entry.name == name
    module = import_module(f"{room}.{name.replace('-', '_')}")
    made_of = type(entry) if type(entry).__module__ == module.__name__ else entry
    assert any(held is entry or held is made_of for held in vars(module).values())
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name), "must be easy to type on a command line"
    assert (module.__doc__ or "").strip(), "the file says what it is for"


def test_every_file_that_holds_one_is_registered() -> None:
    for room, method, registry in ((nemesis, "inject", NEMESES), (workloads, "draw", WORKLOADS)):
        files = Path(str(room.__file__)).parent.glob("[a-z]*.py")
        modules = [import_module(f"{room.__name__}.{file.stem}") for file in files]
        held = {
            one.name
            for module in modules
            for one in vars(module).values()
            if hasattr(one, method) and isinstance(getattr(one, "name", None), str)
        }
        assert held == set(registry)


def test_the_issue_s_names_are_there() -> None:
    assert list(NEMESES) == [
        *("none", "partition", "pause", "kill", "stop", "cloud", "latency"),
        *("loss", "duplicate", "reorder", "corrupt", "rate", "workers", "gateway", "minio"),
        *("churn", "trigger", "slow-ack", "deposed", "bare-majority", "disk", "clock", "swarm"),
    ]
    assert list(WORKLOADS) == ["append", "register", "storage"]


def test_steps_speak_of_their_nemesis_by_its_name() -> None:
    for name, planner in NEMESES.items():
        for step in planner.plan(Random(1), Setting(NODES, 60), 0):
            assert name in (step.nemesis, "swarm"), "which has the others' faults"
            entry = NEMESES[step.nemesis]
            assert step.target in entry.targets
            assert sorted(step.options) == sorted(entry.options)
            for option, choices in entry.options.items():
                value = step.options[option]
                assert (
                    choices.low <= value <= choices.high if isinstance(choices, Range) else value in choices
                )


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(LookupError) as caught:
        nemesis.resolve("partion")
    said = str(caught.value)
    assert "\n" not in said
    assert "partion" in said
    assert "did you mean partition?" in said
    for name in NEMESES:
        assert name in said
    assert nemesis.resolve("partition").name == "partition"


def test_a_workload_s_checkers_exist() -> None:
    for workload in WORKLOADS.values():
        assert workload.checkers
        assert set(workload.checkers) <= set(CHECKERS) - set(RUN_CHECKERS)


def test_names_and_objects_are_plain_data_for_the_documentation() -> None:
    for entry in NEMESES.values():
        assert entry.needs <= set(CAPABILITIES)
        assert set(entry.target_needs) <= set(entry.targets)
        assert set(entry.checkers) <= set(CHECKERS) - set(RUN_CHECKERS)
        assert entry.on in ("nodes", "workers")
        assert entry.min_nodes >= 1
    assert NEMESES["workers"].min_time_s == 30
