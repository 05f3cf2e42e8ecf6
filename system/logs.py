"""What a process logs: one JSON object a line on stdout.

Fields of every line: ts (wall clock, UTC, ISO 8601), mono_ns (CLOCK_MONOTONIC, which orders the lines of
one machine), level, node, what the process says of itself in every line (such as a node's term), msg, what
the caller gave in `extra` (such as index), and traceback, where there is one.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

# Everything a record carries by itself; the rest came from `extra`.
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats records as the JSON lines above. context: further fields of every line, asked for each time."""

    def __init__(self, node: str, context: Callable[[], Mapping[str, object]] = dict) -> None:
        super().__init__()
        self._node = node
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "mono_ns": time.monotonic_ns(),
            "level": record.levelname,
            "node": self._node,
            **self._context(),
            "msg": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(node: str, level: str, context: Callable[[], Mapping[str, object]] = dict) -> None:
    """Sends the process's log to stdout. `level` (one of LEVELS) is for our own loggers; libraries speak
    from WARNING up, since at DEBUG they drown everything else."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(node, context))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("system").setLevel(level)
