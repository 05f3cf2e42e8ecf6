"""The local cluster with real nodes: it starts, survives what is done to it, and shows proof of all of it."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from system.clusters import disk
from system.clusters.addresses import listen
from system.clusters.errors import ClusterError
from system.clusters.local import LocalCluster
from system.clusters.processes import process_state

T = TypeVar("T")

DEADLINE_S = 20.0


class Running:
    """A cluster and the event loop it lives in."""

    def __init__(self, directory: Path) -> None:
        self.runner = asyncio.Runner()
        self.cluster = LocalCluster(7, data_dir=directory)
        self.runner.run(self.cluster.start())

    def run(self, coroutine: Any) -> Any:
        return self.runner.run(coroutine)

    def until(
        self, ask: Callable[[], Awaitable[T]], good: Callable[[T], Any], timeout_s: float = DEADLINE_S
    ) -> T:
        async def wait() -> T:
            async with asyncio.timeout(timeout_s):
                while not good(answer := await ask()):
                    await asyncio.sleep(0.02)
            return answer

        return self.runner.run(wait())

    def leader(self) -> str:
        return str(self.until(self.cluster.leader, bool))

    def links_of(self, node: str) -> list[tuple[str, str]]:
        return [
            pair for other in self.cluster.nodes if other != node for pair in ((node, other), (other, node))
        ]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("cluster"))
    try:
        yield running
    finally:
        running.run(running.cluster.stop())
        running.runner.close()


def test_it_starts_with_seven_processes_at_fixed_ports(running: Running) -> None:
    cluster = running.cluster
    assert cluster.nodes == ("cp-aws-1", "cp-gcp-1", "cp-azure-1")
    assert cluster.workers == ("worker-aws-1", "worker-aws-2", "worker-gcp-1", "worker-azure-1")
    assert cluster.starts == dict.fromkeys((*cluster.nodes, *cluster.workers), 1)
    addresses = [cluster.grpc_address(name) for name in (*cluster.nodes, *cluster.workers)]
    assert len(set(addresses)) == 7
    states = running.until(
        cluster.worker_states, lambda s: s and list(s["workers"].values()).count("online") == 4
    )
    assert states is not None and states["node"] == running.leader()
    status = running.run(cluster.status("cp-aws-1"))
    assert status.keys() >= {"node", "boot", "term", "role", "leader", "commit_index", "applied_index"}


def test_everybody_dials_by_an_address_book_of_its_own(running: Running) -> None:
    cluster = running.cluster
    books = [cluster.addresses(site) for site in (*cluster.nodes, *cluster.workers, *cluster.client_sites)]
    everything = [address for book in books for address in book.values()]
    assert len(set(everything)) == len(everything) == 3 * 2 + 4 * 3 + 3 * 3
    assert not {cluster.grpc_address(node) for node in cluster.nodes} & set(everything)
    assert set(cluster.worker_addresses("client-gcp")) == set(cluster.workers)


def test_clouds_are_fifty_milliseconds_apart_and_further_when_delayed(running: Running) -> None:
    pair = ("cp-aws-1", "cp-gcp-1")
    near = ("client-aws", "cp-aws-1")
    facts = running.run(running.cluster.delay([pair, near], 100, 0))
    far = facts["cp-aws-1->cp-gcp-1"]
    assert 50 <= far["rtt_before_ms"] < 120
    assert 150 <= far["rtt_ms"] < 250
    assert facts["client-aws->cp-aws-1"]["rtt_before_ms"] < 40
    assert sorted(running.run(running.cluster.still_harmed())) == [
        "client-aws->cp-aws-1 is still harmed: slow",
        "cp-aws-1->cp-gcp-1 is still harmed: slow",
    ]
    facts = running.run(running.cluster.undelay([pair, near]))
    assert facts["cp-aws-1->cp-gcp-1"]["rtt_before_ms"] >= 150
    assert 50 <= facts["cp-aws-1->cp-gcp-1"]["rtt_ms"] < 120


def test_a_leader_that_is_not_heard_goes_on_hearing(running: Running) -> None:
    cluster = running.cluster
    leader = running.leader()
    mute = [(leader, other) for other in cluster.nodes if other != leader]
    cut_s = time.monotonic()
    facts = running.run(cluster.cut(mute, "messages"))
    assert all(facts[f"{a}->{b}"]["held_bytes"] > 0 for a, b in mute)
    new = str(running.until(cluster.leader, lambda now: now not in (None, leader)))
    running.until(lambda: cluster.status(leader), lambda status: status and status["leader"] == new)

    async def heard() -> int:
        facts = await cluster.link_evidence([(new, leader)])
        return int(facts[f"{new}->{leader}"]["passed_messages"])

    half_seconds, before = 0, running.run(heard())
    while half_seconds < 3 or time.monotonic() - cut_s < 3:
        running.run(asyncio.sleep(0.5))  # how long the cut goes on
        before = running.until(heard, before.__lt__, timeout_s=1)
        half_seconds += 1
    facts = running.run(cluster.mend(mute))
    assert all(facts[f"{a}->{b}"]["passed_messages"] <= 2 for a, b in mute), "those on their way at the cut"
    assert all(facts[f"{a}->{b}"]["quiet_ms"] > 2500 for a, b in mute)
    assert facts[f"{new}->{leader}"]["quiet_ms"] < 1500


def test_an_isolated_leader_is_replaced_and_follows_after_the_cut(running: Running) -> None:
    cluster = running.cluster
    old = running.leader()
    links = running.links_of(old)
    running.run(cluster.cut(links, "packets"))
    assert set(running.run(cluster.still_harmed())) == {f"{a}->{b} is still harmed: cut" for a, b in links}
    new = running.until(cluster.leader, lambda leader: leader not in (None, old))
    facts = running.run(cluster.mend(links))
    assert running.run(cluster.still_harmed()) == []
    assert all(facts[f"{a}->{b}"]["passed_bytes"] == 0 for a, b in links)
    assert all(facts[f"{a}->{b}"]["held_bytes"] > 0 for a, b in links if a == old)
    mended_s = time.monotonic()
    running.until(lambda: cluster.status(old), lambda status: status and status["leader"] == new)
    assert time.monotonic() - mended_s < 5


def test_nodes_are_paused_killed_and_started_again(running: Running) -> None:
    cluster = running.cluster
    nodes = list(cluster.nodes)
    leader = running.leader()
    paused = running.run(cluster.pause([leader]))
    assert running.run(cluster.still_harmed()) == [f"{leader} is stopped"]
    assert paused[leader]["state"] == "T"
    assert running.run(cluster.status(leader)) is None
    assert running.run(cluster.resume([leader]))[leader]["state"] != "T"
    killed = running.run(cluster.kill(nodes, lose_unsynced=True))
    assert all(facts["gone"] and facts["lost_bytes"] >= 0 for facts in killed.values())
    assert running.run(cluster.leader()) is None
    started = running.run(cluster.start_nodes(nodes))
    assert {node: facts["was_pid"] for node, facts in started.items()} == {
        node: facts["pid"] for node, facts in killed.items()
    }
    running.leader()
    assert [running.run(cluster.status(node))["boot"] for node in nodes] == [2, 2, 2]
    stopped = running.run(cluster.stop_nodes(["worker-gcp-1"]))
    assert stopped["worker-gcp-1"]["exit_code"] == 0
    running.run(cluster.start_nodes(["worker-gcp-1"]))
    assert cluster.starts["worker-gcp-1"] == cluster.starts[leader] == 2
    assert cluster.exits == []


@pytest.mark.parametrize("lose", [True, False])
def test_a_killed_node_loses_what_was_unsynced_only_where_asked_to(running: Running, lose: bool) -> None:
    cluster = running.cluster
    node = next(node for node in cluster.nodes if node != running.leader())
    running.run(cluster.pause([node]))  # so that nothing is synced behind our tail
    wal = Path(cluster._directory(node)) / "wal.jsonl"
    with wal.open("ab") as file:
        file.write(b'{"frame"')
    facts = running.run(cluster.kill([node], lose_unsynced=lose))[node]
    assert facts["gone"]
    assert facts["lost_bytes"] >= 8 if lose else facts["lost_bytes"] == 0
    assert wal.read_bytes().endswith(b'{"frame"') is not lose
    running.run(cluster.start_nodes([node]))


def test_nodes_stand_still_while_their_logs_are_copied(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one copied late commits, in the copies, what no other had yet when it was copied."""
    cluster = running.cluster
    pids = [facts["pid"] for facts in running.run(cluster.resume(cluster.nodes)).values()]
    states: list[str] = []
    save_node = disk.save_node

    def watched(*args: Any) -> None:
        states.extend(process_state(pid) for pid in pids)
        save_node(*args)

    monkeypatch.setattr(disk, "save_node", watched)
    running.run(cluster.save_logs(tmp_path))
    assert states and set(states) == {"T"}
    assert "T" not in [process_state(pid) for pid in pids]
    running.leader()


def test_what_nodes_wrote_is_saved_and_nothing_is_left_behind(running: Running, tmp_path: Path) -> None:
    cluster = running.cluster
    running.run(cluster.save_logs(tmp_path))
    for node in cluster.nodes:
        saved = {path.name for path in (tmp_path / node).iterdir()}
        assert saved >= {"stdout.log", "stderr.log", "wal.jsonl", "metrics.prom"}
        assert saved >= {"events-0001.jsonl", "events-0002.jsonl"}
        assert "raft_term" in (tmp_path / node / "metrics.prom").read_text()
    assert all(len(json.loads(line)) == 2 for line in (tmp_path / "lag.jsonl").read_text().splitlines())
    assert (tmp_path / "exits.jsonl").read_text() == ""
    everyone = [*cluster.nodes, *cluster.workers]
    pids = [facts["pid"] for facts in running.run(cluster.resume(everyone)).values()]
    running.run(cluster.stop())
    running.run(cluster.stop())
    assert [process_state(pid) for pid in pids] == [""] * 7
    for site in (*everyone, *cluster.client_sites):
        for address in cluster.addresses(site).values():
            host, _, port = address.rpartition(":")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, int(port)), timeout=1)
    for name in everyone:
        host, _, port = cluster.grpc_address(name).rpartition(":")
        listen((host, int(port))).close()


class Broken(LocalCluster):
    def node_command(self) -> list[str]:
        return [sys.executable, "-c", "print('PEERS=nonsense: expected id=host:port'); raise SystemExit(2)"]


def test_a_node_that_does_not_start_is_one_clear_error(tmp_path: Path) -> None:
    async def start() -> None:
        cluster = Broken(1, nodes=1, workers=False, data_dir=tmp_path)
        with pytest.raises(ClusterError) as error:
            await cluster.start()
        assert str(error.value) == (
            "cp-aws-1 ended with code 2 while starting; its last lines:\n"
            "  PEERS=nonsense: expected id=host:port"
        )
        with pytest.raises(ClusterError, match="not running: `pause` needs one that was started"):
            await cluster.pause(["cp-aws-1"])

    asyncio.run(start())


class Scripted(LocalCluster):
    """Control-plane nodes that wait for a file `up` before they start; workers that end once there is a file
    `end`, each in its own directory."""

    def node_command(self) -> list[str]:
        script = (
            "import os, runpy, time\nwhile not os.path.exists('up'): time.sleep(0.01)\n"
            "runpy.run_module('system.control_plane', run_name='__main__')"
        )
        return [sys.executable, "-c", script]

    def worker_command(self) -> list[str]:
        return [
            sys.executable,
            "-c",
            "import os, time\nwhile not os.path.exists('end'): time.sleep(0.01)\nraise SystemExit(4)",
        ]


def test_the_end_of_another_process_is_no_failure_of_the_one_that_starts(tmp_path: Path) -> None:
    node, worker = "cp-aws-1", "worker-gcp-1"

    async def run() -> None:
        cluster = Scripted(3, nodes=1, data_dir=tmp_path)
        (tmp_path / node).mkdir()
        (tmp_path / node / "up").touch()
        await cluster.start()
        try:
            await cluster.kill([node], lose_unsynced=False)
            (tmp_path / node / "up").unlink()
            starting = asyncio.create_task(cluster.start_nodes([node]))
            async with asyncio.timeout(DEADLINE_S):
                while cluster.starts[node] < 2:
                    await asyncio.sleep(0.01)
                (tmp_path / worker / "end").touch()
                while not cluster.exits:
                    await asyncio.sleep(0.01)
                await asyncio.wait([starting], timeout=1.0)  # it looks every half-second
                (tmp_path / node / "up").touch()
                assert set(await starting) == {node}
            assert [(facts["node"], facts["code"]) for facts in cluster.exits] == [(worker, 4)]
        finally:
            await cluster.stop()

    asyncio.run(run())


def test_a_worker_that_ends_while_the_cluster_starts_is_one_clear_error(tmp_path: Path) -> None:
    async def run() -> None:
        cluster = Scripted(4, nodes=1, data_dir=tmp_path)
        (tmp_path / "worker-gcp-1").mkdir()
        (tmp_path / "worker-gcp-1" / "end").touch()
        with pytest.raises(ClusterError, match="worker-gcp-1 ended with code 4 while starting"):
            await cluster.start()

    asyncio.run(run())


def test_scratch_is_a_directory_that_nobody_else_uses(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()

    async def run() -> None:
        with pytest.raises(ClusterError, match="is not empty: give a scratch directory of its own"):
            await LocalCluster(5, nodes=1, workers=False, data_dir=tmp_path, scratch=True).start()

    asyncio.run(run())
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_size_that_is_not_offered_is_one_clear_error(tmp_path: Path, count: int) -> None:
    with pytest.raises(ClusterError, match=f"1, 3 or 5 control-plane nodes, not {count}"):
        LocalCluster(1, nodes=count, data_dir=tmp_path)


def test_the_clients_environment_does_not_send_nodes_through_a_web_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")

    class Telling(LocalCluster):
        def node_command(self) -> list[str]:
            script = "import os, json; print(json.dumps(dict(os.environ))); raise SystemExit(1)"
            return [sys.executable, "-c", script]

    async def start() -> dict[str, str]:
        cluster = Telling(9, nodes=1, workers=False, data_dir=tmp_path, env={"RAFT_MAX_BATCH": "1"})
        with pytest.raises(ClusterError):
            await cluster.start()
        told: dict[str, str] = json.loads((tmp_path / "cp-aws-1/stdout.log").read_text())
        return told

    env = asyncio.run(start())
    assert "http_proxy" not in env and "HTTPS_PROXY" not in env
    assert env["NODE_ID"] == "cp-aws-1"
    assert env["DATA_DIR"] == str(tmp_path / "cp-aws-1")
    assert env["RAFT_MAX_BATCH"] == "1"
