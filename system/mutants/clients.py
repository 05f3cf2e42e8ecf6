"""Bugs of sessions, and of the client."""

from __future__ import annotations

from typing import Any

from system.client import Client, Refused
from system.control_plane.replica import Replica
from system.control_plane.state_machine import Applied, StateMachine
from system.mutants.mutant import Mutant, Place, before
from system.raft.log import LogEntry
from system.raft.records import Recovered

MACHINE = "system.control_plane.state_machine:StateMachine"
REPLICA = "system.control_plane.replica:Replica"
_note_boot = before(REPLICA, "_note_boot")


def _apply_every_time(self: StateMachine, index: int, command: dict[str, Any]) -> Applied:
    if command.get("client") not in self.sessions:
        return Applied(index, "no-session", {})
    return Applied(index, "applied", self._execute(index, command))


def _boot_without_answers(self: Replica, recovered: Recovered) -> None:
    """What the sessions answered before the restart is not known after it."""
    _note_boot(self, recovered)
    machine, last_index = self.machine, recovered.log.last_index
    apply = machine.apply

    def forget(entry: LogEntry) -> Applied:
        applied = apply(entry)
        if entry.index <= last_index:
            for session in machine.sessions.values():
                session.sequence, session.result = -1, None
        return applied

    machine.apply = forget  # type: ignore[method-assign]


def _timed_out_is_failed(self: Client, said: str, node: str) -> Exception:
    return Refused(said, node)


CLIENTS = (
    Mutant(
        "R05",
        "applied-again",
        "a command that is sent again is applied again",
        ("etcd#18424", "RedisRaft#13"),
        Place(MACHINE, "_apply_once", _apply_every_time),
    ),
    Mutant(
        "R06",
        "sessions-in-memory",
        "the table of answered commands does not survive a restart",
        ("openraft#2096",),
        Place(REPLICA, "_note_boot", _boot_without_answers),
    ),
    Mutant(
        "R07",
        "timeout-is-failure",
        "the client reports a timeout as a definite failure",
        ("jepsen#596", "ZeroFS#487"),
        Place("system.client:Client", "doubtful", _timed_out_is_failed),
        only_simulated=True,
    ),
)
