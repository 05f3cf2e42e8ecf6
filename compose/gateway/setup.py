"""What the kernel is told, so that whatever leaves a cloud goes through a TUN device, or nowhere.

Legs are found by their subnet, never by name: engines number interfaces as they like. Everything may be done
again in the same network namespace. Fails closed: forwarding is forbidden first, but into and out of the
devices, and the address that the other containers route to (.1 of each cloud) is taken last.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from compose.gateway.commands import SetupError, run, succeeds
from compose.gateway.config import CLOUDS, Published, network
from compose.gateway.links import Pair
from compose.gateway.tun import open_tun

DEVICE = "cw"
# One routing table, and one rule at that priority, for each cloud's leg.
FIRST_TABLE = 101
# What a device keeps while this process is not scheduled.
QUEUE_PACKETS = 10_000
_PROC = Path("/proc/sys/net/ipv4")


@dataclass(frozen=True, slots=True)
class Leg:
    """The gateway's interface in one network."""

    name: str
    mtu_bytes: int
    mac: bytes


def device_name(pair: Pair) -> str:
    return f"{DEVICE}-{pair[0]}-{pair[1]}"


def find_legs(subnet: int, needed: Sequence[int]) -> dict[int, Leg]:
    """The leg of each network in `needed` (second octets). Raises SetupError where one is missing."""
    interfaces = json.loads(run(["ip", "-j", "address", "show"]))
    legs: dict[int, Leg] = {}
    for octet in needed:
        net = network(octet, subnet)
        found = next((leg for leg in interfaces if _is_in(leg, net)), None)
        if found is None:
            raise SetupError(f"no interface has an address in {net}; is the container in that network?")
        legs[octet] = Leg(found["ifname"], found["mtu"], bytes.fromhex(found["address"].replace(":", "")))
    return legs


def _is_in(interface: Mapping[str, list[Mapping[str, str]]], net: IPv4Network) -> bool:
    addresses = interface["addr_info"]
    return any(a["family"] == "inet" and IPv4Address(a["local"]) in net for a in addresses)


def forbid_forwarding(published: Sequence[Published], edge: Leg | None) -> None:
    """But for what enters or leaves a TUN device, and published ports on `edge`. Raises SetupError."""
    run(["iptables-restore", "--noflush"], stdin=firewall(published, edge))
    if edge is None:
        return
    # The engine's DNS keeps rules of its own in POSTROUTING, so it cannot be flushed as the other chains are.
    answer_here = ["POSTROUTING", "!", "-o", "lo", "-m", "conntrack", "--ctstate", "DNAT", "-j", "MASQUERADE"]
    if not succeeds(["iptables", "-t", "nat", "-C", *answer_here]):
        run(["iptables", "-t", "nat", "-A", *answer_here])


def firewall(published: Sequence[Published], edge: Leg | None) -> str:
    """The rules as iptables-restore reads them. Only who comes in by the edge leg meets a published port:
    from a cloud it would be a way past the delay."""
    lines = ["*filter", ":FORWARD DROP [0:0]", "-F FORWARD"]
    lines += [f"-A FORWARD {way} {DEVICE}-+ -j ACCEPT" for way in ("-i", "-o")]
    if edge is None:
        return "\n".join([*lines, "COMMIT", ""])
    lines += ["-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT", "COMMIT", "*nat", "-F PREROUTING"]
    lines += [
        f"-A PREROUTING -i {edge.name} -p tcp --dport {p.port} -j DNAT --to-destination {p.to}:{p.to_port}"
        for p in published
    ]
    return "\n".join([*lines, "COMMIT", ""])


def allow_routing(devices: Sequence[str]) -> None:
    """Turns forwarding on, and the check of source addresses off: what comes out of a TUN device has come in
    from another interface before. Raises SetupError where the kernel's settings are wrong and read-only."""
    _set_sysctl("ip_forward", "1", bad=("0",))
    for device in ("all", *devices):
        _set_sysctl(f"conf/{device}/rp_filter", "0", bad=("1",))


def _set_sysctl(name: str, value: str, bad: Sequence[str]) -> None:
    path = _PROC / name
    current = path.read_text(encoding="ascii").strip()
    if current == value:
        return
    try:
        path.write_text(value, encoding="ascii")
    except OSError:
        if current in bad:
            sysctl = "net.ipv4." + name.replace("/", ".")
            raise SetupError(
                f"{sysctl} is {current} and read-only here; start the container with {value}"
            ) from None


def open_devices(pairs: Sequence[Pair], mtu_bytes: int) -> dict[Pair, int]:
    """Each pair's TUN device, up, as its file descriptor. Raises SetupError."""
    try:
        tuns = {pair: open_tun(device_name(pair)) for pair in pairs}
    except OSError as error:
        raise SetupError(
            f"/dev/net/tun: {error.strerror}; the gateway needs this device (on the host: modprobe tun) "
            "and the capability NET_ADMIN"
        ) from None
    for pair in pairs:
        settings = ["mtu", str(mtu_bytes), "txqueuelen", str(QUEUE_PACKETS)]
        run(["ip", "link", "set", "dev", device_name(pair), "up", *settings])
    return tuns


def route_into_devices(legs: Mapping[str, Leg], pairs: Sequence[Pair], subnet: int) -> None:
    """What comes in by one cloud's leg for another cloud goes into the pair's device; what comes out of a
    device takes the main table, to the other leg. legs: by cloud. Raises SetupError."""
    for table, (cloud, leg) in enumerate(legs.items(), FIRST_TABLE):
        for pair in pairs:
            if cloud in pair:
                (other,) = set(pair) - {cloud}
                to = str(network(CLOUDS[other], subnet))
                run(["ip", "route", "replace", to, "dev", device_name(pair), "table", str(table)])
        priority = str(table)
        while succeeds(["ip", "rule", "del", "priority", priority]):
            pass
        run(["ip", "rule", "add", "iif", leg.name, "lookup", str(table), "priority", priority])


def take_addresses(legs: Mapping[str, Leg], subnet: int) -> None:
    """Takes .1 on each cloud's leg and tells the neighbours, who may still know an earlier gateway's hardware
    address. Raises SetupError."""
    for cloud, leg in legs.items():
        address = network(CLOUDS[cloud], subnet)[1]
        run(["ip", "address", "replace", f"{address}/24", "dev", leg.name])
        _announce(leg, address)


def _announce(leg: Leg, address: IPv4Address) -> None:
    broadcast, nobody = b"\xff" * 6, b"\0" * 6
    ethernet = broadcast + leg.mac + bytes.fromhex("0806")
    request = bytes.fromhex("0001 0800 06 04 0001") + leg.mac + address.packed + nobody + address.packed
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((leg.name, 0))
            raw.send(ethernet + request)
    except OSError as error:
        raise SetupError(f"{address} cannot be announced on {leg.name}: {error.strerror}") from None
