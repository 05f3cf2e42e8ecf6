"""A node's log lines: those of system/logs.py, with the term the node was in."""

from __future__ import annotations

import logging
from collections.abc import Callable

import system.logs


class ShownTerm(logging.Filter):
    """Adds `term` to every line. read: gives the node's term right now; None while there is none."""

    read: Callable[[], int] | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "term"):
            record.term = self.read() if self.read else None
        return True


def configure(node: str, level: str) -> ShownTerm:
    """Sends this process's log to stdout as JSON."""
    system.logs.configure(node, level)
    term = ShownTerm()
    for handler in logging.getLogger().handlers:
        handler.addFilter(term)
    return term
