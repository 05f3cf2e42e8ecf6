"""A tiny correct cluster: draws a run from a seed and leaves the history and the event logs of one.

Not the system under test, and far simpler: messages arrive at once or not at all. What it leaves is what a
correct system could have left, with leader changes, isolated leaders, restarts, truncated entries, repeated
commands, refused and unanswered operations.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from checkers.history import History, Op, OpType
from tests.checkers.build import counted, digest

Event = dict[str, Any]
NODES = ("n1", "n2", "n3")
WORKERS = ("w1", "w2")


@dataclass
class Entry:
    term: int
    kind: str
    command: str = ""


@dataclass
class Node:
    name: str
    term: int = 0
    voted_for: str | None = None
    log: list[Entry] = field(default_factory=list)
    role: str = "follower"
    commit: int = 0
    applied: int = 0
    up: bool = True
    boots: list[list[Event]] = field(default_factory=list)


@dataclass
class Pending:
    process: int
    f: str
    value: list[Any]


class Model:
    """`run` plays the whole run; `history` is what it left."""

    def __init__(
        self, seed: int, workload: str = "append", steps: int = 120, *, keys: int = 2, harm: float = 0.25
    ) -> None:
        self.rng = Random(f"{seed}/{workload}")
        self.workload = workload
        self.steps = steps
        self.harm = harm  # the share of steps that inject or heal
        self.keys = [f"k{number}" for number in range(1, keys + 1)]
        self.now_ns = 0
        self.ops: list[Op] = []
        self.nodes = {name: Node(name) for name in NODES}
        self.leader = self.nodes["n1"]
        self.cut: set[str] = set()
        self.faults: dict[str, int] = {}  # node -> step of the fault on it
        self.fault_steps = 0
        self.pending: list[Pending] = []
        self.idle = list(range(4))
        self.next_process = 4
        self.next_value = 0
        self.sequences: dict[int, int] = {}
        self.outcomes: dict[int, str] = {}
        self.firsts: dict[tuple[str, int], int] = {}
        self.lists: dict[str, list[int]] = {}
        self.registers: dict[str, int] = {}
        self.observations: list[dict[str, Any]] = []
        self.worker_states: list[dict[str, Any]] = []
        self.phases: dict[str, int] = {}

    def run(self) -> Model:
        self.phase("start")
        for node in self.nodes.values():
            self.boot(node)
        self.elect(self.leader)
        self.phase("load")
        self.work()
        for _ in range(self.steps):
            if self.rng.random() < self.harm:
                self.disturb()
            else:
                self.work()
            self.observe()
        self.phase("heal")
        for name in list(self.faults):
            self.heal(name)
        self.settle()
        self.phase("recovered")
        for _ in range(10):
            self.work()
        self.phase("final")
        for key in sorted({**self.lists, **self.registers}):
            self.serve(self.invoke("read", [key, None]))
        self.observe()
        self.now_ns += 1_000_000_000  # longer than followers may take
        self.phase("end")
        return self

    def history(self) -> History:
        facts = {
            "nodes": list(NODES),
            "workers": list(WORKERS),
            "nemeses": ["partition", "kill"],
            "starts": {name: len(node.boots) for name, node in self.nodes.items()},
            "events": counted({name: node.boots for name, node in self.nodes.items()}),
            "phases": self.phases,
            "exits": [],
        }
        events = {name: node.boots for name, node in self.nodes.items()}
        return History(
            self.ops, events, self.observations, self.worker_states, [], facts | {"cluster": "model"}
        )

    # The clock, and what is written down

    def tick(self) -> int:
        self.now_ns += self.rng.randint(20, 400) * 1000
        return self.now_ns

    def phase(self, name: str) -> None:
        self.phases[name] = self.tick()

    def record(
        self, process: Any, kind: OpType, f: str, value: Any, *, error: str | None = None, index: int = -1
    ) -> None:
        self.ops.append(
            Op(
                index=len(self.ops),
                time_ns=self.tick(),
                process=process,
                type=kind,
                f=f,
                value=value,
                node=self.leader.name,
                error=error,
                witness=index if index >= 0 else None,
            )
        )

    def note(self, node: Node, event: str, **fields: Any) -> None:
        log = node.boots[-1]
        head = {"v": 1, "node": node.name, "boot": len(node.boots), "seq": len(log), "time_ns": self.tick()}
        log.append({**head, "event": event, **fields})

    def observe(self) -> None:
        for node in self.nodes.values():
            if node.up:
                seen = {"term": node.term, "role": node.role, "commit_index": node.commit, "leader": None}
                seen |= {"applied_index": node.applied, "last_log_index": len(node.log)}
                head = {"time_ns": self.tick(), "node": node.name, "boot": len(node.boots)}
                self.observations.append(head | seen)
        state = {"node": self.leader.name, "workers": dict.fromkeys(WORKERS, "online")}
        self.worker_states.append({"time_ns": self.tick(), **state})

    # Nodes

    def boot(self, node: Node) -> None:
        node.boots.append([])
        node.up, node.role, node.commit, node.applied = True, "follower", 0, 0
        last_term = node.log[-1].term if node.log else 0
        state = {"term": node.term, "voted_for": node.voted_for, "base_index": 0, "base_term": 0}
        self.note(node, "boot", **state, last_index=len(node.log), last_term=last_term)
        if node.log:
            self.note(node, "append", entries=self.rows(node, 1), recovered=True)

    def rows(self, node: Node, first: int) -> list[list[Any]]:
        entries = enumerate(node.log[first - 1 :], first)
        return [[index, e.term, e.kind, digest(e.kind, e.command)] for index, e in entries]

    def reachable(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.up and node.name not in self.cut]

    def step_down(self, node: Node, term: int) -> None:
        if term > node.term:
            node.term, node.voted_for = term, None
            self.note(node, "term", term=term)
        if node.role != "follower":
            self.note(node, "role", role="follower", **{"from": node.role}, term=node.term)
            node.role = "follower"

    def elect(self, node: Node) -> None:
        """Only ever called with a node that a majority can reach, and whose log is as up to date as
        theirs."""
        term = max(other.term for other in self.reachable()) + 1
        for other in [node, *(n for n in self.reachable() if n is not node)]:
            self.step_down(other, term)
            other.voted_for = node.name
            self.note(other, "vote", term=term, **{"for": node.name})
        self.note(node, "role", role="leader", **{"from": "candidate"}, term=term)
        node.role = "leader"
        self.leader = node
        self.propose("no-op", "")

    def best(self) -> Node:
        return max(self.reachable(), key=lambda n: (n.log[-1].term if n.log else 0, len(n.log)))

    def propose(self, kind: str, command: str) -> int:
        """Appends at the leader, replicates to whom it reaches, and has it committed."""
        leader = self.leader
        leader.log.append(Entry(leader.term, kind, command))
        index = len(leader.log)
        self.note(leader, "append", entries=self.rows(leader, index))
        followers = [node for node in self.reachable() if node is not leader]
        for node in followers:
            self.replicate(node)
        for node in [leader, *followers]:
            self.commit(node, index)
        return index

    def replicate(self, node: Node) -> None:
        self.step_down(node, self.leader.term)
        theirs, ours = node.log, self.leader.log
        same = min(len(theirs), len(ours))
        while same and theirs[same - 1] is not ours[same - 1]:
            same -= 1
        if same < len(theirs):
            del theirs[same:]
            self.note(node, "truncate", from_index=same + 1)
        if same < len(ours):
            theirs += ours[same:]
            self.note(node, "append", entries=self.rows(node, same + 1))

    def commit(self, node: Node, index: int) -> None:
        if index <= node.commit:
            return
        node.commit = index
        self.note(node, "commit", index=index, term=node.term, role=node.role)
        while node.applied < index:
            node.applied += 1
            entry = node.log[node.applied - 1]
            outcome = self.outcomes.setdefault(node.applied, "")
            if not outcome:
                outcome = self.outcomes[node.applied] = self.apply(node.applied, entry)
            text = {"digest": digest(entry.kind, entry.command), "command": entry.command}
            head = {"index": node.applied, "term": entry.term, "kind": entry.kind}
            self.note(node, "apply", **head, **text, outcome=outcome)

    def apply(self, index: int, entry: Entry) -> str:
        if entry.kind != "command":
            return "none"
        command = json.loads(entry.command)
        name = (command["client"], command["seq"])
        if name in self.firsts:
            return "duplicate"
        self.firsts[name] = index
        key, value = command["key"], int(command["value"])
        if command["op"] == "append":
            self.lists.setdefault(key, []).append(value)
        elif command["op"] == "put" or str(self.registers.get(key)) == str(command["expected"]):
            self.registers[key] = value
        return "applied"

    # Clients

    def work(self) -> None:
        """Some operations begin, some that began are served, in any order."""
        for _ in range(self.rng.randint(1, 3)):
            if self.idle:
                self.pending.append(self.draw())
        self.rng.shuffle(self.pending)
        for _ in range(self.rng.randint(1, len(self.pending)) if self.pending else 0):
            self.serve(self.pending.pop())

    def settle(self) -> None:
        """Everybody catches up."""
        while self.pending:
            self.serve(self.pending.pop())
        self.serve(self.draw())

    def draw(self) -> Pending:
        key = self.rng.choice(self.keys)
        functions = {"append": ("append", "read"), "register": ("write", "cas", "cas", "read")}
        f = self.rng.choice(functions[self.workload])
        self.next_value += f != "read"
        value: Any = None if f == "read" else self.next_value
        if f == "cas":
            seen = self.registers.get(key)
            value = [seen if self.rng.random() < 0.7 else self.next_value + 1_000_000, value]
        return self.invoke(f, [key, value])

    def invoke(self, f: str, value: list[Any]) -> Pending:
        process = self.idle.pop()
        if process not in self.sequences:
            self.sequences[process] = -1
            self.propose("session", json.dumps({"client": f"p{process}"}))
        self.record(process, "invoke", f, value)
        return Pending(process, f, value)

    def serve(self, op: Pending) -> None:
        chance = self.rng.random()
        if chance < 0.05:
            self.record(op.process, "fail", op.f, op.value, error="not the leader")
        elif chance < 0.1 and op.f != "read":
            if self.rng.random() < 0.5:
                self.command(op)
            self.record(op.process, "info", op.f, op.value, error="timed out")
            self.next_process += 1
            self.idle.append(self.next_process)
            return
        elif op.f == "read":
            self.record(op.process, "ok", op.f, self.seen(op), index=self.leader.applied)
        else:
            index = self.command(op)
            if self.rng.random() < 0.2:
                self.propose("command", self.leader.log[index - 1].command)  # sent again, answered alike
            mismatch = op.f == "cas" and self.registers.get(op.value[0]) != op.value[1][1]
            kind: OpType = "fail" if mismatch else "ok"
            error = "mismatch" if mismatch else None
            self.record(op.process, kind, op.f, op.value, error=error, index=index)
        self.idle.append(op.process)

    def seen(self, op: Pending) -> list[Any]:
        key = op.value[0]
        if self.workload == "append":
            return [key, list(self.lists.get(key, ()))]
        return [key, self.registers.get(key)]

    def command(self, op: Pending) -> int:
        self.sequences[op.process] += 1
        return self.propose("command", self.text(op))

    def text(self, op: Pending) -> str:
        key, value = op.value
        name = {"append": "append", "write": "put", "cas": "cas"}[op.f]
        expected, new = value if op.f == "cas" else (None, value)
        head = {"client": f"p{op.process}", "seq": self.sequences[op.process], "op": name, "key": key}
        body: dict[str, Any] = {"value": str(new)}
        if op.f == "cas":
            body["expected"] = None if expected is None else str(expected)
        return json.dumps(head | body)

    # Faults, one node at a time, so that a majority is always there

    def disturb(self) -> None:
        if self.faults:
            self.heal(next(iter(self.faults)))
        else:
            name = self.rng.choice((*NODES, self.leader.name))
            self.rng.choice((self.kill, self.isolate))(self.nodes[name])

    def nemesis(self, kind: OpType, f: str, action: str, name: str, step: int) -> None:
        said: dict[str, Any] = {"step": step, "action": action, "target": "one"}
        if kind == "info":
            said |= {"nodes": [name], "took_effect": True, "summary": f"{action} {name}", "evidence": {}}
        self.record("nemesis", kind, f, said)

    def kill(self, node: Node) -> None:
        self.strike("kill", node)
        node.up = False
        self.struck("kill", node)

    def isolate(self, node: Node) -> None:
        op = self.draw() if node is self.leader and self.idle else None
        self.strike("partition", node)
        self.cut.add(node.name)
        if op is not None:
            # The leader still takes a command, which nobody else ever hears of.
            if op.f != "read":
                self.sequences[op.process] += 1
                node.log.append(Entry(node.term, "command", self.text(op)))
                self.note(node, "append", entries=self.rows(node, len(node.log)))
            self.record(op.process, "info", op.f, op.value, error="timed out")
            self.next_process += 1
            self.idle.append(self.next_process)
        self.struck("partition", node)

    def strike(self, nemesis: str, node: Node) -> None:
        self.fault_steps += 1
        self.faults[node.name] = self.fault_steps
        self.nemesis("invoke", nemesis, "inject", node.name, self.fault_steps)

    def struck(self, nemesis: str, node: Node) -> None:
        self.nemesis("info", nemesis, "inject", node.name, self.fault_steps)
        if node is self.leader:
            self.elect(self.best())

    def heal(self, name: str) -> None:
        step, node = self.faults.pop(name), self.nodes[name]
        nemesis = "kill" if not node.up else "partition"
        self.nemesis("invoke", nemesis, "heal", name, step)
        self.cut.discard(name)
        if not node.up:
            self.boot(node)
        self.replicate(node)
        self.commit(node, self.leader.commit)
        self.nemesis("info", nemesis, "heal", name, step)


def correct(seed: int, workload: str = "append", steps: int = 120) -> History:
    return Model(seed, workload, steps).run().history()
