"""What the gateway logs: one JSON object a line on stdout, with the fields that every node's lines have."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime


def info(msg: str, **fields: object) -> None:
    line = {
        "ts": datetime.now(UTC).isoformat(timespec="microseconds"),
        "mono_ns": time.monotonic_ns(),
        "level": "INFO",
        "node": "gateway",
        "msg": msg,
        **fields,
    }
    print(json.dumps(line), flush=True)
