"""Which subnets a Docker cluster of the harness' own takes, leased so that parallel runs never meet.

Slot S is the third octet of all its networks (10.10.S.0/24 and so on) and its compose project, crosswind-S.
Slot 0 is what `make sim-up` starts: it is leased only by who attaches to it. A lease is an flock on a file,
which the kernel drops when its holder is gone: whatever containers another free slot has were left behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from system.clusters.errors import ClusterError

PROJECT = "crosswind-"
SIM = 0  # what `make sim-up` starts
SLOTS = range(1, 98)
CLOUD_OCTETS = {"aws": 10, "gcp": 20, "azure": 30}
EDGE_OCTET = 40
# Not where TMPDIR says: whoever uses this machine's engine must see them.
LOCKS = Path(f"/tmp/crosswind-slots-{os.getuid()}")


@dataclass(frozen=True, slots=True)
class Slot:
    """Ours as long as lock_fd is open."""

    number: int
    lock_fd: int

    @property
    def project(self) -> str:
        return f"{PROJECT}{self.number}" if self.number else "crosswind"

    def release(self) -> None:
        os.close(self.lock_fd)


def subnets(number: int) -> list[str]:
    return [f"10.{octet}.{number}.0/24" for octet in (*CLOUD_OCTETS.values(), EDGE_OCTET)]


def lease(taken: Collection[str]) -> Slot:
    """The first free slot none of whose subnets overlaps one `taken` by others. Raises ClusterError."""
    others = [ip_network(subnet) for subnet in taken]
    for number in SLOTS:
        own = [ip_network(subnet) for subnet in subnets(number)]
        free = not any(one.overlaps(other) for one in own for other in others)
        slot = _lock(number) if free else None
        if slot is not None:
            return slot
    raise ClusterError(f"all {len(SLOTS)} subnets for Docker clusters are taken; end other runs first")


def attach() -> Slot:
    """The slot of `make sim-up`. Raises ClusterError where another run is attached to it."""
    slot = _lock(SIM)
    if slot is None:
        raise ClusterError("another run is attached to the cluster of `make sim-up`; one at a time")
    return slot


def _lock(number: int) -> Slot | None:
    LOCKS.mkdir(exist_ok=True)
    lock_fd = os.open(LOCKS / str(number), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock_fd)
        return None
    return Slot(number, lock_fd)
