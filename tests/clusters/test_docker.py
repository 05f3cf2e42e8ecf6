"""The Docker cluster with real containers: every verb takes effect, proves it, and heals completely."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.client import Refused, Unresolved
from system.clusters import disk
from system.clusters.errors import ClusterError
from system.object_client import GetObject, PutObject
from tests.clusters.docker_lab import Link, Running, left_of

pytestmark = pytest.mark.docker

ROUND_TRIP_MS = 50
# What a busy host may add to a round trip between clouds.
SLACK_MS = 40


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("docker"))
    try:
        yield running
    finally:
        running.stop()
        assert left_of(running.project) == []


@pytest.fixture
def running(started: Running) -> Iterator[Running]:
    yield started
    try:
        started.assert_healed()
    except BaseException:
        started.heal()  # what one test has left in force is not for the next one
        raise


def test_it_starts_ten_containers_of_its_own(running: Running) -> None:
    cluster = running.cluster
    assert cluster.starts == dict.fromkeys(
        (*cluster.services, *cluster.nodes, *cluster.workers, "clients"), 1
    )
    assert running.project not in ("crosswind", "")
    running.online(cluster.workers)
    states = running.run(cluster.worker_states())
    assert states["node"] == running.leader() and sorted(states["workers"]) == sorted(cluster.workers)
    for node in cluster.nodes:
        status = running.run(cluster.status(node))
        assert status["node"] == node and status["boot"] == 1


def test_clients_of_every_cloud_commit_and_reach_the_store_through_workers(running: Running) -> None:
    indexes = [running.commit(site) for site in running.cluster.client_sites]
    assert indexes == sorted(set(indexes))
    for number, site in enumerate(running.cluster.client_sites):
        put = running.put(PutObject(site, number, 1000), site)
        assert put.etag is not None and running.put(GetObject(site), site).etag == put.etag


def test_it_is_not_started_twice_and_cuts_packets_only(running: Running) -> None:
    with pytest.raises(ClusterError, match="started already"):
        running.run(running.cluster.start())
    with pytest.raises(ClusterError, match="cuts packets, not messages"):
        running.run(running.cluster.cut([("cp-aws-1", "cp-gcp-1")], "messages"))


def test_an_isolated_leader_is_replaced_and_follows_after_the_cut(running: Running) -> None:
    cluster, old = running.cluster, running.leader()
    links = running.links_of(old)
    facts = running.run(cluster.cut(links, "packets"))
    assert all(facts[f"{old}->{other}"]["held_bytes"] > 0 for other in running.others(old))
    assert len(running.drops(old)) == 2
    assert sorted(running.run(cluster.still_harmed())) == sorted(
        f"{a}->{b} is still harmed: cut" for a, b in links
    )
    new = running.until(cluster.leader, lambda leader: leader not in (None, old))
    running.commit()
    facts = running.run(cluster.mend(links))
    assert all(facts[f"{a}->{b}"]["passed_bytes"] == 0 for a, b in links)
    assert all(facts[f"{a}->{b}"]["held_bytes"] > 0 for a, b in links)
    mended_s = time.monotonic()
    running.until(lambda: cluster.status(old), lambda status: status and status["leader"] == new)
    assert time.monotonic() - mended_s < 5
    running.run(cluster.mend(links))
    assert running.drops(old) == []
    assert running.run(cluster.still_harmed()) == []


def test_a_leader_that_is_not_heard_goes_on_hearing(running: Running) -> None:
    cluster, old = running.cluster, running.leader()
    mute: list[Link] = [(old, other) for other in running.others(old)]
    running.run(cluster.cut(mute, "packets"))
    new = running.until(cluster.leader, lambda leader: leader not in (None, old))
    facts = running.run(cluster.link_evidence(mute))
    assert all(
        facts[f"{a}->{b}"]["held_bytes"] > 0 and facts[f"{a}->{b}"]["passed_bytes"] == 0 for a, b in mute
    )
    assert facts[f"{new}->{old}"]["passed_bytes"] > 0, "the new leader's packets arrive"
    assert facts[f"{new}->{old}"]["held_bytes"] == 0
    running.run(cluster.mend(mute))


def test_one_link_that_is_cut_leaves_the_others_alone(running: Running) -> None:
    cluster, leader = running.cluster, running.leader()
    one, two = running.others(leader)
    pair: list[Link] = [(leader, one), (one, leader)]
    facts = running.run(cluster.cut(pair, "packets"))
    assert all(facts[f"{a}->{b}"]["held_bytes"] > 0 for a, b in pair)
    running.commit()
    rest = running.run(cluster.link_evidence([(leader, two), (two, one)]))
    assert all(fact["held_bytes"] == 0 and fact["passed_bytes"] > 0 for fact in rest.values())
    running.run(cluster.mend(pair))


def test_a_cut_survives_the_restart_of_the_node_it_falls_on(running: Running) -> None:
    cluster, leader = running.cluster, running.leader()
    node = running.others(leader)[0]
    links = running.links_of(node)
    before = running.run(cluster.cut(links, "packets"))
    running.run(cluster.kill([node], lose_unsynced=False))
    assert (
        running.run(cluster.link_evidence(links))[f"{leader}->{node}"]["held_bytes"]
        >= (before[f"{leader}->{node}"]["held_bytes"])
    )
    running.run(cluster.start_nodes([node]))
    assert len(running.drops(node)) == 2
    again = running.run(cluster.link_evidence(links))

    async def held() -> int:
        facts = await cluster.link_evidence(links)
        return int(facts[f"{leader}->{node}"]["held_bytes"])

    running.until(held, lambda now: now > again[f"{leader}->{node}"]["held_bytes"])
    facts = running.run(cluster.mend(links))
    assert all(facts[f"{a}->{b}"]["passed_bytes"] == 0 for a, b in links)
    running.until(lambda: cluster.status(node), lambda status: status and status["leader"])


def test_faults_of_several_kinds_at_once_do_not_disturb_each_other(running: Running) -> None:
    """A cut that comes and goes while the node it falls on is killed and started."""
    cluster = running.cluster
    node = running.others(running.leader())[0]
    links = running.links_of(node)

    async def flap() -> None:
        for _ in range(3):
            await cluster.cut(links, "packets")
            await cluster.mend(links)

    async def restart() -> None:
        for _ in range(2):
            await cluster.kill([node], lose_unsynced=False)
            await cluster.start_nodes([node])

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(flap())
            group.create_task(restart())

    running.run(both())


def test_a_cut_is_made_through_the_engine_where_the_host_is_not_ours(running: Running) -> None:
    cluster, leader = running.cluster, running.leader()
    node = running.others(leader)[0]
    links = running.links_of(node)
    with running.forced_fallback():
        facts = running.run(cluster.cut(links, "packets"))
        assert facts[f"{leader}->{node}"]["held_bytes"] > 0
        assert len(running.drops(node)) == 2
        running.run(cluster.stop_nodes([node]))
        running.run(cluster.start_nodes([node]))
        assert len(running.drops(node)) == 2
        running.run(cluster.mend(links))
        running.run(cluster.mend(links))


@pytest.mark.parametrize("who", ["leader", "follower"])
def test_without_a_paused_node_the_others_go_on_committing(running: Running, who: str) -> None:
    cluster, leader = running.cluster, running.leader()
    node = leader if who == "leader" else running.others(leader)[0]
    paused = running.run(cluster.pause([node]))
    assert running.run(cluster.still_harmed()) == [f"{node} is frozen"]
    assert paused[node]["state"] == "frozen" and paused[node]["pid"] == running.inspect(node)["State"]["Pid"]
    assert running.run(cluster.status(node)) is None
    assert running.run(cluster.pause([node])) == paused
    now = running.until(cluster.leader, lambda leader: leader and (leader != node))
    running.commit(f"client-{now.split('-')[1]}")
    resumed = running.run(cluster.resume([node]))
    assert resumed[node]["state"] == "running" and resumed[node]["pid"] == paused[node]["pid"]
    assert running.run(cluster.resume([node])) == resumed
    running.until(lambda: cluster.status(node), lambda status: status and status["leader"])


TAIL = b'{"frame"'


@pytest.mark.parametrize("lose", [True, False])
def test_a_killed_node_loses_what_was_unsynced_only_where_asked_to(running: Running, lose: bool) -> None:
    cluster = running.cluster
    node = running.others(running.leader())[0]
    boots = running.run(cluster.status(node))["boot"]
    running.run(cluster.pause([node]))  # so that nothing is synced behind our tail
    up = cluster._running("test")
    wal = running.run(up.engine.read(up.container(node), "/data"))["wal.jsonl"]
    running.run(up.engine.write(up.container(node), "/data", "wal.jsonl", wal + TAIL))
    facts = running.run(cluster.kill([node], lose_unsynced=lose))[node]
    assert facts["gone"] and facts["pid"] > 0
    assert running.inspect(node)["State"]["Status"] == "exited"
    left = running.run(up.engine.read(up.container(node), "/data"))["wal.jsonl"]
    assert facts["lost_bytes"] == len(wal + TAIL) - len(left)
    assert facts["lost_bytes"] >= len(TAIL) if lose else left == wal + TAIL
    again = running.run(cluster.kill([node], lose_unsynced=False))[node]
    assert again["gone"]
    started = running.run(cluster.start_nodes([node]))[node]
    assert started["was_pid"] == 0 and started["pid"] not in (0, facts["pid"])
    assert running.shell(node, "stat -c %u:%a /data/wal.jsonl").startswith("10001:")
    assert running.run(cluster.status(node))["boot"] == boots + 1


def test_all_nodes_killed_at_once_come_back_with_what_was_acknowledged(running: Running) -> None:
    cluster = running.cluster
    index = running.commit()
    killed = running.run(cluster.kill(cluster.nodes, lose_unsynced=True))
    assert all(facts["gone"] for facts in killed.values())
    assert running.run(cluster.leader()) is None
    running.run(cluster.start_nodes(cluster.nodes))
    assert running.commit() > index


def test_a_stopped_node_ends_by_itself_and_is_started_again(running: Running) -> None:
    cluster, leader = running.cluster, running.leader()
    starts = dict(cluster.starts)
    stopped = running.run(cluster.stop_nodes([leader, "worker-azure-1"]))
    assert {node: facts["exit_code"] for node, facts in stopped.items()} == {leader: 0, "worker-azure-1": 0}
    running.until(cluster.leader, lambda now: now not in (None, leader), timeout_s=15)
    running.commit()
    running.run(cluster.start_nodes([leader, "worker-azure-1"]))
    again = running.run(cluster.start_nodes([leader]))
    assert again[leader]["pid"] == again[leader]["was_pid"] != stopped[leader]["pid"]
    assert cluster.starts[leader] == starts[leader] + 1
    assert cluster.exits == []
    running.online(cluster.workers)


def test_clouds_are_fifty_milliseconds_apart_and_further_when_delayed(running: Running) -> None:
    cluster, leader = running.cluster, running.leader()
    link = (leader, running.others(leader)[0])
    name = "->".join(link)
    facts = running.run(cluster.delay([link], 100, 0))[name]
    assert ROUND_TRIP_MS <= facts["rtt_before_ms"] < ROUND_TRIP_MS + SLACK_MS
    assert 100 + ROUND_TRIP_MS <= facts["rtt_ms"] < 100 + ROUND_TRIP_MS + SLACK_MS
    running.commit()
    facts = running.run(cluster.undelay([link]))[name]
    assert facts["rtt_before_ms"] >= 100 + ROUND_TRIP_MS
    assert ROUND_TRIP_MS <= facts["rtt_ms"] < ROUND_TRIP_MS + SLACK_MS
    running.run(cluster.undelay([link]))


@pytest.mark.parametrize(
    ("how", "value", "counted"),
    [
        ("loss", 0.3, "dropped"),
        ("duplicate", 0.3, "duplicated"),
        ("reorder", 0.3, "reordered"),
        ("corrupt", 0.3, "corrupted"),
        ("rate_bytes_s", 2000, "queued"),
    ],
)
def test_packets_are_harmed_and_counted(running: Running, how: str, value: float, counted: str) -> None:
    cluster, leader = running.cluster, running.leader()
    links = running.links_of(leader)
    facts = running.run(cluster.shape(links, {how: value}))
    assert sum(fact[counted] for fact in facts.values()) > 0
    assert sorted(running.run(cluster.still_harmed())) == sorted(
        f"{a}->{b} is still harmed: {how}" for a, b in links
    )
    running.commit()
    facts = running.run(cluster.unshape(links, [how]))
    packets = sum(fact["packets"] for fact in facts.values())
    assert 0 < sum(fact[counted] for fact in facts.values()) < packets
    running.run(cluster.unshape(links, [how]))


def test_without_the_gateway_no_cloud_hears_another_and_shapes_wait_for_it(running: Running) -> None:
    cluster = running.cluster
    cloud = running.leader().split("-")[1]
    # Whoever leads afterwards: every pair of nodes has its delay, one way.
    links = list(itertools.combinations(cluster.nodes, 2))
    facts = running.run(cluster.kill(["gateway"], lose_unsynced=False))
    assert facts["gateway"]["gone"]
    running.run(cluster.delay(links, 100, 0))
    with pytest.raises(TimeoutError):
        running.commit(f"client-{cloud}", timeout_s=3)
    running.run(cluster.start_nodes(["gateway"]))
    running.commit()
    round_trips_ms = [fact["rtt_before_ms"] for fact in running.run(cluster.undelay(links)).values()]
    assert max(ms for ms in round_trips_ms if ms is not None) > 100 + ROUND_TRIP_MS


def test_a_gateway_that_stands_still_lets_nothing_through(running: Running) -> None:
    cluster, leader = running.cluster, running.leader()
    assert running.run(cluster.pause(["gateway"]))["gateway"]["state"] == "frozen"
    with pytest.raises(TimeoutError):
        running.commit(f"client-{leader.split('-')[1]}", timeout_s=3)
    running.run(cluster.resume(["gateway"]))
    running.commit()


def test_without_the_store_commands_go_on_and_it_comes_back_with_its_objects(running: Running) -> None:
    cluster = running.cluster
    put = running.put(PutObject("kept", 1, 1000))
    running.run(cluster.kill(["minio"], lose_unsynced=False))
    with pytest.raises((Refused, Unresolved)):
        running.put(PutObject("lost", 1, 1000))
    running.commit()
    running.run(cluster.start_nodes(["minio"]))
    assert running.put(GetObject("kept")).etag == put.etag
    assert running.put(PutObject("more", 1, 1000)).etag


def test_without_one_whole_cloud_the_other_two_go_on(running: Running) -> None:
    cluster, leader = running.cluster, running.leader()
    cloud = leader.split("-")[1]
    names = [name for name in (*cluster.nodes, *cluster.workers) if name.split("-")[1] == cloud]
    names += [name for name in cluster.services if cluster.homes.get(name) == cloud]
    running.run(cluster.kill(names, lose_unsynced=False))
    elsewhere = next(site for site in cluster.client_sites if not site.endswith(cloud))
    running.until(cluster.leader, lambda now: now not in (None, leader), timeout_s=15)
    running.commit(elsewhere)
    running.run(cluster.start_nodes(names))
    running.online(cluster.workers)


def test_nodes_stand_still_while_their_logs_are_copied(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one copied late commits, in the copies, what no other had yet when it was copied."""
    cluster = running.cluster
    states: list[str] = []
    save_files = disk.save_files

    def watched(*args: Any) -> None:
        states.extend(running.inspect(name)["State"]["Status"] for name in cluster.nodes)
        save_files(*args)

    monkeypatch.setattr(disk, "save_files", watched)
    running.run(cluster.save_logs(tmp_path))
    assert states and set(states) == {"paused"}
    for node in cluster.nodes:
        names = {path.name for path in (tmp_path / node).iterdir()}
        assert names >= {"stdout.log", "stderr.log", "wal.jsonl", "metrics.prom", "events-0001.jsonl"}
        assert (tmp_path / node / "wal.jsonl").stat().st_size > 0
    for worker in cluster.workers:
        assert b"Worker ready" in (tmp_path / worker / "stdout.log").read_bytes()
    assert (tmp_path / "lag.jsonl").stat().st_size > 0
    assert (tmp_path / "exits.jsonl").read_text() == ""
