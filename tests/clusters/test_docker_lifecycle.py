"""Docker clusters come and go: two at a time, after a harness that was killed, and without a trace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compose.round_trip import measure
from system.clusters import compose, slots
from system.clusters.engine import Engine
from system.clusters.errors import ClusterError
from system.clusters.firewall import CHAIN
from system.object_client import GetObject, PutObject
from tests.clusters.docker_lab import Running, docker, left_of

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.docker
# Slots that nobody leases.
UNUSED = (100, 101, 102)


class Harness:
    """Another harness, with a cluster of its own and faults in force on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.clusters.docker_orphans", str(directory)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def faulty(self) -> dict[str, Any]:
        """Once all its faults are in force."""
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    there = Harness(tmp_path / "other")
    yield there
    there.kill()


def states(project: str) -> dict[str, str]:
    """{container: "running", "paused", "exited"…}"""
    label = f"--filter=label=com.docker.compose.project={project}"
    listed = docker("ps", "--all", label, "--format={{.Names}} {{.State}}")
    return dict(line.split() for line in listed.splitlines())


def test_two_clusters_at_a_time_and_what_a_killed_harness_left_is_cleared_by_the_next(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(tmp_path / "one")
    try:
        other = harness.faulty()
        assert running.project != other["project"]
        running.online(running.cluster.workers)
        running.assert_healed()  # the other's faults are its own
        harness.kill()
        left = states(other["project"])
        assert len(left) == 10
        prefix = f"{other['project']}-"
        assert left[f"{prefix}cp-azure-1"] == "paused" and left[f"{prefix}worker-aws-1"] == "exited"
    finally:
        running.stop()
    assert left_of(running.project) == []
    assert len(states(other["project"])) == 10, "one's end is not the other's"

    monkeypatch.setattr(slots, "SLOTS", [other["slot"]])
    again = Running(tmp_path / "again")
    try:
        assert again.project == other["project"]
        again.assert_healed()
        again.online(again.cluster.workers)
    finally:
        again.stop()
    assert left_of(again.project) == []


def test_a_cluster_that_cannot_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "SLOTS", [UNUSED[0]])
    with pytest.raises(ClusterError) as refusal:
        Running(tmp_path, env={"CP_COMMAND": "python -m system.no_such_module"})
    assert "ended with code 1 while starting; its last lines:" in str(refusal.value)
    assert "No module named system.no_such_module" in str(refusal.value)
    assert left_of(f"{slots.PROJECT}{UNUSED[0]}") == []
    slots.lease([]).release()


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A project as `make sim-up` starts it, in another slot, which counts as its slot here."""
    number = UNUSED[1]
    project = f"{slots.PROJECT}{number}"
    monkeypatch.setattr(slots, "SIM", number)
    for name, value in compose.environment(number).items():
        monkeypatch.setenv(name, value)
    engine = Engine()
    try:
        engine.remove_project(project)
        docker("compose", f"--file={compose.FILE}", f"--project-name={project}", "up", "--detach", "--wait")
        yield project
    finally:
        engine.remove_project(project)
        engine.close()
    assert left_of(project) == []


def test_attached_it_begins_anew_and_leaves_the_cluster_up_and_healed(sim: str, tmp_path: Path) -> None:
    before = states(sim)
    assert len(before) == 9
    running = Running(tmp_path, attach=True)
    try:
        cluster = running.cluster
        assert running.project == sim and cluster.cluster_id == "sim"
        with pytest.raises(ClusterError, match="another run is attached"):
            slots.attach()
        assert [running.run(cluster.status(node))["boot"] for node in cluster.nodes] == [1, 1, 1]
        running.online(cluster.workers)
        running.assert_healed()
        one, two, three = cluster.nodes
        running.run(cluster.cut([(one, two), (two, one)], "packets"))
        running.run(cluster.delay([(one, three)], 200, 0))
        running.run(cluster.kill(["worker-aws-1"], lose_unsynced=False))
        running.run(cluster.pause([three]))
    finally:
        running.stop()
    assert states(sim) == before
    for node in cluster.nodes:
        rules = docker("exec", "--user=root", f"{sim}-{node}", "iptables", "-S").splitlines()
        assert [rule for rule in rules if rule.split()[1] == CHAIN or rule.endswith(f"-j {CHAIN}")] == []
    assert measure(f"{sim}-worker-aws-1", "worker-gcp-1", count=5).median_ms < 100
    assert measure(f"{sim}-{one}", three, count=5).median_ms < 100


def test_attached_it_sees_no_other_run_s_objects_and_runs_no_older_image(
    sim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for run in ("first", "second"):
        running = Running(tmp_path / run, attach=True)
        try:
            seen.append(running.put(GetObject("o1")).etag)
            assert running.put(PutObject("o1", 1, 100)).etag is not None
        finally:
            running.stop()
    assert seen == [None, None]

    before = states(sim)

    async def outdated(engine: Engine, name: str) -> bool:
        return not name.endswith("cp-gcp-1")

    monkeypatch.setattr(Engine, "is_current", outdated)
    with pytest.raises(ClusterError, match=r"^cp-gcp-1 runs an older image than there is now"):
        Running(tmp_path / "third", attach=True)
    assert states(sim) == before


def test_without_a_cluster_to_attach_to_it_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "SIM", UNUSED[2])
    with pytest.raises(ClusterError, match=r"^no cluster to attach to, without gateway: `make sim-up`"):
        Running(tmp_path, attach=True)
    slots.attach().release()
