"""What the harness takes for granted of the compose project is what the compose file says."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from typing import Any

import pytest

from compose import engine, images
from compose.node import clients, legs
from system.clusters import compose, sites, slots
from system.clusters.docker import DockerCluster

SLOT = 42


@cache
def configured(slot: int) -> dict[str, Any]:
    """The compose file as Docker Compose understands it, with a slot's variables."""
    command = ["docker", "compose", "-f", str(compose.FILE), "--env-file", os.devnull, "--profile", "harness"]
    done = subprocess.run(
        [*command, "config", "--format", "json"],
        env=os.environ | compose.environment(slot),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def services() -> dict[str, Any]:
    found: dict[str, Any] = configured(SLOT)["services"]
    return found


pytestmark = pytest.mark.docker


def test_there_are_ten_containers_with_the_names_that_the_harness_uses() -> None:
    everybody = [*sites.control_plane(3), *sites.WORKERS, *compose.SERVICES, compose.CLIENTS]
    assert sorted(services()) == sorted(everybody)
    names = {name: service["container_name"] for name, service in services().items()}
    assert names == {name: compose.container(SLOT, name) for name in everybody}


def test_homes_are_where_the_containers_are() -> None:
    homes = compose.homes(SLOT)
    for site, address in homes.items():
        container = compose.CLIENTS if site.startswith("client-") else site
        network = services()[container]["networks"][f"net-{sites.cloud(site)}"]
        assert network["ipv4_address"] == address, site
    assert set(homes) == {*sites.control_plane(3), *sites.WORKERS, *sites.CLIENT_SITES, "minio"}


def test_everybody_is_told_the_same_homes_and_so_is_the_gateway() -> None:
    homes = compose.homes(SLOT)
    named = {name: address for name, address in homes.items() if not name.startswith("client-")}
    for name, service in services().items():
        told = dict(entry.replace(":", "=").split("=", 1) for entry in service["extra_hosts"])
        assert {name: told[name] for name in named} == named, name
    shaped = dict(pair.split("=") for pair in services()["gateway"]["environment"]["SITES"].split(","))
    assert {name: shaped.get(name) for name in homes} == homes


def test_subnets_are_the_slots() -> None:
    networks = configured(SLOT)["networks"].values()
    assert sorted(network["ipam"]["config"][0]["subnet"] for network in networks) == slots.subnets(SLOT)
    assert slots.CLOUD_OCTETS == legs.CLOUDS


def test_two_slots_have_no_name_subnet_or_port_in_common() -> None:
    one, two = configured(SLOT)["services"], configured(SLOT + 1)["services"]
    assert not {s["container_name"] for s in one.values()} & {s["container_name"] for s in two.values()}
    assert not set(compose.homes(SLOT).values()) & set(compose.homes(SLOT + 1).values())
    ports = [port for service in one.values() for port in service.get("ports", [])]
    assert ports and all(port["published"] == "0" and port["host_ip"] == "127.0.0.1" for port in ports)


def test_ports_are_the_ones_that_are_listened_on() -> None:
    for node in sites.control_plane(3):
        environment = services()[node]["environment"]
        assert environment["LISTEN_ADDR"] == f"0.0.0.0:{compose.GRPC_PORT}"
        assert environment["HTTP_ADDR"] == f"0.0.0.0:{compose.HTTP_PORT}"
        assert environment["NODE_ID"] == node and environment["CLOUD"] == sites.cloud(node)
    for worker in sites.WORKERS:
        environment = services()[worker]["environment"]
        assert environment["LISTEN_ADDR"] == f"0.0.0.0:{compose.WORKER_PORT}"
        assert environment["HTTP_ADDR"] == f"0.0.0.0:{compose.HTTP_PORT}"
        assert environment["ADVERTISE_ADDR"] == f"{worker}:{compose.WORKER_PORT}"
    assert services()["minio"]["environment"]["MINIO_ENDPOINT"] == f"http://minio:{compose.STORE_PORT}"


def test_clients_are_the_users_that_the_container_routes_by() -> None:
    assert compose.CLIENT_UIDS == clients.USERS
    assert compose.OBSERVER_UID == clients.OBSERVER


def test_images_are_those_that_are_asked_for() -> None:
    assert {service["image"] for service in services().values()} == set(images.NAMES.values())
    assert images.NAMES["gateway"] == compose.GATEWAY_IMAGE


def test_the_share_of_real_time_is_the_one_that_is_tried() -> None:
    assert f"cpu_rt_runtime: {compose.REALTIME_US}" in compose.REALTIME.read_text()
    assert compose.REALTIME_US == engine.REALTIME_US


def test_what_has_a_home_has_it_in_the_cloud_that_the_nemeses_think(tmp_path: Any) -> None:
    cluster = DockerCluster(1, data_dir=tmp_path)
    for service, cloud in cluster.homes.items():
        assert list(services()[service]["networks"]) == [f"net-{cloud}"]
