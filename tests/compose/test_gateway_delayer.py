"""The loop, with a pair of sockets in a TUN device's place."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

import pytest

from compose.gateway import delayer
from compose.gateway.config import Config, from_env
from compose.gateway.delayer import Crossing, Delayer
from compose.gateway.links import Link, Pair, by_addresses, new_link, site_links
from compose.gateway.shape import NS_PER_MS
from compose.gateway.tun import flip_bit

CONFIG: Config = from_env({"SITES": "a=10.10.0.11,b=10.20.0.11"})
BASE_NS = 5 * NS_PER_MS
A, B = IPv4Address("10.10.0.11"), IPv4Address("10.20.0.11")


class Enough(Exception):
    pass


class Deadline:
    """Ends the loop when it is idle after as many packets have come back as wanted, or much too late."""

    def __init__(self, device: Device, wanted: int) -> None:
        self._device, self._wanted = device, wanted
        self._end_s = time.monotonic() + 20

    def waited_for(self) -> tuple[list[int], list[int]]:
        self._device.collect()
        if len(self._device.came) >= self._wanted or time.monotonic() > self._end_s:
            raise Enough
        return [], []

    def serve(self, readable: Sequence[int], writable: Sequence[int]) -> None:
        raise AssertionError("nothing was waited for")


class Device:
    """What the kernel would route in is sent by `kernel`; what comes out is in `came`."""

    def __init__(self) -> None:
        self.kernel, self.process = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self.kernel, self.process):
            end.setblocking(False)
        self.came: list[tuple[bytes, int]] = []
        between = {("aws", "gcp"): BASE_NS}
        self.links: dict[Pair, Link] = site_links(CONFIG, between)
        self.unknown = new_link(CONFIG, "aws->gcp", BASE_NS)

    def collect(self) -> None:
        while True:
            try:
                self.came.append((self.kernel.recv(2000), time.monotonic_ns()))
            except BlockingIOError:
                return

    def run(self, wanted: int) -> None:
        crossing = Crossing(self.process.fileno(), 1500, self.unknown)
        loop = Delayer([crossing], by_addresses(CONFIG, self.links), Deadline(self, wanted))
        with pytest.raises(Enough):
            loop.run()
        assert len(self.came) == wanted


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device()
    yield device
    device.kernel.close()
    device.process.close()


def packet(source: IPv4Address, target: IPv4Address, payload: bytes) -> bytes:
    return bytes([0x45]) + bytes(11) + source.packed + target.packed + payload


def test_packets_come_out_as_they_went_in_when_they_are_due(device: Device) -> None:
    packets = [packet(A, B, bytes([number])) for number in range(10)]
    start_ns = time.monotonic_ns()
    for one in packets:
        device.kernel.send(one)
    device.run(wanted=10)
    assert [one for one, _ in device.came] == packets
    assert all(at_ns - start_ns >= BASE_NS for _, at_ns in device.came)
    assert device.links["a", "b"].counts.packets == 10
    assert device.links["a", "b"].counts.bytes == sum(map(len, packets))
    held_ms = device.links["a", "b"].dwell.mean_ms(time.monotonic_ns())
    assert held_ms is not None
    assert held_ms >= BASE_NS / NS_PER_MS


def test_packets_of_no_known_pair_wait_as_long_and_are_counted_on_no_link(device: Device) -> None:
    start_ns = time.monotonic_ns()
    device.kernel.send(packet(IPv4Address("10.10.0.99"), B, b"x"))
    device.run(wanted=1)
    assert device.came[0][1] - start_ns >= BASE_NS
    assert device.unknown.counts.packets == 1
    assert all(link.counts.packets == 0 for link in device.links.values())


def test_what_is_not_ipv4_is_not_carried(device: Device) -> None:
    device.kernel.send(bytes([0x60]) + bytes(39))
    device.kernel.send(packet(A, B, b"x"))
    device.run(wanted=1)
    assert device.came[0][0] == packet(A, B, b"x")


def test_each_harm_is_done_to_its_link_alone_and_counted(device: Device) -> None:
    device.links["a", "b"].shape.shape({"duplicate": 1.0, "corrupt": 1.0})
    device.kernel.send(packet(A, B, b"abcdefgh"))
    device.kernel.send(packet(B, A, b"abcdefgh"))
    device.run(wanted=3)
    there = [one for one, _ in device.came if one[12:16] == A.packed]
    assert len(there) == 2
    assert all(one != packet(A, B, b"abcdefgh") for one in there)
    assert packet(B, A, b"abcdefgh") in [one for one, _ in device.came]
    counts = device.links["a", "b"].counts
    assert (counts.duplicated, counts.corrupted) == (1, 1)
    assert device.links["b", "a"].counts.corrupted == 0


def test_lost_packets_do_not_come_out(device: Device) -> None:
    device.links["a", "b"].shape.shape({"loss": 1.0})
    device.kernel.send(packet(A, B, b"x"))
    device.kernel.send(packet(B, A, b"y"))
    device.run(wanted=1)
    assert device.came[0][0] == packet(B, A, b"y")
    assert device.links["a", "b"].counts.dropped == 1


def test_memory_is_bounded(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delayer, "MOST_HELD", 4)
    for number in range(10):
        device.kernel.send(packet(A, B, bytes([number])))
    device.run(wanted=4)
    counts = device.links["a", "b"].counts
    assert (counts.packets, counts.dropped, counts.overflowed) == (10, 6, 6)


@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_one_bit_flips_behind_the_header(where: float) -> None:
    whole = bytes([0x46]) + bytes(23) + b"payload"
    flipped = flip_bit(whole, where)
    assert flipped is not None
    assert flipped[:24] == whole[:24]
    different = int.from_bytes(whole, "big") ^ int.from_bytes(flipped, "big")
    assert different.bit_count() == 1


def test_a_bare_header_cannot_be_corrupted() -> None:
    assert flip_bit(packet(A, B, b""), 0.5) is None
