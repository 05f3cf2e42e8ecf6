"""Links with little room: what does not fit waits in a queue, heartbeats behind entries."""

from __future__ import annotations

from nemesis.packets import PacketNemesis

RATE = PacketNemesis("rate", needed="rate", how="rate_bytes_s", counted="queued", draws=(4_000, 30_000))
