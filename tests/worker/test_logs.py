"""The JSON log lines every process of the system writes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import datetime
from typing import Any

from system.logs import JsonFormatter
from tests.worker.support import REPOSITORY


def _line(record: logging.LogRecord, **context: object) -> dict[str, Any]:
    text = JsonFormatter("cp-aws-1", lambda: context).format(record)
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_a_line_carries_both_clocks_the_node_and_further_fields() -> None:
    record = logging.makeLogRecord({"msg": "took %d\nlines", "args": (2,), "levelname": "INFO", "index": 9})
    line = _line(record, term=3)
    assert datetime.fromisoformat(line.pop("ts")).tzinfo is not None
    assert line.pop("mono_ns") > 0
    assert line == {"level": "INFO", "node": "cp-aws-1", "term": 3, "msg": "took 2\nlines", "index": 9}


def test_a_traceback_and_what_json_does_not_know_stay_on_the_line() -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        line = _line(logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info(), "path": REPOSITORY}))
    assert "ValueError: odd" in line["traceback"]
    assert line["path"] == str(REPOSITORY)


def test_the_level_is_for_our_own_loggers() -> None:
    code = """
import logging
from system import logs
logs.configure("n", "DEBUG")
logging.getLogger("system.worker").debug("ours")
logging.getLogger("botocore").info("theirs")
logging.getLogger("botocore").warning("their warning")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert [json.loads(line)["msg"] for line in done.stdout.splitlines()] == ["ours", "their warning"]
    assert done.stderr == ""
