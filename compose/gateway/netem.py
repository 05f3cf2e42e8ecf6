"""The kernel's own delay, where it has netem: packets then wait for the base latency in the queue in front of
each TUN device, and this process adds only what is asked for at run time."""

from __future__ import annotations

from collections.abc import Mapping

from compose.gateway.commands import SetupError, run

# More packets than can be in flight between two clouds: netem drops beyond its limit, uncounted.
LIMIT_PACKETS = 100_000


def choose(backend: str, one_way_ns: Mapping[str, int]) -> str:
    """ "netem", and then it is in force, or "tun", by what is wanted ("auto" too) and what the kernel has.
    one_way_ns: by device. Raises SetupError where netem is wanted and there is none."""
    if backend == "tun":
        return "tun"
    try:
        for device, delay_ns in one_way_ns.items():
            run(command(device, delay_ns))
    except SetupError:
        if backend == "netem":
            raise
        return "tun"
    return "netem"


def command(device: str, one_way_ns: int) -> list[str]:
    netem = ["netem", "delay", f"{one_way_ns // 1000}us", "limit", str(LIMIT_PACKETS)]
    return ["tc", "qdisc", "replace", "dev", device, "root", *netem]
