"""Packets that overtake one another: TCP takes it for loss, and slows down."""

from __future__ import annotations

from nemesis.packets import PacketNemesis

REORDER = PacketNemesis("reorder", needed="reorder", how="reorder", counted="reordered", draws=(0.1, 0.6))
