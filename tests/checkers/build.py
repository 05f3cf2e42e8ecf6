"""Small histories and event logs by hand. Times are in milliseconds of the run's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from checkers.history import History, Op, OpType

MS = 1_000_000
Event = dict[str, Any]


@dataclass(frozen=True)
class Did:
    """One client operation: what it was, when it began and ended, and how. end_ms None: it never returned."""

    process: int
    f: str
    value: Any
    start_ms: float
    end_ms: float | None
    type: OpType = "ok"
    result: Any = None
    witness: int | None = None
    error: str | None = None
    node: str | None = None


def append(process: int, key: str, element: int, start_ms: float, end_ms: float | None, **more: Any) -> Did:
    return Did(process, "append", [key, element], start_ms, end_ms, **more)


def write(process: int, key: str, value: int, start_ms: float, end_ms: float | None, **more: Any) -> Did:
    return Did(process, "write", [key, value], start_ms, end_ms, **more)


def cas(
    process: int, key: str, change: tuple[int | None, int], start_ms: float, end_ms: float | None, **more: Any
) -> Did:
    return Did(process, "cas", [key, list(change)], start_ms, end_ms, **more)


def read(process: int, key: str, result: Any, start_ms: float, end_ms: float | None, **more: Any) -> Did:
    return Did(process, "read", [key, None], start_ms, end_ms, result=[key, result], **more)


def ops(*did: Did, faults: Sequence[Op] = ()) -> list[Op]:
    """The operations as a recorder would have written them, numbered in order of time."""
    ended = []
    for one in did:
        start = Op(0, int(one.start_ms * MS), one.process, "invoke", one.f, one.value, one.node)
        ended.append(start)
        if one.end_ms is not None:
            value = one.result if one.type == "ok" and one.result is not None else one.value
            end_ns = int(one.end_ms * MS)
            ended.append(Op(0, end_ns, one.process, one.type, one.f, value, one.node, one.error, one.witness))
    timed = sorted([*ended, *faults], key=lambda op: (op.time_ns, op.type != "invoke"))
    return [_numbered(op, index) for index, op in enumerate(timed)]


def _numbered(op: Op, index: int) -> Op:
    return Op(index, op.time_ns, op.process, op.type, op.f, op.value, op.node, op.error, op.witness)


def fault(
    step: int,
    nemesis: str,
    nodes: Sequence[str],
    inject_ms: float,
    heal_ms: float | None,
    *,
    target: str = "one",
    took_effect: bool = True,
) -> list[Op]:
    """A fault's operations: asked for at these times, done 1 ms later."""
    recorded = []
    for action, at_ms in (("inject", inject_ms), ("heal", heal_ms)):
        if at_ms is not None:
            said = {"step": step, "action": action, "target": target}
            shown = {"nodes": list(nodes), "took_effect": took_effect, "summary": action, "evidence": {}}
            at_ns = int(at_ms * MS)
            recorded.append(Op(0, at_ns, "nemesis", "invoke", nemesis, said))
            recorded.append(Op(0, at_ns + MS, "nemesis", "info", nemesis, said | shown))
    return recorded


def digest(kind: str, command: str) -> str:
    return blake2b(kind.encode() + b"\0" + command.encode(), digest_size=8).hexdigest()


def boot(term: int = 0, voted_for: str | None = None, last_index: int = 0, last_term: int = 0) -> Event:
    state = {"term": term, "voted_for": voted_for, "base_index": 0, "base_term": 0}
    return {"event": "boot", **state, "last_index": last_index, "last_term": last_term}


def term(number: int) -> Event:
    return {"event": "term", "term": number}


def vote(number: int, candidate: str) -> Event:
    return {"event": "vote", "term": number, "for": candidate}


def role(name: str, number: int) -> Event:
    return {"event": "role", "role": name, "from": "follower", "term": number}


def appended(*entries: tuple[int, int, str], recovered: bool = False) -> Event:
    """entries: (index, term, command)."""
    rows = [[index, number, "command", digest("command", command)] for index, number, command in entries]
    return {"event": "append", "entries": rows, **({"recovered": True} if recovered else {})}


def truncated(from_index: int) -> Event:
    return {"event": "truncate", "from_index": from_index}


def committed(index: int, number: int, name: str = "follower") -> Event:
    return {"event": "commit", "index": index, "term": number, "role": name}


def applied(index: int, number: int, command: str, outcome: str = "applied") -> Event:
    kind = "command"
    return {
        "event": "apply",
        "index": index,
        "term": number,
        "kind": kind,
        "digest": digest(kind, command),
        "command": command,
        "outcome": outcome,
    }


def at(time_ms: float, event: Event) -> Event:
    """The event at this time; others follow one another by a microsecond."""
    return event | {"time_ns": int(time_ms * MS)}


def logs(**boots: Sequence[Sequence[Event]]) -> dict[str, list[list[Event]]]:
    """Each node's event logs, one sequence a boot, with the fields of every event filled in."""
    found: dict[str, list[list[Event]]] = {}
    for node, of_node in boots.items():
        now = 0
        found[node] = []
        for number, events in enumerate(of_node, 1):
            complete = []
            for seq, event in enumerate(events):
                now = max(now + 1000, event.get("time_ns", 0))
                head = {"v": 1, "node": node, "boot": number, "seq": seq}
                complete.append(head | event | {"time_ns": now})
            found[node].append(complete)
    return found


def history(
    operations: Sequence[Op] = (), events: dict[str, list[list[Event]]] | None = None, **more: Any
) -> History:
    """A history whose facts say that every event log is there. Each node answered once, at its boot."""
    events = events or {}
    starts = {node: len(boots) for node, boots in events.items()}
    facts = {"nodes": list(events), "starts": starts, "events": counted(events), "exits": []}
    more.setdefault("observations", [answer(0, node) for node in events])
    return History(ops=operations, events=events, facts=facts | more.pop("facts", {}), **more)


def counted(events: dict[str, list[list[Event]]]) -> dict[str, list[int]]:
    """How many events each boot left, as the harness counts them."""
    return {node: [len(boot) for boot in boots] for node, boots in events.items()}


def answer(time_ns: int, node: str, **more: Any) -> Event:
    """What a node that has just booted for the first time answers to Status, but for what is given."""
    state = {"boot": 1, "term": 0, "role": "follower", "leader": None}
    indices = {"commit_index": 0, "applied_index": 0, "last_log_index": 0}
    return {"time_ns": time_ns, "node": node, **state, **indices, **more}
