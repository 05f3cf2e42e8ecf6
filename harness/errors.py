"""What people get wrong, each in one line."""

from __future__ import annotations


class PlanError(ValueError):
    """A plan that cannot be carried out; the message says what is wrong and what would be right."""


class ExecutorError(Exception):
    """Nobody to carry a sweep out; says why, and what to do."""
