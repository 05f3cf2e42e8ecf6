"""Harm: nemeses, the schedules that say when each acts, and the proof that it took effect."""

from __future__ import annotations

from difflib import get_close_matches

from nemesis.bare_majority import BareMajority
from nemesis.churn import Churn
from nemesis.clock import Clock
from nemesis.cloud import Cloud
from nemesis.corrupt import CORRUPT
from nemesis.deposed import Deposed
from nemesis.disk import Disk
from nemesis.duplicate import DUPLICATE
from nemesis.gateway import GATEWAY
from nemesis.kill import Kill
from nemesis.latency import Latency
from nemesis.loss import LOSS
from nemesis.minio import MINIO
from nemesis.nemesis import Nemesis
from nemesis.none import Peace
from nemesis.partition import Partition
from nemesis.pause import Pause
from nemesis.rate import RATE
from nemesis.reorder import REORDER
from nemesis.slow_ack import SlowAck
from nemesis.stop import Stop
from nemesis.swarm import Swarm
from nemesis.trigger import Trigger
from nemesis.workers import Workers

_ALL: tuple[Nemesis, ...] = (
    *(Peace(), Partition(), Pause(), Kill(), Stop(), Cloud(), Latency()),
    *(LOSS, DUPLICATE, REORDER, CORRUPT, RATE),
    *(Workers(), GATEWAY, MINIO),
    *(Churn(), Trigger(), SlowAck(), Deposed(), BareMajority(), Disk(), Clock(), Swarm()),
)

NEMESES: dict[str, Nemesis] = {nemesis.name: nemesis for nemesis in _ALL}


def resolve(name: str) -> Nemesis:
    """Raises LookupError, with a line that lists the names there are."""
    if name in NEMESES:
        return NEMESES[name]
    close = get_close_matches(name, NEMESES, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise LookupError(f"unknown nemesis '{name}': there are {', '.join(NEMESES)}{hint}")
