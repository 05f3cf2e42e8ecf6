"""A sweep on Dask: a real scheduler, two worker processes, one of which is killed on the way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.executors import on_dask, processes
from harness.sweep import Campaign, Tally, sweep

pytest.importorskip("distributed")

ROOT = Path(__file__).parents[2]
CAMPAIGN = Campaign(first=1, seeds=60, nemeses=("partition",), count_all=True)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """(address, workers)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    log = (tmp_path / "dask.log").open("wb")
    env = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "5"}

    def start(*words: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]]
        return subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log)

    port = address.rsplit(":", 1)[1]
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show")
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    space = ("--local-directory", str(tmp_path))
    workers = [start("worker", address, *options, *space) for _ in range(2)]
    try:
        _wait_for_workers(address, 2)
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()
        log.close()


def _wait_for_workers(address: str, count: int) -> None:
    import distributed

    connect: Any = distributed.Client
    with connect(address, timeout=60) as client:
        client.wait_for_workers(count, timeout=60)


def test_nothing_is_lost_or_counted_twice_when_a_worker_dies(
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    address, workers = cluster
    with processes(1) as (executor, at_a_time):
        here = sweep(CAMPAIGN, executor, at_a_time)
    killed: list[int] = []

    def kill_one(tally: Tally) -> None:
        if tally.probes >= 10 and not killed:
            killed.append(tally.probes)
            os.kill(workers[0].pid, signal.SIGKILL)

    with on_dask(address) as (executor, at_a_time):
        there = sweep(CAMPAIGN, executor, at_a_time, kill_one)
    assert killed and killed[0] < CAMPAIGN.seeds
    assert workers[0].wait(10) == -signal.SIGKILL
    assert (there.probes, there.operations) == (here.probes, here.operations) == (60, here.operations)
    assert there.simulated_s == pytest.approx(here.simulated_s)
    assert (there.found, here.found) == ([], [])


def test_a_bug_is_found_there_and_its_run_comes_back(
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["sweep", "--dask", cluster[0], "--seeds", "20", "--mutant", "C02", "--nemesis", "partition,kill"]
    assert main([*words, "--keep", "1"]) == 1
    said = capsys.readouterr().out
    assert "commit-differs" in said
    assert (tmp_path / "reports" / "runs" / "latest" / "report.html").exists()


def test_no_scheduler_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.executors.CONNECT_S", 0.5)
    assert main(["sweep", "--dask", "tcp://127.0.0.1:1", "--seeds", "5"]) == 64
    error = capsys.readouterr().err
    assert error.startswith("crosswind: --dask=tcp://127.0.0.1:1: no scheduler answers there")
    assert len(error.strip().splitlines()) == 1
