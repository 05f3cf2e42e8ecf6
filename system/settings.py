"""Settings from the environment.

A parser turns a variable's text into a value, or raises ValueError, whose message says what was expected;
read() makes that a SettingError, one line that names the variable too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from system import logs

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


class SettingError(Exception):
    """One line for a person: which variable, what it was, what was expected."""


def read(env: Mapping[str, str], name: str, parse: Callable[[str], T], default: str = "") -> T:
    """An unset variable and an empty one are the same: the default. Raises SettingError."""
    text = env.get(name) or default
    try:
        return parse(text)
    except ValueError as error:
        raise SettingError(f"{name}={text!r}: {error}" if text else f"{name} is not set: {error}") from None


def name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("expected 1 to 64 letters, digits, dots, dashes or underscores")
    return text


def address(text: str) -> str:
    """ "host:port" or "[v6]:port", unchanged."""
    split_address(text)
    return text


def split_address(text: str) -> tuple[str, int]:
    """ "host:port" or "[v6]:port" → (host, port)."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError("expected host:port, such as 127.0.0.1:15051")
    return match[1].strip("[]"), int(match[2])


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise ValueError("expected a positive number of seconds, such as 5 or 0.5")
    return value


def url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL, such as http://minio:9000")
    return text


def log_level(text: str) -> str:
    if text.upper() not in logs.LEVELS:
        raise ValueError(f"expected one of {', '.join(logs.LEVELS)}")
    return text.upper()
