"""A run that goes wrong: it is saved, it is judged, it is never green."""

import json
from pathlib import Path
from typing import Any

import pytest

import harness.run
from checkers.verdict import Validity, Verdict
from harness.cli import main
from harness.plan import Plan
from harness.run import carry_out
from system.clusters.clock import HostClock
from system.clusters.errors import ClusterError
from system.clusters.registry import CLUSTERS

PLAN = Plan("append", ("none",), 5)


class Dead:
    """A cluster that does not start."""

    name = "local"
    clock = HostClock
    capabilities = frozenset({"cut"})
    nodes = ("cp-aws-1",)
    workers = ()
    client_sites = ("client-aws",)
    cluster_id = "dead"

    def __init__(self, *_: Any, **__: Any) -> None:
        self.starts: dict[str, int] = {}
        self.exits: list[dict[str, Any]] = []

    async def start(self) -> None:
        raise ClusterError("cp-aws-1 did not answer within 40 s")

    async def stop(self) -> None: ...

    async def save_logs(self, into: Path) -> None:
        into.mkdir(parents=True)


def test_a_cluster_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLUSTERS, "local", Dead)
    result = carry_out(PLAN, tmp_path)
    assert result.validity is not Validity.YES
    assert result.crash == "ClusterError: cp-aws-1 did not answer within 40 s"
    assert (tmp_path / "latest").resolve() == result.directory.resolve()
    meta = json.loads((result.directory / "run.json").read_text())
    assert meta["status"] == "crashed: ClusterError: cp-aws-1 did not answer within 40 s"
    assert meta["command"] == "pytest --workload=append --nemesis=none --seed=5"
    assert "did not answer within 40 s" in (result.directory / "report.html").read_text()
    assert main(["judge", str(result.directory)]) != 0


def test_ctrl_c_saves_the_run_and_passes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(self: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Dead, "start", interrupted)
    monkeypatch.setitem(CLUSTERS, "local", Dead)
    with pytest.raises(KeyboardInterrupt):
        carry_out(PLAN, tmp_path)
    assert json.loads((tmp_path / "latest/run.json").read_text())["status"].startswith(
        "crashed: KeyboardInterrupt"
    )
    assert (tmp_path / "latest/report.html").exists()


def undecided(checker: str, *, host_too_slow: bool) -> Verdict:
    return Verdict(checker, Validity.UNKNOWN, "undecided", evidence={"host_too_slow": host_too_slow})


@pytest.mark.parametrize(
    ("verdicts", "runs"),
    [
        ([undecided("recovery", host_too_slow=True)], 2),
        ([undecided("recovery", host_too_slow=False)], 1),
        ([undecided("recovery", host_too_slow=True), undecided("log-matching", host_too_slow=False)], 1),
        ([Verdict("coverage", Validity.VACUOUS, "nothing happened")], 1),
        ([Verdict("coverage", Validity.YES, "fine")], 1),
    ],
)
def test_only_a_host_that_was_too_slow_earns_one_repeat(
    verdicts: list[Verdict], runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLUSTERS, "local", Dead)
    monkeypatch.setattr(harness.run, "judge", lambda run, crash: verdicts)
    carry_out(PLAN, tmp_path)
    assert len([path for path in tmp_path.iterdir() if path.name != "latest"]) == runs
