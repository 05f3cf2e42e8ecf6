"""Blocks of addresses: parallel runs never meet, strangers are passed over, nothing stays leased."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from system.clusters import addresses, sites
from system.clusters.addresses import Lease, lease, listen, plan
from system.clusters.errors import ClusterError

NODES = [*sites.control_plane(5), *sites.WORKERS]
DIALS = sites.dials(sites.control_plane(5), sites.WORKERS)


@pytest.fixture(autouse=True)
def own_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of this test only, where no cluster that runs meanwhile listens."""
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(addresses, "NETWORK", f"127.{100 + os.getpid() % 100}")


def release(taken: Lease) -> None:
    for listener in taken.listeners.values():
        listener.close()
    os.close(taken.lock_fd)


def test_two_leases_share_no_address_and_a_released_block_is_free_again() -> None:
    first, second = lease(NODES, DIALS), lease(NODES, DIALS)
    assert first.number != second.number
    used = [{*x.book.grpc.values(), *x.book.http.values(), *x.book.links.values()} for x in (first, second)]
    assert not used[0] & used[1]
    release(first)
    again = lease(NODES, DIALS)
    assert again.number == first.number
    release(again)
    release(second)


def test_a_block_with_a_strangers_port_is_passed_over() -> None:
    first = lease(NODES, DIALS)
    node_address = first.book.grpc[NODES[3]]
    release(first)
    with listen(node_address):
        second = lease(NODES, DIALS)
    assert second.number == first.number + 1
    release(second)


def test_no_free_block_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "BLOCKS", 2)
    first, second = lease(NODES, DIALS), lease(NODES, DIALS)
    with pytest.raises(ClusterError, match=r"no block .* is free: all 2 are leased \(locks in .*; end other"):
        lease(NODES, DIALS)
    host, port = second.book.grpc[NODES[0]]
    release(second)
    taken = f"{host}:{port}: Address already in use"
    with listen((host, port)), pytest.raises(ClusterError, match=taken) as error:
        lease(NODES, DIALS)
    assert "\n" not in str(error.value)
    release(first)


@pytest.mark.parametrize("one_address", [False, True])
def test_no_two_blocks_share_a_store_s_ports(one_address: bool) -> None:
    """Nor does anything else listen on them: it insists on having them on every address."""
    services = sites.dials(sites.control_plane(5), sites.WORKERS, ["minio"])
    ports: list[int] = []
    others: list[int] = []
    for number in range(addresses.BLOCKS):
        book = plan(number, NODES, services, ["minio"], one_address=one_address)
        (host, port), others_here = book.grpc.pop("minio"), [*book.grpc.values(), *book.links.values()]
        assert host not in [other for other, _ in others_here] or one_address
        assert port == addresses.store_ports(number)[-1]
        ports += addresses.store_ports(number)
        if number < 64:  # of one address, blocks beyond hold ports that no system gives out
            others += [other for _, other in others_here]
    assert len(set(ports)) == len(ports)
    assert not set(ports) & set(others)
    assert all(1024 < port < 32768 for port in ports)


@pytest.mark.parametrize("one_address", [False, True])
def test_every_listener_has_an_address_of_its_own_below_the_ephemeral_range(one_address: bool) -> None:
    seen: list[tuple[str, int]] = []
    for number in (0, 1, 127):
        book = plan(number, NODES, DIALS, one_address=one_address)
        assert set(book.links) == set(DIALS)
        seen += [*book.grpc.values(), *book.http.values(), *book.links.values()]
    assert len(set(seen)) == len(seen)
    assert all(1024 < port < 32768 for _, port in seen)
    if not one_address:
        book = plan(7, NODES, DIALS, one_address=False)
        assert book.grpc["cp-aws-1"] == (f"{addresses.NETWORK}.7.1", 15051)
        assert book.http["cp-aws-1"] == (f"{addresses.NETWORK}.7.1", 18080)


def test_where_other_loopback_addresses_cannot_be_bound_ports_of_one_are_leased(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "_can_bind", lambda host: False)
    first, second = lease(NODES, DIALS), lease(NODES, DIALS)
    hosts = {host for host, _ in (*first.book.grpc.values(), *first.book.links.values())}
    assert hosts == {"127.0.0.1"}
    assert not set(first.book.links.values()) & set(second.book.links.values())
    release(first)
    release(second)
