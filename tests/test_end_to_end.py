"""Whole runs on a real cluster, as a user starts them: one that passes, one with a planted bug, one
interrupted and one whose harness is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkers import RUN_CHECKERS
from workloads import WORKLOADS

ROOT = Path(__file__).parent.parent


class Project:
    """A project that uses the plugin, in a folder of its own; every process of its runs names that folder in
    its environment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "tmp").mkdir()
        (path / "pytest.ini").write_text("[pytest]\n")
        (path / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
        (path / "test_nemesis.py").write_text((ROOT / "tests/test_nemesis.py").read_text())

    def start(self, *args: str) -> subprocess.Popen[str]:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "CROSSWIND_"))
        }
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
            cwd=self.path,
            env=environment | {"TMPDIR": str(self.path / "tmp"), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def latest(self) -> Path:
        return self.path / "reports/runs/latest"

    def meta(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads((self.latest / "run.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def processes(self) -> list[str]:
        """The command lines of all that belongs to this project."""
        mark = str(self.path).encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return [line for line in found if line]

    def left_in_tmp(self) -> list[str]:
        """But for the locks of leased addresses, which stay, and the empty folder of the live line."""
        stay = (f"crosswind-{os.getuid()}", "crosswind-live-")
        return [path.name for path in (self.path / "tmp").iterdir() if not path.name.startswith(stay)]

    def nodes(self) -> int:
        return sum("system." in line and "supervisor" not in line for line in self.processes())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    until(lambda: made.processes() == [], 15, lambda: f"left behind: {made.processes()}")


def until(condition: Callable[[], bool], deadline_s: float, otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"
)


@needs_proc
def test_a_correct_system_passes_and_leaves_a_whole_record(project: Project) -> None:
    harness = project.start("--workload=append", "--nemesis=partition", "--seed=11", "--time-limit=6")
    output, _ = harness.communicate(timeout=120)
    assert harness.returncode == 0, output
    assert "crosswind: seed 11; cluster local can cut, cut-messages, delay, kill, minio, pause" in output
    (row,) = [line for line in output.splitlines() if line.startswith("append-partition-local-s11 ")]
    assert "PASS" in row
    assert "report.html" in row

    results = json.loads((project.latest / "results.json").read_text())
    assert {verdict["checker"]: verdict["valid"] for verdict in results["verdicts"]} == dict.fromkeys(
        [*RUN_CHECKERS, *WORKLOADS["append"].checkers], "yes"
    )
    for name in ("run.json", "history.jsonl", "columns", "observations.jsonl", "report.html"):
        assert (project.latest / name).exists(), name
    for node in ("cp-aws-1", "cp-gcp-1", "cp-azure-1"):
        for name in ("events-0001.jsonl", "wal.jsonl", "stdout.log", "metrics.prom"):
            assert (project.latest / "nodes" / node / name).exists(), f"{node}/{name}"
        log = (project.latest / "nodes" / node / "stdout.log").read_text()
        assert all(isinstance(json.loads(line), dict) for line in log.splitlines())

    judge = [sys.executable, "-m", "harness.cli", "judge", str(project.latest)]
    again = subprocess.run(judge, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(again.stdout.splitlines()) == len(results["verdicts"])


@needs_proc
@pytest.mark.parametrize("flags", [("--nodes=1", "--nemesis=kill"), ("--nodes=5", "--nemesis=pause")])
def test_clusters_of_one_and_of_five(flags: tuple[str, ...], project: Project) -> None:
    harness = project.start("--workload=register", "--seed=3", "--time-limit=4", *flags)
    output, _ = harness.communicate(timeout=120)
    assert harness.returncode == 0, output
    results = json.loads((project.latest / "results.json").read_text())
    assert results["valid"] == "yes"


@needs_proc
def test_a_planted_bug_fails_the_run_and_says_how_to_see_it_again(project: Project) -> None:
    """The nodes acknowledge before they have synced. Every node is killed at least once, so some
    acknowledged entry is gone."""
    flags = ["--workload=append", "--nemesis=kill", "--seed=11", "--mutant=ack-before-fsync"]
    harness = project.start(*flags)
    output, _ = harness.communicate(timeout=120)
    assert harness.returncode == 1, output
    results = json.loads((project.latest / "results.json").read_text())
    objected = [verdict["checker"] for verdict in results["verdicts"] if verdict["valid"] == "no"]
    assert "monotone" in objected, output
    assert f"pytest {' '.join(flags)}" in output
    assert "FAIL" in (project.latest / "report.html").read_text()


@needs_proc
def test_an_interrupted_run_is_saved_and_leaves_nothing(project: Project) -> None:
    harness = project.start("--workload=append", "--nemesis=pause", "--seed=2", "--time-limit=60")
    until(lambda: project.nodes() >= 7, 60, lambda: f"running: {project.processes()}")
    harness.send_signal(signal.SIGINT)
    output, _ = harness.communicate(timeout=60)
    assert harness.returncode == 2, output
    assert str(project.meta()["status"]).startswith("crashed: KeyboardInterrupt")
    assert project.left_in_tmp() == []
    assert (project.latest / "report.html").exists()


@needs_proc
def test_a_killed_harness_leaves_nothing(project: Project) -> None:
    harness = project.start("--workload=append", "--nemesis=pause", "--seed=2", "--time-limit=60")
    until(lambda: project.nodes() >= 7, 60, lambda: f"running: {project.processes()}")
    harness.kill()
    harness.communicate(timeout=60)
    until(lambda: project.left_in_tmp() == [], 30, lambda: f"left behind: {project.left_in_tmp()}")
