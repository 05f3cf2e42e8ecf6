"""Nothing is left behind, however the harness or its supervisor ends; and what the supervisor tells is
true."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from system.clusters.addresses import Address, listen
from system.clusters.errors import ClusterError
from system.clusters.processes import process_state
from system.clusters.scratch import Scratch
from system.clusters.supervision import Supervision, python_env
from tests.clusters.lab import finish
from tests.clusters.orphans import STUBBORN, A


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.01)


def address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


class Run:
    """A harness in mid-run, as tests/clusters/orphans.py tells of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.scratch = directory / "scratch"
        env = python_env(os.environ) | {"TMPDIR": str(directory)}
        self.harness = subprocess.Popen(
            [sys.executable, "-m", "tests.clusters.orphans", str(directory)],
            env=env,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.harness.stdout is not None
        self.told: dict[str, Any] = json.loads(self.harness.stdout.readline())
        self.pids = [self.told["supervisor"], *self.told["pids"].values()]

    def addresses(self) -> Iterator[Address]:
        yield from map(address, (*self.told["grpc"].values(), *self.told["http"].values()))
        yield from (address(text) for _, _, text in self.told["links"])

    def assert_nothing_is_left(self) -> None:
        # A zombie that nobody reaps (where nothing adopts orphans) holds nothing.
        wait_until(lambda: all(process_state(pid) in ("", "Z") for pid in self.pids))
        for taken in self.addresses():
            listen(taken).close()
        # Its lease has ended as well.
        with (self.directory / f"crosswind-{os.getuid()}/block-{self.told['block']}.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    try:
        assert process_state(run.told["pids"]["stopped"]) == "T"
        with pytest.raises(OSError, match="Address already in use"):
            listen(address(run.told["grpc"][A]))
        yield run
    finally:
        for pid in run.pids:
            if process_state(pid) not in ("", "Z"):
                os.kill(pid, signal.SIGKILL)
        run.harness.kill()
        run.harness.wait()
        assert run.harness.stdout is not None
        run.harness.stdout.close()


def test_a_harness_killed_in_mid_run_leaves_nothing(run: Run) -> None:
    outside = run.directory / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (run.scratch / "link").symlink_to(outside)
    run.harness.kill()
    run.assert_nothing_is_left()
    wait_until(lambda: not run.scratch.exists())
    assert (outside / "file").exists(), "no link is followed"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
def test_a_supervisor_killed_in_mid_run_takes_everything_along(run: Run) -> None:
    os.kill(run.told["supervisor"], signal.SIGKILL)
    run.assert_nothing_is_left()


def test_a_terminated_supervisor_takes_everything_along(run: Run) -> None:
    os.kill(run.told["supervisor"], signal.SIGTERM)
    run.assert_nothing_is_left()
    assert run.scratch.exists(), "the harness is there to look into it"


def test_ctrl_c_in_the_terminal_reaches_the_harness_alone(run: Run) -> None:
    assert run.told["session"] == run.told["supervisor"], "a session of its own"
    assert all(os.getsid(pid) == run.told["session"] for pid in run.pids)
    os.killpg(run.harness.pid, signal.SIGINT)  # as a terminal does
    assert run.harness.wait(10) == -signal.SIGINT
    run.assert_nothing_is_left()
    wait_until(lambda: not run.scratch.exists())


@pytest.mark.parametrize(
    ("last_line", "stays"),
    [(b"goodbye\n", True), (b"", False), (b"goodb", False), (b'{"id": 1, "verb": "sp', False)],
)
def test_the_scratch_directory_stays_where_the_harness_says_goodbye(
    tmp_path: Path, last_line: bytes, stays: bool
) -> None:
    scratch, neighbour = tmp_path / "scratch", tmp_path / "neighbour"
    for directory in (scratch, neighbour):
        (directory / "within").mkdir(parents=True)
    supervisor = [sys.executable, "-m", "system.clusters.supervisor", "--scratch", str(scratch)]
    subprocess.run(
        supervisor,
        input=last_line,
        stdout=subprocess.PIPE,
        env=python_env(os.environ),
        timeout=30,
        check=True,
    )
    assert scratch.exists() == stays
    assert (neighbour / "within").exists()


def test_a_closed_supervision_leaves_the_scratch_directory_alone(tmp_path: Path) -> None:
    async def run() -> None:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        supervision = await Supervision.start(scratch / "supervisor.log", lambda facts: None, scratch=scratch)
        await supervision.ask("open", nodes=[A], dials=[], delays_s=[], seed=1)
        await supervision.close()
        assert process_state(supervision.pid) == ""
        assert (scratch / "supervisor.log").exists()

    finish(run())


def test_only_the_directory_that_was_given_is_removed(tmp_path: Path) -> None:
    given, link = tmp_path / "given", tmp_path / "link"
    given.mkdir()
    link.symlink_to(given)
    for wrong in (link, tmp_path / "none"):
        with pytest.raises(ValueError, match="is no directory"):
            Scratch(str(wrong))
    scratch = Scratch(str(given))
    given.rename(tmp_path / "moved")
    scratch.remove()
    given.mkdir()
    scratch.remove()
    assert given.exists(), "another of the same name"
    given.rmdir()
    given.symlink_to(tmp_path / "moved")
    scratch.remove()
    assert given.is_symlink()
    given.unlink()
    (tmp_path / "moved").rename(given)
    scratch.remove()
    assert not given.exists()


@asynccontextmanager
async def supervised(directory: Path, exits: list[dict[str, Any]]) -> AsyncIterator[Supervision]:
    supervision = await Supervision.start(directory / "supervisor.log", exits.append)
    try:
        await supervision.ask("open", nodes=[A], dials=[], delays_s=[], seed=1)
        yield supervision
    finally:
        await supervision.close()


async def spawn(supervision: Supervision, directory: Path, name: str, script: str) -> dict[str, Any]:
    argv = [sys.executable, "-c", script]
    facts: dict[str, Any] = await supervision.ask(
        "spawn", name=name, argv=argv, env=dict(os.environ), directory=str(directory / name)
    )
    async with asyncio.timeout(10):
        while "up" not in (directory / name / "stdout.log").read_text():
            await asyncio.sleep(0.01)
    return facts


OBEDIENT = "print('up', flush=True); import time; time.sleep(1000)"
GRACEFUL = "import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); " + OBEDIENT


def test_processes_are_stopped_resumed_killed_and_started_again(tmp_path: Path) -> None:
    async def run() -> None:
        exits: list[dict[str, Any]] = []
        async with supervised(tmp_path, exits) as supervision:
            one = (await spawn(supervision, tmp_path, "one", GRACEFUL))["pid"]
            two = (await spawn(supervision, tmp_path, "two", STUBBORN))["pid"]
            assert await spawn(supervision, tmp_path, "one", GRACEFUL) == {"pid": one, "was_pid": one}

            facts = await supervision.ask("pause", names=["one", "two"])
            assert facts == {"one": {"pid": one, "state": "T"}, "two": {"pid": two, "state": "T"}}
            assert process_state(one) == "T"
            facts = await supervision.ask("resume", names=["one"])
            assert facts["one"]["state"] in ("R", "S", "D")
            assert process_state(one) in ("R", "S", "D")

            facts = await supervision.ask("kill", names=["two"])  # although it is stopped
            assert facts == {"two": {"pid": two, "gone": True}}
            assert process_state(two) == ""
            assert await supervision.ask("resume", names=["two"]) == {"two": {"pid": two, "state": "gone"}}

            await supervision.ask("pause", names=["one"])
            facts = await supervision.ask("terminate", names=["one"])  # although it is stopped
            assert facts == {"one": {"pid": one, "gone": True, "exit_code": 7}}
            facts = await spawn(supervision, tmp_path, "one", GRACEFUL)
            assert facts["was_pid"] == one != facts["pid"]
            assert exits == [], "all of that was asked for"

    finish(run())


def test_an_end_that_nobody_asked_for_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        exits: list[dict[str, Any]] = []
        async with supervised(tmp_path, exits) as supervision:
            began_ns = time.monotonic_ns()
            await spawn(supervision, tmp_path, "weak", "print('up'); raise SystemExit(3)")
            pid = (await spawn(supervision, tmp_path, "victim", OBEDIENT))["pid"]
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(5):
                while len(exits) < 2:
                    await asyncio.sleep(0.01)
            assert [(facts["node"], facts["code"]) for facts in exits] == [("weak", 3), ("victim", -9)]
            assert all(began_ns < facts["time_ns"] < time.monotonic_ns() for facts in exits)

    finish(run())


def test_what_cannot_be_done_is_one_clear_line(tmp_path: Path) -> None:
    async def run() -> None:
        async with supervised(tmp_path, []) as supervision:
            with pytest.raises(ClusterError, match="no process is called ghost"):
                await supervision.ask("kill", names=["ghost"])
            with pytest.raises(ClusterError, match="No such file or directory: '/nowhere'"):
                await supervision.ask("spawn", name="x", argv=["/nowhere"], env={}, directory=str(tmp_path))
            os.kill(supervision.pid, signal.SIGKILL)
            with pytest.raises(ClusterError, match=f"the supervisor .pid {supervision.pid}. has ended"):
                await supervision.ask("pause", names=[])

    finish(run())


def test_the_ticker_writes_down_how_late_this_host_is(tmp_path: Path) -> None:
    lag = tmp_path / "lag.jsonl"
    began_ns = time.monotonic_ns()
    ticker = subprocess.Popen(
        [sys.executable, "-m", "system.clusters.ticker", str(lag)], env=python_env(os.environ)
    )
    try:
        wait_until(lag.exists)
        ticker.send_signal(signal.SIGSTOP)
        wait_until(lambda: process_state(ticker.pid) == "T")
        stopped_ns = time.monotonic_ns()
        time.sleep(0.2)  # how late it is made
        resumed_ns = time.monotonic_ns()
        ticker.send_signal(signal.SIGCONT)

        def lags() -> list[list[int]]:
            return [json.loads(line) for line in lag.read_text().splitlines()]

        wait_until(lambda: any(lag_ns > 190_000_000 for _, lag_ns in lags()))
        time_ns, lag_ns = next(entry for entry in lags() if entry[1] > 190_000_000)
        assert began_ns < stopped_ns < resumed_ns < time_ns
        assert lag_ns < time_ns - began_ns
        assert all(lag_ns > 5_000_000 for _, lag_ns in lags())
    finally:
        ticker.kill()
        ticker.wait()
