"""Packets that get lost: what TCP sends again arrives late, and behind it everything else."""

from __future__ import annotations

from nemesis.packets import PacketNemesis

LOSS = PacketNemesis("loss", needed="lose", how="loss", counted="dropped", draws=(0.1, 0.5))
