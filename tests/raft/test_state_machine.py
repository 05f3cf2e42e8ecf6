from __future__ import annotations

import json
from typing import Any

import pytest

from system.control_plane.state_machine import Applied, StateMachine
from system.raft.log import EntryKind, LogEntry


class Applier:
    """Applies commands at index 1, 2, …"""

    def __init__(self) -> None:
        self.machine = StateMachine()
        self.index = 0

    def raw(self, command: bytes, kind: EntryKind = EntryKind.COMMAND) -> Applied:
        self.index += 1
        return self.machine.apply(LogEntry(self.index, 1, kind, command))

    def command(self, **fields: Any) -> Applied:
        return self.raw(json.dumps(fields).encode())

    def session(self, client: str) -> Applied:
        return self.raw(json.dumps({"client": client}).encode(), EntryKind.SESSION)


def test_lists_and_registers() -> None:
    it = Applier()
    it.session("c")
    assert it.command(client="c", seq=0, op="append", key="k", value="a") == Applied(
        2, "applied", {"index": 2}
    )
    it.command(client="c", seq=1, op="append", key="k", value="b")
    assert it.machine.lists == {"k": ["a", "b"]}
    swapped = it.command(client="c", seq=2, op="cas", key="r", expected=None, value="1")
    assert swapped.result == {"index": 4, "swapped": True}
    assert (
        it.command(client="c", seq=3, op="cas", key="r", expected=None, value="2").result["swapped"] is False
    )
    assert it.command(client="c", seq=4, op="cas", key="r", expected="1", value="3").result["swapped"] is True
    assert it.command(client="c", seq=5, op="put", key="r", value="4").result == {"index": 7}
    assert it.machine.registers == {"r": "4"}


def test_a_retry_gets_the_first_answer_and_changes_nothing() -> None:
    it = Applier()
    it.session("c")
    first = it.command(client="c", seq=7, op="cas", key="r", expected=None, value="1")
    again = it.command(client="c", seq=7, op="cas", key="r", expected=None, value="1")
    assert again == Applied(3, "duplicate", first.result)
    assert first.result == {"index": 2, "swapped": True}


def test_a_lower_sequence_is_refused_for_good() -> None:
    it = Applier()
    it.session("c")
    it.command(client="c", seq=7, op="append", key="k", value="a")
    for _ in range(2):
        assert it.command(client="c", seq=6, op="append", key="k", value="b") == Applied(
            it.index, "stale", {}
        )
    assert it.machine.lists == {"k": ["a"]}


def test_sessions() -> None:
    it = Applier()
    assert it.command(client="c", seq=1, op="append", key="k", value="a").outcome == "no-session"
    assert it.session("c") == Applied(2, "applied", {"index": 2})
    it.command(client="c", seq=5, op="append", key="k", value="a")
    # Opening it again does not forget what it has done.
    assert it.session("c") == Applied(4, "duplicate", {"index": 2})
    assert it.command(client="c", seq=5, op="append", key="k", value="a").outcome == "duplicate"
    assert it.command(client="d", seq=6, op="append", key="k", value="a").outcome == "no-session"


def test_workers_register_as_often_as_they_like() -> None:
    it = Applier()
    for address in ("1:1", "2:2"):
        applied = it.command(op="register_worker", worker="w", address=address, cloud="aws")
        assert applied == Applied(it.index, "applied", {"index": it.index})
    assert it.machine.workers == {"w": {"address": "2:2", "cloud": "aws"}}


@pytest.mark.parametrize(
    "command",
    [
        b"",
        b"\xff",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"client":"c","seq":true,"op":"put","key":"k","value":"v"}',
        b'{"client":"c","seq":-1,"op":"put","key":"k","value":"v"}',
        b'{"client":"c","seq":1,"op":"put","key":"k","value":1}',
        b'{"client":"c","seq":1,"op":"put","key":null,"value":"v"}',
        b'{"client":"c","seq":1,"op":"drop","key":"k","value":"v"}',
        b'{"client":"c","seq":1,"op":"cas","key":"k","value":"v","expected":1}',
        b'{"client":["c"],"seq":1,"op":"put","key":"k","value":"v"}',
        b'{"op":"register_worker","worker":"w"}',
    ],
)
def test_malformed_commands_change_nothing(command: bytes) -> None:
    it = Applier()
    it.session("c")
    assert it.raw(command) == Applied(2, "malformed", {})
    assert (it.machine.lists, it.machine.registers, it.machine.workers) == ({}, {}, {})
    assert it.command(client="c", seq=0, op="put", key="k", value="v").outcome == "applied"


@pytest.mark.parametrize("kind", [EntryKind.NO_OP, EntryKind.CONFIG])
def test_entries_that_are_no_command(kind: EntryKind) -> None:
    assert Applier().raw(b"", kind) == Applied(1, "none", {})
