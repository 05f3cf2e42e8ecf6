"""What the kernel is told: the firewall's text, and which backend is taken by what `tc` says."""

from __future__ import annotations

import os
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from compose.gateway import netem, setup
from compose.gateway.commands import SetupError
from compose.gateway.config import Published
from tests.pretended import pretend

EDGE = setup.Leg("eth3", 1500, bytes(6))
DELAYS_NS = {"cw-aws-gcp": 25_000_000, "cw-aws-azure": 40_500_000}


def test_without_published_ports_only_the_devices_forward() -> None:
    assert setup.firewall((), None).splitlines() == [
        "*filter",
        ":FORWARD DROP [0:0]",
        "-F FORWARD",
        "-A FORWARD -i cw-+ -j ACCEPT",
        "-A FORWARD -o cw-+ -j ACCEPT",
        "COMMIT",
    ]


def test_published_ports_are_open_to_the_edge_leg_alone() -> None:
    rules = setup.firewall([Published(9001, IPv4Address("10.10.0.31"), 9000)], EDGE).splitlines()
    assert rules[rules.index("*nat") :] == [
        "*nat",
        "-F PREROUTING",
        "-A PREROUTING -i eth3 -p tcp --dport 9001 -j DNAT --to-destination 10.10.0.31:9000",
        "COMMIT",
    ]


def test_device_names_fit_the_kernel() -> None:
    assert all(len(setup.device_name(pair)) <= 15 for pair in [("aws", "azure"), ("gcp", "azure")])


@pytest.fixture
def tc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `tc` that writes its arguments to the file returned, and fails where there is a file `no-netem`."""
    script = (
        f'echo "$@" >> {tmp_path}/calls\n'
        f'[ ! -e {tmp_path}/no-netem ] || {{ echo "Error: Specified qdisc kind is unknown." >&2; exit 2; }}'
    )
    pretend(tmp_path, "tc", script)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "calls"


@pytest.mark.parametrize("backend", ["auto", "netem"])
def test_netem_delays_each_device_by_its_one_way_latency(tc: Path, backend: str) -> None:
    assert netem.choose(backend, DELAYS_NS) == "netem"
    assert tc.read_text().splitlines() == [
        "qdisc replace dev cw-aws-gcp root netem delay 25000us limit 100000",
        "qdisc replace dev cw-aws-azure root netem delay 40500us limit 100000",
    ]


def test_where_the_kernel_has_no_netem_the_process_delays(tc: Path) -> None:
    tc.with_name("no-netem").touch()
    assert netem.choose("auto", DELAYS_NS) == "tun"
    with pytest.raises(SetupError, match=r"`tc qdisc .*` failed: Error: Specified qdisc kind is unknown"):
        netem.choose("netem", DELAYS_NS)


def test_tun_asks_for_no_netem(tc: Path) -> None:
    assert netem.choose("tun", DELAYS_NS) == "tun"
    assert not tc.exists()


def test_where_there_is_no_tc_the_process_delays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert netem.choose("auto", DELAYS_NS) == "tun"
    with pytest.raises(SetupError, match="tc cannot be run: No such file or directory"):
        netem.choose("netem", DELAYS_NS)
