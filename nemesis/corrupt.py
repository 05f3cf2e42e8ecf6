"""Packets of which a bit flips: the checksum that should notice is the last thing between it and a log."""

from __future__ import annotations

from nemesis.packets import PacketNemesis

CORRUPT = PacketNemesis("corrupt", needed="corrupt", how="corrupt", counted="corrupted", draws=(0.1, 0.4))
