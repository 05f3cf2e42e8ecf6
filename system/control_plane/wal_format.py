"""How a write-ahead log looks on disk, and how to read one back without believing too much.

Line 1 is a header, every further line one group commit (a frame):

    {"format":"crosswind-wal","version":1,"cluster":…,"node":…}
    {"frame":1,"count":2,"crc32":"0a1b2c3d","records":[…,…]}

The checksum covers the canonical encoding of `records` (compact, ASCII, keys sorted). Records are
{"type":"term","term":3,"voted_for":"x" or null}, {"type":"append","index":…,"term":…,"kind":…,"command":…}
and {"type":"truncate","from_index":…}; a command is UTF-8 text, undecodable bytes as surrogate escapes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from system.raft.log import EntryKind, LogEntry
from system.raft.records import Append, HardState, Record, Recovered, Truncate

VERSION = 1
_encode_canonical = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_RESTORE = (
    "the node will not start from less than it promised: restore its data directory from a copy of its last "
    "state, or replace it by a new voter (an emptied directory under the same id would forget votes)"
)


class WalError(Exception):
    """A log that must not be used: file, line and byte, what is wrong, what to do."""

    def __init__(
        self, path: PurePath, line: int, offset_bytes: int, problem: str, remedy: str = _RESTORE
    ) -> None:
        super().__init__(f"{path}, line {line} (byte {offset_bytes}): {problem}; {remedy}")


def encode_header(cluster: str, node: str) -> bytes:
    header = {"format": "crosswind-wal", "version": VERSION, "cluster": cluster, "node": node}
    return _compact(header) + b"\n"


def encode_frame(number: int, records: Sequence[Record]) -> bytes:
    """One group commit, its newline included."""
    body = _canonical([_record_to_json(record) for record in records])
    return b'{"frame":%d,"count":%d,"crc32":"%08x","records":%s}\n' % (
        number,
        len(records),
        zlib.crc32(body),
        body,
    )


@dataclass(frozen=True, slots=True)
class Replay:
    """What a log holds.

    frames:     how many complete ones
    good_bytes: the length up to the end of the last one; what lies beyond is a torn write
    torn:       what that looks like, in words; "" where there is nothing
    """

    recovered: Recovered
    frames: int
    good_bytes: int
    torn: str


def replay(path: PurePath, data: bytes, cluster: str, node: str) -> Replay:
    """Reads a whole log. Raises WalError for anything but a log of this node with, at most, a torn end."""
    lines = data.split(b"\n")
    tail = lines.pop()
    if not lines:
        raise WalError(path, 1, 0, "the header is missing or cut short, which no crash can cause")
    _check_header(path, lines[0], cluster, node)
    recovered = Recovered()
    offset = len(lines[0]) + 1
    for number, line in enumerate(lines[1:], start=1):
        try:
            for record in _decode_frame(line, number):
                restore(recovered, record)
        except (ValueError, IndexError) as error:
            raise WalError(
                path, number + 1, offset, f"{error} (the line is complete, so it is no torn write)"
            ) from None
        offset += len(line) + 1
    return Replay(recovered, len(lines) - 1, offset, _torn(path, tail, len(lines) + 1, offset))


def _torn(path: PurePath, tail: bytes, line: int, offset: int) -> str:
    """Describes the unterminated end of a log. Raises WalError where it cannot be a torn write."""
    if not tail:
        return ""
    if not tail.strip(b"\0"):
        return f"{len(tail)} zero bytes where a frame was being written"
    try:
        _, end = json.JSONDecoder().raw_decode(tail.decode("ascii", "replace"))
    except ValueError:
        return f"a frame cut short after {len(tail)} bytes"
    if end < len(tail):
        raise WalError(
            path, line, offset + end, "a complete frame is followed by other bytes, not by a newline"
        )
    return f"a frame of {len(tail)} bytes that lacks its newline"


def _check_header(path: PurePath, line: bytes, cluster: str, node: str) -> None:
    header = _parse_object(line)
    if header is None or header.get("format") != "crosswind-wal":
        raise WalError(path, 1, 0, "this is no crosswind-wal header")
    for key, expected in (("version", VERSION), ("cluster", cluster), ("node", node)):
        if header.get(key) != expected or type(header[key]) is not type(expected):
            remedy = "point DATA_DIR at this node's own directory"
            if key == "version":
                remedy = "start the release that wrote it"
            problem = f"this log belongs to {key} {header.get(key)!r}, expected {expected!r}"
            raise WalError(path, 1, 0, problem, remedy)


def _decode_frame(line: bytes, number: int) -> list[Record]:
    frame = _parse_object(line)
    if frame is None or frame.keys() != {"frame", "count", "crc32", "records"}:
        raise ValueError(f"expected frame {number}, found something that is no frame")
    if frame["frame"] != number:
        raise ValueError(f"expected frame {number}, found frame {frame['frame']!r}")
    records = frame["records"]
    check_sum(frame, number)
    if not isinstance(records, list) or frame["count"] != len(records):
        raise ValueError(f"frame {number} says it holds {frame['count']!r} records, but does not")
    return [_record_from_json(record) for record in records]


def check_sum(frame: dict[str, Any], number: int) -> None:
    """Raises ValueError unless the frame's records are those that its checksum was made of."""
    checksum = f"{zlib.crc32(_canonical(frame['records'])):08x}"
    if frame["crc32"] != checksum:
        raise ValueError(
            f"frame {number} fails its checksum: it says {frame['crc32']!r}, its records {checksum!r}"
        )


def restore(recovered: Recovered, record: Record) -> None:
    """Has the next record of a log take its effect. Raises ValueError, IndexError for one that cannot."""
    match record:
        case HardState():
            recovered.state = record
        case Append(entry):
            recovered.log.append(entry)
        case Truncate(from_index):
            recovered.log.truncate_from(from_index)


def _record_to_json(record: Record) -> dict[str, Any]:
    match record:
        case HardState(term, voted_for):
            return {"type": "term", "term": term, "voted_for": voted_for}
        case Append(entry):
            return {
                "type": "append",
                "index": entry.index,
                "term": entry.term,
                "kind": entry.kind.value,
                "command": entry.command.decode("utf-8", "surrogateescape"),
            }
        case Truncate(from_index):
            return {"type": "truncate", "from_index": from_index}


def _record_from_json(fields: Any) -> Record:
    match fields:
        case {"type": "term", "term": int(term), "voted_for": str() | None as voted_for}:
            return HardState(term, voted_for)
        case {
            "type": "append",
            "index": int(index),
            "term": int(term),
            "kind": str(kind),
            "command": str(command),
        }:
            text = command.encode("utf-8", "surrogateescape")
            return Append(LogEntry(index, term, EntryKind(kind), text))
        case {"type": "truncate", "from_index": int(from_index)}:
            return Truncate(from_index)
    raise ValueError(f"found a record of no known kind: {str(fields)[:80]}")


def _parse_object(line: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _canonical(value: Any) -> bytes:
    return _encode_canonical(value).encode("ascii")
