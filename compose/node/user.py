"""Giving root up."""

from __future__ import annotations

import os


def become(user_id: int) -> None:
    """For good, and with it every capability."""
    os.setgroups([])
    os.setresgid(user_id, user_id, user_id)
    os.setresuid(user_id, user_id, user_id)
