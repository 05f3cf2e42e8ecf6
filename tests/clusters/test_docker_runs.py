"""Whole runs on the Docker cluster, as a user starts them: what the recorded history proves, and a bug that
it catches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checkers import CHECKERS
from checkers.verdict import Validity
from reports.record import load

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.docker


class Project:
    """A project that uses the plugin, in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "pytest.ini").write_text("[pytest]\n")
        (path / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
        (path / "test_nemesis.py").write_text((ROOT / "tests/test_nemesis.py").read_text())

    def run(self, *args: str) -> tuple[int, str]:
        """pytest's exit code and output, of a run on the Docker cluster."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "CROSSWIND_"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--cluster=docker", *args],
            cwd=self.path,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    @property
    def latest(self) -> Path:
        return self.path / "reports/runs/latest"

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """{checker: its verdict} of the last run."""
        results = json.loads((self.latest / "results.json").read_text())
        return {verdict["checker"]: verdict for verdict in results["verdicts"]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def assert_proven(project: Project, nemesis: str, *checkers: str) -> dict[str, dict[str, Any]]:
    """The faults took effect, the verdict is yes, and so is each of these checkers'."""
    verdicts = project.verdicts()
    said = {name: (verdict["valid"], verdict["summary"]) for name, verdict in verdicts.items()}
    assert {valid for valid, _ in said.values()} == {"yes"}, said
    assert verdicts["coverage"]["evidence"]["faults"][nemesis] >= 1
    assert set(checkers) <= set(verdicts)
    return verdicts


def test_a_stopped_leader_is_replaced_and_stopped_workers_are_seen_to_go_and_come_back(
    project: Project,
) -> None:
    code, text = project.run("--workload=append", "--nemesis=stop,workers", "--time-limit=32", "--seed=4")
    assert code == 0, text
    verdicts = assert_proven(project, "stop", "recovery", "availability", "workers")
    assert verdicts["coverage"]["evidence"]["faults"]["workers"] >= 1
    assert verdicts["recovery"]["evidence"]["slowest_leader_ms"] <= 15_000
    assert verdicts["availability"]["evidence"]["outages_judged"] >= 1
    assert verdicts["workers"]["evidence"]["stops"] >= 1
    assert verdicts["workers"]["evidence"]["slowest_offline_s"] <= 20


def test_without_one_whole_cloud_commands_go_on(project: Project) -> None:
    code, text = project.run("--workload=append", "--nemesis=cloud", "--time-limit=10", "--seed=3")
    assert code == 0, text
    verdicts = assert_proven(project, "cloud", "availability", "recovery")
    assert verdicts["availability"]["evidence"]["outages_judged"] >= 1


def test_a_paused_follower_does_not_keep_the_others_from_committing(project: Project) -> None:
    code, text = project.run("--workload=append", "--nemesis=pause", "--time-limit=8", "--seed=5")
    assert code == 0, text
    assert_proven(project, "pause", "recovery", "committed-log")
    history = load(project.latest).history
    assert [fault.target for fault in history.faults() if fault.took_effect].count("follower") == 1
    went_on = CHECKERS["availability"](history)
    assert went_on.valid is Validity.YES, went_on.summary
    assert went_on.evidence["outages_judged"] >= 1


def test_a_planted_bug_is_caught(project: Project) -> None:
    """Acknowledged before it was synced, and then lost with the power."""
    for seed in (1, 2, 3):
        code, text = project.run(
            *("--mutant=ack-before-fsync", "--workload=append", "--nemesis=kill", f"--seed={seed}")
        )
        if code == 1 and json.loads((project.latest / "results.json").read_text())["valid"] == "no":
            break
    else:
        pytest.fail(f"not caught by three seeds; the last one said:\n{text}")
    caught = [name for name, verdict in project.verdicts().items() if verdict["valid"] == "no"]
    assert caught and "ack-before-fsync" in (project.latest / "run.json").read_text()
