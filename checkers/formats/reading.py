"""A history from whatever file or folder holds it: its format is found by the content, or given by name."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkers.formats.columns import read_columns
from checkers.formats.edn import place
from checkers.formats.etcd_log import is_etcd_log, read_etcd_log
from checkers.formats.jepsen import read_edn, read_json
from checkers.formats.jsonl import read_text
from checkers.history import History, HistoryError

# A text takes some ten times its size once it is operations; more than this is kept as a run's columns.
MAX_BYTES = 500_000_000
_GZIP = b"\x1f\x8b"
_BEFORE_ANYTHING = re.compile(r"(?:\s++|,|;[^\n]*+)*+")
_EDN = re.compile(r"[{\[(]|#[A-Za-z_:{]")
_JSON_OBJECT = re.compile(r'\s*(?:\[\s*)?\{\s*"(?:[^"\\]|\\.)*+"\s*:')


@dataclass(frozen=True, slots=True)
class Format:
    """A way to keep a history; `read` takes a file's text and its path, for messages."""

    name: str
    summary: str
    read: Callable[[str, Path], History]


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("json-lines", "our own: one operation a line, as in a run's history.jsonl", read_text),
        Format("jepsen-json", "Jepsen's op maps as JSON: one array, or one a line", read_json),
        Format("edn", "Jepsen's op maps as EDN: history.edn of a Jepsen run, Porcupine's kv logs", read_edn),
        Format("etcd-log", "log lines INFO jepsen.util - PROCESS :TYPE :F VALUE", read_etcd_log),
    )
}
# What a folder may hold its history in, best first.
_IN_FOLDERS = ("history.jsonl", "history.edn", "history.json")


def read_history(path: Path | str, format: str | None = None) -> History:
    """The history of a file (gzipped or not), of a run's directory or its columns, or of a Jepsen run's.

    format: a name in FORMATS; None: found by the content
    Raises HistoryError, with line and column where there are such: a missing, empty, torn or foreign file,
    or operations that contradict each other. Never anything else, whatever the file holds.
    """
    path = Path(path)
    if format is not None and format not in FORMATS:
        raise HistoryError(f"no format {format!r}; expected one of {', '.join(FORMATS)}")
    try:
        if path.is_dir():
            return _read_folder(path, format)
        text = _text(path)
        return _format_of(text, path, format).read(text, path)
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror or error}") from None
    except RecursionError:
        raise HistoryError(f"{path}: values nested too deep") from None
    except MemoryError:
        raise HistoryError(f"{path}: larger than this machine's memory") from None


def _read_folder(path: Path, format: str | None) -> History:
    if format is None and (path / "columns.json").is_file():
        return History(read_columns(path))
    if format is None and (path / "columns" / "columns.json").is_file():
        return History(read_columns(path / "columns"), facts=_facts(path / "run.json"))
    for name in _IN_FOLDERS:
        if (path / name).is_file():
            return read_history(path / name, format)
    raise HistoryError(f"{path}: a folder without a history; expected columns/ or {', '.join(_IN_FOLDERS)}")


def _facts(path: Path) -> dict[str, Any]:
    """What a run says of itself; nothing where its record is missing or torn."""
    try:
        facts = json.loads(path.read_bytes()).get("facts")
    except (OSError, ValueError, AttributeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _text(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if raw.startswith(_GZIP):
        try:
            with gzip.open(path) as file:
                raw = file.read(MAX_BYTES + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise HistoryError(f"{path}: not a whole gzip file ({error})") from None
    if len(raw) > MAX_BYTES:
        raise HistoryError(f"{path}: more than {MAX_BYTES} bytes; such a history is kept as columns")
    if not raw:
        raise HistoryError(f"{path}: an empty file")
    return _decoded(raw, path)


def _decoded(raw: bytes, path: Path) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise HistoryError(f"{path}: text in UTF-16; expected UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # What came before is text, so line and column can be told.
        before = raw[: error.start].decode("utf-8-sig")
        raise HistoryError(f"{place(path, before, len(before))}: not text in UTF-8") from None
    if (nul := text.find("\0")) >= 0:
        raise HistoryError(f"{place(path, text, nul)}: not a text file: it holds NUL characters")
    if text.isspace():
        raise HistoryError(f"{path}: nothing but white space")
    return text


def _format_of(text: str, path: Path, format: str | None) -> Format:
    if format is not None:
        return FORMATS[format]
    if _JSON_OBJECT.match(text):
        first_line = text.lstrip().partition("\n")[0]
        return FORMATS["json-lines" if '"time_ns"' in first_line and text[0] != "[" else "jepsen-json"]
    begins = _BEFORE_ANYTHING.match(text)
    if _EDN.match(text, begins.end() if begins else 0):
        return FORMATS["edn"]
    if is_etcd_log(text):
        return FORMATS["etcd-log"]
    raise HistoryError(f"{path}: not a history in a known format ({', '.join(FORMATS)}), nor a run's folder")
