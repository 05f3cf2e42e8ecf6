"""The cluster's variables, as Docker Compose sees them: the environment first, then compose/.env."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from compose.engine import ROOT

ENV_FILE = ROOT / "compose" / ".env"
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def parse_env(text: str) -> dict[str, str]:
    """{name: value} of a file of NAME=value lines."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = None if line.lstrip().startswith("#") else _ASSIGNMENT.fullmatch(line)
        if match:
            value = match[2]
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            found[match[1]] = value[1:-1] if quoted else re.split(r"\s#", value)[0].strip()
    return found


def settings() -> Mapping[str, str]:
    """Empty values are left out: they mean the default."""
    from_file = parse_env(ENV_FILE.read_text(encoding="utf-8")) if ENV_FILE.exists() else {}
    return {name: value for name, value in {**from_file, **os.environ}.items() if value}
