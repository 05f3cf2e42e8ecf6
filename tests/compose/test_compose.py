"""The nine containers: who reaches whom, how fast and by which way; and what outlives what."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from compose import images
from compose.engine import Trouble, docker, realtime_allowed, require_engine
from compose.round_trip import measure
from tests.compose.compose_lab import Cluster, signing
from tests.required import lacking

pytestmark = pytest.mark.docker

STORAGE = Path(__file__).parents[2] / "scripts" / "test-storage.sh"
CONTROL_PLANE = ("cp-aws-1", "cp-gcp-1", "cp-azure-1")
WORKERS = ("worker-aws-1", "worker-aws-2", "worker-gcp-1", "worker-azure-1")
NINE = {*CONTROL_PLANE, *WORKERS, "gateway", "minio"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        require_engine()
    except Trouble as trouble:
        lacking("docker", "Docker", trouble)
    images.build()
    realtime = ("docker-compose.realtime.yml",) if realtime_allowed(images.NAMES["gateway"]) else ()
    beside_others = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    cluster = Cluster(98 - beside_others, ("docker-compose.yml", *realtime))
    cluster.compose("down", "--volumes", "--timeout=1")
    began = time.monotonic()
    try:
        cluster.compose("up", "--detach", "--wait", "--wait-timeout=90", "--no-build")
        yield Cluster(cluster.subnet, cluster.files, time.monotonic() - began)
    finally:
        cluster.compose("down", "--volumes", "--timeout=1")


def test_nine_healthy_containers_with_these_names(cluster: Cluster) -> None:
    print(f"nine healthy after {cluster.up_s:.1f} s")
    listed = cluster.compose("ps", "--all", "--format={{.Name}} {{.Health}}")
    assert set(listed.splitlines()) == {f"{cluster.prefix}{name} healthy" for name in NINE}
    assert cluster.up_s < 90


def test_every_container_has_a_health_check_and_limits(cluster: Cluster) -> None:
    for name in NINE:
        found = cluster.inspect(name)
        config, host = found["Config"], found["HostConfig"]
        assert isinstance(config, dict)
        assert isinstance(host, dict)
        assert config["Healthcheck"]["Test"], name
        assert host["NanoCpus"] > 0, name
        assert host["Memory"] > 0, name
        assert host["CapDrop"] == ["ALL"], name
        routes = name in CONTROL_PLANE or name == "gateway"
        assert ("NET_ADMIN" in [cap.removeprefix("CAP_") for cap in host["CapAdd"] or []]) == routes, name


def test_published_on_this_machine_alone_by_the_gateway_alone(cluster: Cluster) -> None:
    for name in NINE:
        network = cluster.inspect(name)["NetworkSettings"]
        assert isinstance(network, dict)
        addresses = [entry["HostIp"] for found in network["Ports"].values() for entry in found or []]
        assert addresses == (["127.0.0.1"] * 5 if name == "gateway" else []), name


def test_nodes_are_nobody_in_particular(cluster: Cluster) -> None:
    for name in (*CONTROL_PLANE, *WORKERS, "minio"):
        script = "for p in $(cat /proc/1/task/1/children); do cat /proc/$p/status; done"
        status = dict(
            line.split(":\t", 1)
            for line in cluster.run(name, "sh", "-c", script).splitlines()
            if ":\t" in line
        )
        assert status["Uid"].split() == ["10001"] * 4, name
        assert int(status["CapEff"], 16) == 0, name
        assert status["NoNewPrivs"] == "1", name


def test_names_mean_home_addresses(cluster: Cluster) -> None:
    homes = {
        "cp-aws-1": cluster.address(10, 11),
        "cp-gcp-1": cluster.address(20, 11),
        "cp-azure-1": cluster.address(30, 11),
        "worker-aws-1": cluster.address(10, 21),
        "worker-aws-2": cluster.address(10, 22),
        "worker-gcp-1": cluster.address(20, 21),
        "worker-azure-1": cluster.address(30, 21),
        "minio": cluster.address(10, 31),
    }
    ask = (
        "import socket, sys;"
        "print([sorted({found[4][0] for found in socket.getaddrinfo(name, 1)}) for name in sys.argv[1:]])"
    )
    for name in (*CONTROL_PLANE, *WORKERS):
        assert cluster.run(name, "python", "-c", ask, *homes) == str([[home] for home in homes.values()]), (
            name
        )


def test_fifty_milliseconds_between_clouds_and_none_within(cluster: Cluster) -> None:
    across = measure(f"{cluster.prefix}worker-aws-1", "worker-gcp-1", 100)
    within = measure(f"{cluster.prefix}worker-aws-1", "worker-aws-2", 100)
    print(f"between clouds: {across}\nwithin a cloud: {within}")
    assert across.received == within.received == 100
    assert abs(across.median_ms - 50) < 5
    assert within.median_ms < 1


def test_no_way_by_the_host_s_bridge(cluster: Cluster) -> None:
    """Even for a worker that were root: the host forwards, but has no way into the other cloud."""
    bridge = json.loads(docker("network", "inspect", f"{cluster.project}_net-aws"))[0]["Id"][:12]
    mac = Path(f"/sys/class/net/br-{bridge}/address")
    if not mac.exists() or os.geteuid() != 0:
        pytest.skip("only root of the engine's own machine can change a worker's routes")
    to, by = cluster.address(20, 21), cluster.address(10, 254)
    cluster.enter(
        "worker-aws-1", "ip", "neigh", "replace", by, "lladdr", mac.read_text().strip(), "dev", "eth0"
    )
    cluster.enter("worker-aws-1", "ip", "route", "replace", to, "via", by)
    try:
        assert cluster.lost_percent("worker-aws-1", to) == 100
    finally:
        cluster.enter("worker-aws-1", "ip", "route", "del", to)
    assert cluster.lost_percent("worker-aws-1", to) == 0


def test_no_way_by_a_foreign_leg(cluster: Cluster) -> None:
    assert cluster.lost_percent("worker-gcp-1", cluster.address(20, 11)) == 0
    assert cluster.lost_percent("worker-gcp-1", cluster.address(20, 111)) == 100
    assert cluster.lost_percent("worker-azure-1", cluster.address(20, 111)) == 100


def test_no_way_with_a_foreign_source(cluster: Cluster) -> None:
    to, foreign = cluster.address(20, 11), cluster.address(20, 111)
    interfaces = json.loads(cluster.run("cp-aws-1", "ip", "-json", "-4", "address"))
    device = next(i["ifname"] for i in interfaces if i["addr_info"][0]["local"] == foreign)
    assert cluster.lost_percent("cp-aws-1", to) == 0
    assert cluster.lost_percent("cp-aws-1", "-I", foreign, to) == 100
    assert cluster.lost_percent("cp-aws-1", "-I", device, to) == 100


def test_no_way_while_the_gateway_s_process_stands_still(cluster: Cluster) -> None:
    signal = "kill -{} $(cat /proc/1/task/1/children)"
    cluster.run("gateway", "sh", "-c", signal.format("STOP"))
    try:
        assert cluster.lost_percent("worker-aws-1", "worker-gcp-1") == 100
        assert cluster.lost_percent("cp-aws-1", "cp-azure-1") == 100
        assert cluster.lost_percent("worker-aws-1", "worker-aws-2") == 0
    finally:
        cluster.run("gateway", "sh", "-c", signal.format("CONT"))
    assert cluster.lost_percent("worker-aws-1", "worker-gcp-1") == 0


def test_routes_can_be_made_again_after_a_reconnection(cluster: Cluster) -> None:
    network, node = f"{cluster.project}_net-gcp", f"{cluster.prefix}cp-aws-1"
    docker("network", "disconnect", network, node)
    docker("network", "connect", f"--ip={cluster.address(20, 111)}", network, node)
    for _ in range(2):
        cluster.run("cp-aws-1", "python", "-m", "compose.node.routes", options=("--user=0",))
        assert cluster.lost_percent("worker-gcp-1", cluster.address(20, 111)) == 100
        assert measure(node, "cp-gcp-1", 20).median_ms > 45


def test_the_clients_container_stands_in_three_clouds(cluster: Cluster) -> None:
    """By user: each cloud's own goes through the gateway, the observer goes past it."""
    cluster.compose("--profile=harness", "up", "--detach", "--wait", "--no-deps", "--no-build", "clients")
    to = {"aws": cluster.address(10, 11), "gcp": cluster.address(20, 11)}

    def median_ms(user: int, cloud: str) -> float:
        said = cluster.run(
            "clients", "ping", "-n", "-c9", "-i0.1", "-q", to[cloud], options=(f"--user={user}",)
        )
        return float(said.split("min/avg/max/mdev = ")[1].split("/")[1])

    assert median_ms(2001, "aws") < 5
    assert 45 < median_ms(2001, "gcp") < 60
    assert 45 < median_ms(2002, "aws") < 60
    assert 45 < median_ms(2003, "gcp") < 60
    assert median_ms(2000, "gcp") < 5
    cluster.compose("--profile=harness", "rm", "--stop", "--force", "clients")


@pytest.mark.parametrize("worker", ["worker-aws-1", "worker-gcp-1", "worker-azure-1"])
def test_a_worker_of_each_cloud_puts_and_gets(cluster: Cluster, worker: str) -> None:
    said = subprocess.run(
        ["sh", str(STORAGE), worker],
        env={**os.environ, "NAME_PREFIX": cluster.prefix},
        capture_output=True,
        text=True,
        check=False,
    )
    print(said.stdout)
    assert said.returncode == 0, said.stderr
    store, wrote, read = said.stdout.splitlines()
    assert worker in store
    assert wrote.split()[1:] == read.split()[1:]
    assert wrote.split()[1] == "1000000"


def test_a_control_plane_node_puts_and_gets(cluster: Cluster) -> None:
    """It has no S3 client, so with requests that were signed here."""
    signer = signing("http://minio:9000")
    where = {"Bucket": "pipeline-data", "Key": "from-a-control-plane-node"}
    put = signer.generate_presigned_url("put_object", Params=where)
    get = signer.generate_presigned_url("get_object", Params=where)
    script = (
        "import sys; from urllib.request import Request, urlopen;"
        "urlopen(Request(sys.argv[1], b'seen', {'Content-Type': ''}, method='PUT')).close();"
        "print(urlopen(sys.argv[2]).read())"
    )
    for node in CONTROL_PLANE:
        assert cluster.run(node, "python", "-c", script, put, get) == "b'seen'"


def test_the_workers_are_ready_and_one_of_them_made_the_bucket(cluster: Cluster) -> None:
    for worker in WORKERS:
        said = [json.loads(line)["msg"] for line in docker("logs", cluster.prefix + worker).splitlines()]
        assert "Worker ready" in said, worker
        assert ("Bucket made" in said) == (worker == "worker-aws-1"), worker


def test_data_outlives_a_restart_and_a_kill(cluster: Cluster) -> None:
    etag = cluster.store().put_object(Bucket="pipeline-data", Key="kept", Body=b"kept")["ETag"]
    for harm in (["restart", "--timeout=5"], ["kill", "minio"]):
        cluster.compose(*harm)
        cluster.compose("up", "--detach", "--wait", "--wait-timeout=90", "--no-build")
        found = cluster.store().get_object(Bucket="pipeline-data", Key="kept")
        assert (found["ETag"], found["Body"].read()) == (etag, b"kept"), harm
    assert abs(measure(f"{cluster.prefix}cp-aws-1", "cp-gcp-1", 40).median_ms - 50) < 5


def test_wrong_keys_are_refused(cluster: Cluster) -> None:
    with pytest.raises(ClientError):
        cluster.store("somebody").list_objects_v2(Bucket="pipeline-data")


def test_down_leaves_nothing(cluster: Cluster) -> None:
    assert cluster.left() != ""
    cluster.compose("down", "--volumes", "--timeout=5")
    assert cluster.left() == ""
