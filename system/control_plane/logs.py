"""A node's log lines: those of system/logs.py, with the term the node was in."""

from __future__ import annotations

import logging
from collections.abc import Callable

import system.logs


def configure(node: str, level: str, term: Callable[[], int | None]) -> None:
    """Sends this process's log to stdout as JSON. `term`: the node's term right now, None before recovery."""
    system.logs.configure(node, level)

    def add_term(record: logging.LogRecord) -> bool:
        if not hasattr(record, "term"):
            record.term = term()
        return True

    for handler in logging.getLogger().handlers:
        handler.addFilter(add_term)
