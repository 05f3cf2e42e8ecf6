"""The gateway's environment: what it means, and one line for what it cannot mean."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import IPv4Address

import pytest

from compose.gateway.config import Published, SettingError, from_env
from compose.gateway.links import by_addresses, one_way_ns, site_links
from tests.compose.gateway_lab import ROOT

ENV = {
    "SITES": "cp-aws-1=10.10.3.11,cp-gcp-1=10.20.3.11,minio=10.10.3.31,cp-azure-1=10.30.3.11",
    "SUBNET": "3",
}


def test_defaults() -> None:
    config = from_env(ENV)
    assert set(config.round_trip_ms.values()) == {50.0}
    assert (config.jitter_ms, config.seed, config.backend, config.published) == (0, "0", "auto", ())
    assert str(config.socket) == "/run/gateway.sock"


def test_azure_has_a_round_trip_of_its_own_where_told_and_the_others_otherwise() -> None:
    only_cross = from_env({**ENV, "CROSS_CLOUD_LATENCY_MS": "80", "AZURE_LATENCY_MS": ""})
    assert set(only_cross.round_trip_ms.values()) == {80.0}
    both = from_env({**ENV, "CROSS_CLOUD_LATENCY_MS": "80", "AZURE_LATENCY_MS": "120.5"})
    assert both.round_trip_ms == {("aws", "gcp"): 80.0, ("aws", "azure"): 120.5, ("gcp", "azure"): 120.5}


def test_ports_lead_to_sites() -> None:
    config = from_env({**ENV, "PORTS": "9001=minio:9001, 18081=cp-gcp-1:8080"})
    assert config.published == (
        Published(9001, IPv4Address("10.10.3.31"), 9001),
        Published(18081, IPv4Address("10.20.3.11"), 8080),
    )


def test_every_ordered_pair_of_sites_in_different_clouds_is_a_link() -> None:
    config = from_env({**ENV, "AZURE_LATENCY_MS": "120"})
    links = site_links(config, one_way_ns(config))
    assert len(links) == 10
    assert ("cp-aws-1", "minio") not in links
    assert links["cp-azure-1", "minio"].shape.fate(0, 100).due_ns == 60_000_000
    assert links["cp-gcp-1", "minio"].shape.fate(0, 100).due_ns == 25_000_000
    header = IPv4Address("10.20.3.11").packed + IPv4Address("10.10.3.31").packed
    assert by_addresses(config, links)[header] is links["cp-gcp-1", "minio"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SITES": ""}, "SITES is not set: expected the sites' home addresses"),
        ({"SITES": "cp-aws-1"}, "cp-aws-1: expected name=address"),
        ({"SITES": "a=10.10.3.11,b=10.10.3.11"}, "b=10.10.3.11: expected name=address, each name and each"),
        ({"SITES": "a=10.10.3.11,a=10.10.3.12"}, "a=10.10.3.12: expected name=address, each name and each"),
        ({"SUBNET": "4"}, "10.10.3.11 is in none of the clouds' networks 10.10.4.0/24, .*; does SUBNET fit"),
        ({"SUBNET": "256"}, "SUBNET='256': expected the third octet"),
        ({"CROSS_CLOUD_LATENCY_MS": "fast"}, "CROSS_CLOUD_LATENCY_MS='fast': expected milliseconds"),
        ({"AZURE_LATENCY_MS": "-1"}, "AZURE_LATENCY_MS='-1': expected milliseconds"),
        ({"JITTER_MS": "nan"}, "JITTER_MS='nan': expected milliseconds"),
        ({"GATEWAY_BACKEND": "ebpf"}, "GATEWAY_BACKEND='ebpf': expected one of auto, tun, netem"),
        ({"PORTS": "9001"}, "9001: expected port=site:port"),
        ({"PORTS": "70000=minio:9001"}, "expected port=site:port"),
        ({"PORTS": "9001=store:9001"}, "store is not in SITES"),
    ],
)
def test_what_makes_no_sense_is_one_line_that_names_the_variable(change: dict[str, str], words: str) -> None:
    with pytest.raises(SettingError, match=words) as raised:
        from_env({**ENV, **change})
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(next(iter(change))) or "SITES" in str(raised.value)


def test_the_process_says_it_and_exits_with_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "compose.gateway"],
        env={"PATH": os.environ["PATH"], **ENV, "JITTER_MS": "much"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == ["JITTER_MS='much': expected milliseconds, 0 to 60000, such as 50"]
