"""The event log is what docs/event-log.md says it is."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import system
from system.control_plane.events import EventFile

DOCUMENT = Path(system.__file__).parent.parent / "docs" / "event-log.md"


def documented() -> tuple[list[str], dict[str, list[str]]]:
    """(fields of every event, {kind: its further fields}), from the document's tables."""
    common: list[str] = []
    kinds: dict[str, list[str]] = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([^`]*)`", cells[0])
        if line.startswith("| `") and len(cells) == 2:
            common += names
        elif line.startswith("| `") and len(cells) == 3:
            outside_parentheses = re.sub(r"\([^)]*\)", "", cells[1])
            kinds[names[0]] = " ".join(re.findall(r"`([a-z_ ]*)`", outside_parentheses)).split()
    return common, kinds


def check_against_document(events: list[dict[str, Any]], node: str, boot: int) -> None:
    """Holds one boot's file to the document: fields, order, gapless sequence."""
    common, kinds = documented()
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[0]["event"] == "boot"
    times = [event["time_ns"] for event in events]
    assert times == sorted(times)
    for event in events:
        assert (event["v"], event["node"], event["boot"]) == (1, node, boot)
        optional = {"recovered"} if event["event"] == "append" else set()
        assert event.keys() - set(common) - optional == set(kinds[event["event"]]), event


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_document_was_understood() -> None:
    common, kinds = documented()
    assert common == ["v", "node", "boot", "seq", "time_ns", "event"]
    assert list(kinds) == ["boot", "term", "vote", "role", "append", "truncate", "commit", "apply"]
    assert (kinds["vote"], kinds["append"]) == (["term", "for"], ["entries"])


def test_a_file_a_boot_and_nothing_before_flush(tmp_path: Path) -> None:
    for boot in (1, 2, 3):
        events = EventFile(tmp_path, cluster="c", node="n", now_ns=iter(range(100, 200)).__next__)
        assert events.boot == boot
        path = tmp_path / f"events-000{boot}.jsonl"
        boot_fields = dict.fromkeys(("term", "base_index", "base_term", "last_index", "last_term"), 0)
        events.write("boot", voted_for=None, **boot_fields)
        events.write("vote", **{"term": 3, "for": "n"})
        assert path.read_text() == ""
        events.flush()
        events.write("truncate", from_index=7)
        assert len(read(path)) == 2
        events.close()
        check_against_document(read(path), "n", boot)
        assert [event["time_ns"] for event in read(path)] == [100, 101, 102]
        assert read(path)[0]["cluster"] == "c"


def test_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        EventFile(tmp_path / "gone", cluster="c", node="n")


def test_undecodable_commands_are_written_as_surrogate_escapes(tmp_path: Path) -> None:
    events = EventFile(tmp_path, cluster="c", node="n")
    events.write("apply", command=b"\xff\xe2\x82\xac".decode("utf-8", "surrogateescape"))
    events.close()
    written = read(tmp_path / "events-0001.jsonl")[0]["command"]
    assert written.encode("utf-8", "surrogateescape") == b"\xff\xe2\x82\xac"


def test_a_short_write_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = EventFile(tmp_path, cluster="c", node="n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data[:7])))
    file.write("term", term=1)
    file.write("term", term=2)
    file.close()
    lines = (tmp_path / "events-0001.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [0, 1]
