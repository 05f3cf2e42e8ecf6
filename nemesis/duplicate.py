"""Packets that arrive twice."""

from __future__ import annotations

from nemesis.packets import PacketNemesis

DUPLICATE = PacketNemesis(
    "duplicate", needed="duplicate", how="duplicate", counted="duplicated", draws=(0.1, 0.6)
)
