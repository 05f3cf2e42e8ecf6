"""--cluster=docker and --attach: what is refused, and what is said where there is no engine. Needs none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import PlanError
from harness.plan import Plan
from system.clusters.docker import DockerCluster
from system.clusters.errors import ClusterError

ROOT = Path(__file__).parents[2]
ABSENT = "unix:///nonexistent/docker.sock"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nodes": 5}, "--nodes=5 --cluster=docker: its control plane has 3 nodes"),
        ({"nodes": 1}, "--nodes=1 --cluster=docker: its control plane has 3 nodes"),
        (
            {"cluster": "local", "attach": True},
            "--attach --cluster=local: only the docker cluster can be attached",
        ),
        (
            {"attach": True, "mutant": "ack-before-fsync"},
            "--attach --mutant=ack-before-fsync: a cluster that is",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(change: dict[str, object], says: str) -> None:
    with pytest.raises(PlanError) as refusal:
        Plan(**({"workload": "append", "nemeses": ("none",), "seed": 1, "cluster": "docker"} | change))  # type: ignore[arg-type]
    assert str(refusal.value).startswith(says)
    assert "\n" not in str(refusal.value)


def test_the_cluster_itself_has_three_nodes_only(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^the Docker cluster has 3 control-plane nodes, not 5$"):
        DockerCluster(1, nodes=5, data_dir=tmp_path)


def test_the_command_attaches_again() -> None:
    plan = Plan("append", ("none",), 1, cluster="docker", attach=True)
    assert plan.command == "pytest --workload=append --nemesis=none --seed=1 --cluster=docker --attach"


def test_a_verb_needs_a_cluster_that_was_started(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="the cluster is not running: `client` needs one that was started"):
        DockerCluster(1, data_dir=tmp_path).client("client-aws", client_id="p1")


def without_engine(*args: str) -> tuple[int, list[str]]:
    """pytest's exit code and lines, with nothing where an engine should be."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CROSSWIND_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *args],
        cwd=ROOT,
        env=environment | {"DOCKER_HOST": ABSENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_an_absent_engine_is_one_line_that_says_what_to_do() -> None:
    code, lines = without_engine("-m", "nemesis", "--cluster=docker", "tests/test_nemesis.py")
    assert code == 4
    (line,) = filter(None, lines)
    assert line.startswith(
        f"ERROR: --cluster=docker: no Docker engine answers at {ABSENT}: [Errno 2] No such file"
    )
    assert line.endswith("; --cluster=local needs no Docker")


@pytest.mark.parametrize("cluster", [(), ("--cluster=local",)])
def test_the_local_cluster_never_asks_for_an_engine(cluster: tuple[str, ...]) -> None:
    code, lines = without_engine("-m", "nemesis", *cluster, "tests/test_nemesis.py")
    assert code == 0
    assert sum("-local-s" in line for line in lines) == 9


def test_plain_pytest_says_why_it_skips_what_needs_docker(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", ABSENT)
    monkeypatch.delenv("CROSSWIND_REQUIRE", raising=False)
    pytester.makeconftest((ROOT / "tests/conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers = docker: starts containers\n")
    pytester.makepyfile(
        "import pytest\n@pytest.mark.docker\ndef test_it(): raise AssertionError\ndef test_other(): pass\n"
    )
    done = pytester.runpytest_subprocess("-rs", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1, skipped=1)
    assert f"no Docker engine answers at {ABSENT}" in done.stdout.str()
    monkeypatch.setenv("CROSSWIND_REQUIRE", "browser,docker")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=1, errors=1)
    assert f"CROSSWIND_REQUIRE asks for Docker; no Docker engine answers at {ABSENT}" in done.stdout.str()
