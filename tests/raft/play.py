"""Plays: golden transcripts of a cluster, one stage direction at a time.

A play is a text file of scenes. A scene is comments (#), stage directions, `----`, and what happens, up to
an empty line. Nothing moves by itself: no timer fires, no message arrives, no disk syncs unless directed.

  cluster a b c          the voters; all of them start from empty disks
  batch 1                at most so many entries a message from now on (before the cluster; 3 otherwise)
  disk a term=2 vote=b log=1,1,2   stops a and starts it from a disk with this term, vote and entries' terms
  expire a               a's timer is due: the clock moves there
  wait 200               the clock moves by so many ms; no timer fires
  sync [a b]             disks (all of them, or these) sync what was written
  deliver [a->b ->c]     messages on the wire arrive (all of them, or those on these ways), one by one
  deliver_first a->b     only the oldest of them
  drop [a->b]            messages on the wire are lost
  double [a->b]          messages on the wire arrive twice
  copy [a->b] | replay   copies of messages on the wire are kept; the copies are put on the wire
  reverse                messages on the wire arrive in the opposite order
  settle                 sync and deliver until nothing moves; only headlines are told
  cut a b | mend         no messages between a and b, or a and all others (cut a); all links work again
  crash a | restart a    unsynced writes are lost; back from what was synced
  session a c1           a client asks a to open session c1
  append a c1/1 k v      command 1 of session c1: append v to list k; put and cas (a c1/1 k expected v) alike
  read a k               a linearizable read of list k
  show                   what every node knows
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from system.control_plane.replica import Applied, Lost, NotLeader, ReadDone, Replica
from system.raft.log import EntryKind, Log, LogEntry
from system.raft.messages import AppendEntries, AppendEntriesReply, Message, RequestVote, RequestVoteReply
from system.raft.node import RaftConfig
from system.raft.records import Append, HardState, Record
from tests.raft.stage import MS, Actor

ELECTION_TIMEOUT_NS = 400 * MS


def perform(script: str, replica_class: type[Replica] = Replica) -> str:
    """Returns the script with what really happens after each `----`."""
    stage = PlayStage(replica_class)
    scenes: list[str] = []
    for scene in script.strip().split("\n\n"):
        directions = scene.split("\n----")[0].rstrip()
        if all(line.startswith("#") for line in directions.splitlines()):
            scenes.append(directions)
            continue
        for line in directions.splitlines():
            if not line.startswith("#"):
                stage.direct(line)
        told, stage.told = stage.told or ["nothing"], []
        scenes.append("\n".join([directions, "----", *told]))
    return "\n\n".join(scenes) + "\n"


class PlayStage:
    """told: what happened since it was last emptied, a line each."""

    def __init__(self, replica_class: type[Replica]) -> None:
        self.told: list[str] = []
        self.now_ns = 0
        self.actors: dict[str, Actor] = {}
        self.wire: list[tuple[str, str, Message]] = []
        self.copies: list[tuple[str, str, Message]] = []
        self.cuts: list[tuple[str, str]] = []
        self.batch = 3
        self._replica_class = replica_class
        self._indent = ""
        self._headlines_only = False

    def direct(self, line: str) -> None:
        verb, *arguments = line.split()
        getattr(self, f"do_{verb}")(*arguments)

    def do_batch(self, entries: str) -> None:
        self.batch = int(entries)

    def do_cluster(self, *names: str) -> None:
        for name in names:
            config = RaftConfig(name, names, max_batch_entries=self.batch, max_inflight=2)
            self.actors[name] = Actor(
                config,
                self._send,
                lambda: ELECTION_TIMEOUT_NS,
                replica_class=self._replica_class,
                on_event=lambda event, fields, name=name: self._on_event(name, event, fields),  # type: ignore[misc]
                on_transition=self._headline,
            )
            self._start(name)

    def do_disk(self, name: str, *facts: str) -> None:
        given = dict(fact.split("=") for fact in facts)
        actor = self.actors[name]
        actor.crash()
        terms = [int(term) for term in given.get("log", "").split(",") if term]
        actor.disk.state = HardState(int(given["term"]), given.get("vote"))
        actor.disk.log = Log(
            [LogEntry(index, term, EntryKind.NO_OP) for index, term in enumerate(terms, start=1)]
        )
        self._start(name)

    def do_expire(self, name: str) -> None:
        replica = self.actors[name].replica
        self.now_ns = max(self.now_ns, replica.next_deadline_ns)
        replica.on_time(self.now_ns)
        self._flush(name)

    def do_wait(self, ms: str) -> None:
        self.now_ns += int(ms) * MS

    def do_sync(self, *names: str) -> None:
        for name in names or self.actors:
            actor = self.actors[name]
            if actor.up and actor.disk.written:
                self._tell(f"{name} synced")
                mark = actor.disk.mark
                actor.disk.sync(mark)
                actor.replica.on_durable(self.now_ns, mark)
                self._flush(name)

    def do_deliver(self, *ways: str) -> None:
        self._deliver(self._pick(ways))

    def do_deliver_first(self, way: str) -> None:
        first, *others = self._pick((way,))
        self.wire += others
        self._deliver([first])

    def _deliver(self, parcels: list[tuple[str, str, Message]]) -> None:
        for src, to, message in parcels:
            line = f"{src}->{to} {describe(message)}"
            if self._is_cut(src, to) or not self.actors[to].up:
                self._tell(f"{line} (lost)")
                continue
            self._tell(f"{line} arrives")
            self._indent = "  "
            refused = self.actors[to].replica.on_message(self.now_ns, src, message)
            if refused:
                self._tell(f"refused: {refused}")
            self._flush(to)
            self._indent = ""

    def do_drop(self, *ways: str) -> None:
        for src, to, message in self._pick(ways):
            self._tell(f"{src}->{to} {describe(message)} (lost)")

    def do_double(self, *ways: str) -> None:
        for parcel in self._pick(ways):
            self.wire += [parcel, parcel]

    def do_copy(self, *ways: str) -> None:
        picked = self._pick(ways)
        self.wire += picked
        self.copies += picked

    def do_replay(self) -> None:
        self.wire += self.copies
        self.copies.clear()

    def do_reverse(self) -> None:
        self.wire.reverse()

    def do_settle(self) -> None:
        self._headlines_only = True
        while self.wire or any(actor.up and actor.disk.written for actor in self.actors.values()):
            self.do_sync()
            self.do_deliver()
        self._headlines_only = False

    def do_cut(self, one: str, *others: str) -> None:
        self.cuts += [(one, other) for other in others or self.actors if other != one]

    def do_mend(self) -> None:
        self.cuts.clear()

    def do_crash(self, name: str) -> None:
        self.actors[name].crash()

    def do_restart(self, name: str) -> None:
        self._start(name)

    def do_session(self, name: str, client: str) -> None:
        self._submit(name, EntryKind.SESSION, {"client": client}, f"session {client}")

    def do_append(self, name: str, command: str, key: str, value: str) -> None:
        self._command(name, command, op="append", key=key, value=value)

    def do_put(self, name: str, command: str, key: str, value: str) -> None:
        self._command(name, command, op="put", key=key, value=value)

    def do_cas(self, name: str, command: str, key: str, expected: str, value: str) -> None:
        self._command(name, command, op="cas", key=key, expected=expected, value=value)

    def do_read(self, name: str, key: str) -> None:
        self.actors[name].replica.read(
            self.now_ns,
            lambda machine, index: list(machine.lists.get(key, ())),
            lambda outcome: self._answer(f"read {key}", outcome),
        )
        self._flush(name)

    def do_show(self) -> None:
        for name, actor in self.actors.items():
            if not actor.up:
                self._tell(f"{name} is down")
                continue
            node = actor.replica.node
            log = " ".join(str(node.log[index].term) for index in range(1, node.log.last_index + 1))
            self._tell(
                f"{name} {node.state.value}, term {node.current_term}, vote {node.voted_for or '-'},"
                f" leader {node.leader_id or '-'}, log [{log}], durable {node.durable_index},"
                f" commit {node.commit_index}"
            )

    def _start(self, name: str) -> None:
        actor = self.actors[name]
        actor.disk.on_write = lambda records: self._tell(f"{name} writes {describe_records(records)}")
        actor.start(self.now_ns)

    def _command(self, name: str, command: str, **fields: str) -> None:
        client, seq = command.split("/")
        self._submit(
            name,
            EntryKind.COMMAND,
            {"client": client, "seq": int(seq), **fields},
            f"{fields['op']} {command}",
        )

    def _submit(self, name: str, kind: EntryKind, command: dict[str, Any], asked: str) -> None:
        text = json.dumps(command).encode()
        self.actors[name].replica.submit(
            self.now_ns, kind, text, lambda outcome: self._answer(asked, outcome)
        )
        self._flush(name)

    def _flush(self, name: str) -> None:
        self.actors[name].replica.flush(self.now_ns)

    def _send(self, src: str, to: str, message: Message) -> None:
        self._tell(f"{src}->{to} {describe(message)}")
        self.wire.append((src, to, message))

    def _pick(self, ways: tuple[str, ...]) -> list[tuple[str, str, Message]]:
        """Takes messages on these ways off the wire: `a->b`, `a->`, `->b`; none given: all."""

        def on_the_way(src: str, to: str) -> bool:
            return not ways or any(way in (f"{src}->{to}", f"{src}->", f"->{to}") for way in ways)

        picked = [parcel for parcel in self.wire if on_the_way(parcel[0], parcel[1])]
        self.wire = [parcel for parcel in self.wire if not on_the_way(parcel[0], parcel[1])]
        return picked

    def _is_cut(self, src: str, to: str) -> bool:
        return (src, to) in self.cuts or (to, src) in self.cuts

    def _on_event(self, name: str, event: str, fields: dict[str, Any]) -> None:
        if event == "commit":
            self._headline(f"{name} commits {fields['index']}")
        elif event == "apply" and fields["command"]:
            what = f"{_short(fields['command'])}: {fields['outcome']}"
            self._headline(f"{name} applies {fields['index']}@{fields['term']} {what}")

    def _answer(self, asked: str, outcome: Any) -> None:
        match outcome:
            case Applied(_, outcome=how, result=result):
                said = f"{how} {json.dumps(result)}"
            case ReadDone(value, index):
                said = f"{value} as of {index}"
            case NotLeader(leader):
                said = f"not the leader, that is {leader or 'unknown'}"
            case Lost():
                said = "lost: it may or may not happen"
        self._headline(f"answer to {asked}: {said}")

    def _headline(self, line: str) -> None:
        self.told.append(f"{self._indent}{line}" if not self._headlines_only else line)

    def _tell(self, line: str) -> None:
        if not self._headlines_only:
            self.told.append(f"{self._indent}{line}")


def describe(message: Message) -> str:
    match message:
        case RequestVote():
            what = "PreVote" if message.pre_vote else "RequestVote"
            return f"{what} term={message.term} last={message.last_log_index}@{message.last_log_term}"
        case RequestVoteReply():
            what = "PreVote" if message.pre_vote else "Vote"
            return f"{what} {'granted' if message.vote_granted else 'refused'} term={message.term}"
        case AppendEntries():
            entries = " ".join(f"{entry.index}@{entry.term}" for entry in message.entries)
            what = f"Append [{entries}]" if entries else "Heartbeat"
            round_ = f" round={message.round}" if message.round else ""
            prev = f"{message.prev_log_index}@{message.prev_log_term}"
            return f"{what} term={message.term} after={prev} commit={message.leader_commit}{round_}"
        case AppendEntriesReply():
            round_ = f" round={message.round}" if message.round else ""
            if message.success:
                return f"Ack term={message.term} match={message.match_index}{round_}"
            hint = f"{message.conflict_index}@{message.conflict_term}"
            return f"Refusal term={message.term} after={message.prev_log_index} conflict={hint}{round_}"


def describe_records(records: Sequence[Record]) -> str:
    return ", ".join(_describe_record(record) for record in records)


def _describe_record(record: Record) -> str:
    match record:
        case HardState(term, voted_for):
            return f"term {term} vote {voted_for or '-'}"
        case Append(entry):
            return f"entry {entry.index}@{entry.term} {entry.kind.value}"
        case _:
            return f"truncation from {record.from_index}"


def _short(command: str) -> str:
    fields = json.loads(command)
    if "op" not in fields:
        return f"session {fields['client']}"
    words = [f"{fields['client']}/{fields['seq']}", fields["op"], fields["key"]]
    return " ".join(words + [fields[name] for name in ("expected", "value") if name in fields])
