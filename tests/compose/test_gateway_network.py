"""The gateway as it is, between three clouds of network namespaces (see gateway_lab.py)."""

from __future__ import annotations

import signal
import statistics
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.compose.gateway_lab import DEADLINE_S, EDGE_ADDRESS, SITES, Lab, missing, until
from tests.required import lacking

AWS, GCP, AZURE = SITES

ANSWER_ONCE = """
import socket
with socket.create_server(("", 8080)) as server:
    connection, (peer, _) = server.accept()
    connection.sendall(peer.encode())
    connection.close()
"""
READ_ALL = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as connection:
    print(connection.makefile().read(), end="")
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if reason := missing():
        lacking("netns", "network namespaces", reason)
    with Lab(tmp_path_factory.mktemp("gateway"), PORTS=f"18080={AWS}:8080", AZURE_LATENCY_MS="80") as lab:
        yield lab


@pytest.fixture(autouse=True)
def calm(lab: Lab) -> Iterator[None]:
    yield
    lab.ask("clear")


def median_ms(answers: list[tuple[int, float]]) -> float:
    return statistics.median(ms for _, ms in answers)


def test_the_log_and_the_status_say_how_it_works(lab: Lab) -> None:
    status = lab.ask("status")
    assert status["backend"] in ("tun", "netem")
    assert status["scheduling"] in ("fifo", "nice", "normal")
    assert status["latency_ms"] == {"aws-gcp": 50.0, "aws-azure": 80.0, "gcp-azure": 80.0}
    assert lab.started["msg"] == "Gateway ready"
    assert lab.started | status == lab.started


@pytest.mark.parametrize(
    ("source", "target", "round_trip_ms"), [(AWS, GCP, 50), (GCP, AZURE, 80), (AZURE, AWS, 80)]
)
def test_round_trips_between_clouds(lab: Lab, source: str, target: str, round_trip_ms: float) -> None:
    answers = lab.ping(source, target)
    assert [sequence for sequence, _ in answers] == list(range(20))
    assert min(ms for _, ms in answers) >= round_trip_ms
    assert median_ms(answers) < round_trip_ms + 15


def test_every_packet_is_counted_on_its_link(lab: Lab) -> None:
    before = lab.counts(AWS, AZURE), lab.counts(AZURE, AWS)
    lab.ping(AWS, AZURE, count=7)
    for link, then in (((AWS, AZURE), before[0]), ((AZURE, AWS), before[1])):
        now = lab.counts(*link)
        assert now["packets"] - then["packets"] == 7
        assert now["bytes"] - then["bytes"] == 7 * (20 + 8 + 48)
        assert now["dropped"] == then["dropped"]
        if lab.ask("status")["backend"] == "tun":
            assert now["dwell_ms"] >= 40


def test_a_loss_of_1_cuts_one_way_only_is_counted_and_heals(lab: Lab) -> None:
    before = lab.counts(AWS, GCP), lab.counts(GCP, AWS)
    lab.ask("shape", links=[[AWS, GCP]], how={"loss": 1.0})
    assert lab.ping(AWS, GCP, count=5, timeout_s=0.3) == []
    assert lab.ping(GCP, AWS, count=5, timeout_s=0.3) == []
    there, back = lab.counts(AWS, GCP), lab.counts(GCP, AWS)
    # Five requests one way and five answers to requests the other way: the requests of gcp did arrive.
    assert there["dropped"] - before[0]["dropped"] == there["packets"] - before[0]["packets"] == 10
    assert back["packets"] - before[1]["packets"] == 5
    assert back["dropped"] == before[1]["dropped"]
    assert len(lab.ping(AWS, AZURE, count=5)) == 5
    lab.ask("unshape", links=[[AWS, GCP]], which=["loss"])
    assert len(lab.ping(AWS, GCP, count=5)) == 5


def test_delay_duplicates_and_corruption_are_real(lab: Lab) -> None:
    before = lab.counts(AWS, GCP)
    lab.ask("shape", links=[[AWS, GCP]], how={"delay_ms": 60})
    assert 110 <= median_ms(lab.ping(AWS, GCP)) < 125
    lab.ask("unshape", links=[[AWS, GCP]], which=["delay_ms"])

    lab.ask("shape", links=[[AWS, GCP]], how={"duplicate": 1.0})
    sequences = [sequence for sequence, _ in lab.ping(AWS, GCP, count=6)]
    # The last request's second answer may come when nobody listens any more.
    assert sequences[:11] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    lab.ask("unshape", links=[[AWS, GCP]], which=["duplicate"])

    lab.ask("shape", links=[[AWS, GCP]], how={"corrupt": 1.0})
    assert lab.ping(AWS, GCP, count=6, timeout_s=0.3) == []
    counts = lab.counts(AWS, GCP)
    assert counts["duplicated"] - before["duplicated"] == 6
    assert counts["corrupted"] - before["corrupted"] == 6
    assert counts["dropped"] == before["dropped"]


def test_reordering_is_real(lab: Lab) -> None:
    before = lab.counts(AWS, GCP)
    lab.ask("shape", links=[[AWS, GCP]], how={"reorder": 0.5})
    sequences = [sequence for sequence, _ in lab.ping(AWS, GCP, count=100, interval_s=0.002)]
    assert sorted(sequences) == list(range(100))
    assert any(a > b for a, b in pairwise(sequences))
    assert lab.counts(AWS, GCP)["reordered"] > before["reordered"]


def test_the_rate_is_held(lab: Lab) -> None:
    before = lab.counts(AWS, GCP)
    lab.ask("shape", links=[[AWS, GCP]], how={"rate_bytes_s": 7600})
    # Packets of 76 bytes take 10 ms each, and come all at once.
    answers = lab.ping(AWS, GCP, count=50, interval_s=0.0005)
    assert len(answers) == 50
    assert answers[-1][1] - answers[0][1] >= 0.6 * 49 * 10
    assert lab.counts(AWS, GCP)["queued"] - before["queued"] >= 45


def test_published_ports_lead_in_by_the_edge_at_once(lab: Lab) -> None:
    server = lab.spawn(AWS, [sys.executable, "-c", ANSWER_ONCE])
    listening = f":{8080:04X}"
    until(lambda: listening in lab.run(AWS, ["cat", "/proc/net/tcp"]), "the server listens")
    seen_from = lab.run("edge", [sys.executable, "-c", READ_ALL, EDGE_ADDRESS, "18080"])
    assert seen_from == SITES[AWS].replace(".11", ".2")
    assert server.wait(DEADLINE_S) == 0


def test_published_ports_are_no_way_past_the_delay(lab: Lab) -> None:
    server = lab.spawn(AWS, [sys.executable, "-c", ANSWER_ONCE])
    until(lambda: f":{8080:04X}" in lab.run(AWS, ["cat", "/proc/net/tcp"]), "the server listens")
    for address in (EDGE_ADDRESS, SITES[GCP].replace(".11", ".1")):
        assert lab.run(GCP, [sys.executable, "-c", READ_ALL, address, "18080"], check=False) == ""
    server.kill()


def test_with_the_process_stopped_nothing_crosses(lab: Lab) -> None:
    lab.signal_gateway(signal.SIGSTOP)
    try:
        assert lab.ping(AWS, GCP, count=5, timeout_s=0.5) == []
    finally:
        lab.signal_gateway(signal.SIGCONT)
    assert len(lab.ping(AWS, GCP, count=5)) == 5


def test_killed_it_lets_nothing_cross_and_started_again_it_heals(lab: Lab) -> None:
    assert lab.gateway is not None
    lab.ask("shape", links=[[AWS, GCP]], how={"loss": 1.0})
    lab.signal_gateway(signal.SIGKILL)
    lab.gateway.wait(DEADLINE_S)
    assert lab.ping(AWS, GCP, count=5, timeout_s=0.5) == []
    rules = lab.run("gateway", ["iptables-save"]), lab.run("gateway", ["ip", "rule"])
    lab.start_gateway()
    assert len(lab.ping(AWS, GCP, count=5)) == 5
    again = lab.run("gateway", ["iptables-save"]), lab.run("gateway", ["ip", "rule"])
    assert [len(text.splitlines()) for text in again] == [len(text.splitlines()) for text in rules]


def test_told_to_end_it_ends_at_once_and_nothing_crosses(lab: Lab) -> None:
    assert lab.gateway is not None
    lab.signal_gateway(signal.SIGTERM)
    assert lab.gateway.wait(5) == 0
    assert lab.ping(AWS, GCP, count=3, timeout_s=0.3) == []
    lab.start_gateway()
    assert len(lab.ping(AWS, GCP, count=3)) == 3
