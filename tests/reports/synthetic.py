"""A run as a harness would have left it, without running one: forty seconds, three control-plane nodes, four
workers, three elections, four faults and as many operations as asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from checkers.history import NEMESIS, Op, OpType
from checkers.verdict import Anomaly, Validity, Verdict
from reports.record import RunDirectory

NODES = ("cp-aws-1", "cp-gcp-1", "cp-azure-1")
WORKERS = ("worker-aws-1", "worker-aws-2", "worker-gcp-1", "worker-azure-1")
ZERO_NS = 5_000_000_000_000
PHASES_S = {"start": 0.0, "load": 2.5, "heal": 32.0, "recovered": 34.1, "final": 34.6, "end": 36.0}
# Somebody's attempt to leave the place where evidence belongs.
HOSTILE = (
    "</script></style><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
)

# (step, nemesis, target, nodes, inject, heal, took effect, summary, facts)
FAULTS: tuple[tuple[int, str, str, tuple[str, ...], float, float, bool, str, dict[str, Any]], ...] = (
    (
        1,
        "partition",
        "isolate-leader",
        ("cp-aws-1",),
        6.0,
        12.0,
        True,
        "held back 41,812 bytes on 4 links; none passed",
        {"cp-aws-1->cp-gcp-1": {"held_bytes": 20906, "passed_bytes": 0}},
    ),
    (
        2,
        "pause",
        "one",
        ("cp-azure-1",),
        15.0,
        18.2,
        True,
        "cp-azure-1 stopped (state T)",
        {"cp-azure-1": {"pid": 412, "state": "T"}},
    ),
    (
        3,
        "kill",
        "leader",
        ("cp-gcp-1",),
        21.0,
        25.0,
        True,
        "cp-gcp-1 gone; 0 unsynced bytes lost",
        {"cp-gcp-1": {"pid": 408, "gone": True, "lost_bytes": 0}},
    ),
    (
        4,
        "latency",
        "between-clouds",
        ("cp-gcp-1", "cp-azure-1"),
        27.0,
        31.0,
        False,
        "round trips did not change",
        {},
    ),
)


def _boot(term: int, last_index: int) -> dict[str, Any]:
    said = {
        "pid": 400,
        "cluster": "crosswind",
        "term": term,
        "voted_for": None,
        "base_index": 0,
        "base_term": 0,
    }
    return {"event": "boot", **said, "last_index": last_index, "last_term": term}


# (time, node, boot, event and its fields), as docs/event-log.md has them
_EVENTS: tuple[tuple[float, str, int, dict[str, Any]], ...] = (
    *((0.4 + 0.05 * i, node, 1, _boot(0, 0)) for i, node in enumerate(NODES)),
    (0.88, "cp-aws-1", 1, {"event": "term", "term": 1}),
    (0.88, "cp-aws-1", 1, {"event": "vote", "term": 1, "for": "cp-aws-1"}),
    (0.88, "cp-aws-1", 1, {"event": "role", "role": "candidate", "from": "follower", "term": 1}),
    (0.91, "cp-gcp-1", 1, {"event": "term", "term": 1}),
    (0.91, "cp-gcp-1", 1, {"event": "vote", "term": 1, "for": "cp-aws-1"}),
    (0.92, "cp-azure-1", 1, {"event": "term", "term": 1}),
    (0.95, "cp-aws-1", 1, {"event": "role", "role": "leader", "from": "candidate", "term": 1}),
    (6.44, "cp-gcp-1", 1, {"event": "term", "term": 2}),
    (6.44, "cp-gcp-1", 1, {"event": "role", "role": "candidate", "from": "follower", "term": 2}),
    (6.47, "cp-azure-1", 1, {"event": "term", "term": 2}),
    (6.47, "cp-azure-1", 1, {"event": "vote", "term": 2, "for": "cp-gcp-1"}),
    (6.50, "cp-gcp-1", 1, {"event": "role", "role": "leader", "from": "candidate", "term": 2}),
    (6.62, "cp-aws-1", 1, {"event": "role", "role": "follower", "from": "leader", "term": 1}),
    (12.15, "cp-aws-1", 1, {"event": "term", "term": 2}),
    (20.99, "cp-gcp-1", 1, {"event": "commit", "index": 801, "term": 2, "role": "leader"}),
    (21.42, "cp-azure-1", 1, {"event": "term", "term": 3}),
    (21.42, "cp-azure-1", 1, {"event": "role", "role": "candidate", "from": "follower", "term": 3}),
    (21.45, "cp-aws-1", 1, {"event": "term", "term": 3}),
    (21.95, "cp-aws-1", 1, {"event": "term", "term": 4}),
    (21.95, "cp-aws-1", 1, {"event": "role", "role": "candidate", "from": "follower", "term": 4}),
    (21.98, "cp-azure-1", 1, {"event": "role", "role": "follower", "from": "candidate", "term": 4}),
    (22.01, "cp-aws-1", 1, {"event": "role", "role": "leader", "from": "candidate", "term": 4}),
    (25.30, "cp-gcp-1", 2, _boot(2, 801)),
    (25.41, "cp-gcp-1", 2, {"event": "term", "term": 4}),
)
_LEADERLESS_S = ((6.0, 6.7), (21.0, 22.2))


def at(seconds: float) -> int:
    """A moment of the synthetic run on its clock."""
    return ZERO_NS + round(seconds * 1e9)


def events(*, rival: bool = False) -> dict[str, list[list[dict[str, Any]]]]:
    """Every node's event log. With a rival, cp-azure-1 became leader of term 2 as well."""
    raw = list(_EVENTS)
    if rival:
        raw.append(
            (6.52, "cp-azure-1", 1, {"event": "role", "role": "leader", "from": "follower", "term": 2})
        )
        raw.append(
            (8.00, "cp-azure-1", 1, {"event": "role", "role": "follower", "from": "leader", "term": 2})
        )
    logs: dict[str, list[list[dict[str, Any]]]] = {node: [] for node in NODES}
    for second, node, boot, said in sorted(raw, key=lambda event: event[0]):
        while len(logs[node]) < boot:
            logs[node].append([])
        log = logs[node][boot - 1]
        log.append({"v": 1, "node": node, "boot": boot, "seq": len(log), "time_ns": at(second), **said})
    return logs


class _Writer:
    """Collects operations and puts them in the order a history has."""

    def __init__(self) -> None:
        self._raw: list[tuple[int, bool, Op]] = []

    def add(self, second: float, process: Any, kind: OpType, f: str, value: Any, **more: Any) -> None:
        op = Op(0, at(second), process, kind, f, value, **more)
        self._raw.append((op.time_ns, kind != "invoke", op))

    def ops(self) -> list[Op]:
        ordered = sorted(self._raw, key=lambda entry: entry[:2])
        return [
            Op(i, op.time_ns, op.process, op.type, op.f, op.value, op.node, op.error, op.witness)
            for i, (_, _, op) in enumerate(ordered)
        ]


def ops(how_many: int = 2000, seed: int = 7) -> list[Op]:
    """About so many client operations, and the nemesis' own."""
    rng = Random(f"{seed}/synthetic")
    writer = _Writer()
    _clients(writer, rng, how_many)
    for step, nemesis, target, nodes, inject, heal, took_effect, summary, facts in FAULTS:
        for action, second in (("inject", inject), ("heal", heal)):
            said = {"step": step, "action": action, "target": target}
            writer.add(second, NEMESIS, "invoke", nemesis, said)
            proof = {"nodes": list(nodes), "took_effect": took_effect, "summary": summary, "evidence": facts}
            writer.add(second + 0.08, NEMESIS, "info", nemesis, said | proof)
    return writer.ops()


def _clients(writer: _Writer, rng: Random, how_many: int) -> None:
    processes = 12
    start, end = PHASES_S["load"], PHASES_S["heal"]
    busy_until = [start + i * 0.02 for i in range(processes)]
    pace_s = (end - start) * processes / how_many
    witness, names, slot = 1, list(range(processes)), 0
    while min(busy_until) < end:
        slot = min(range(processes), key=busy_until.__getitem__)
        began = busy_until[slot]
        witness += 1
        took, kind, error = _fate(rng, began)
        append = rng.random() < 0.6
        key, node = rng.randrange(8), rng.choice(NODES)
        asked = [key, witness] if append else [key, None]
        got = asked if append or kind != "ok" else [key, list(range(max(1, witness - 14), witness))]
        f = "append" if append else "read"
        writer.add(began, names[slot], "invoke", f, asked, node=node)
        seen = witness if kind == "ok" else None
        writer.add(began + took, names[slot], kind, f, got, node=node, error=error, witness=seen)
        if kind == "info":
            names[slot] = max(names) + 1
        busy_until[slot] = max(began + took + 0.0005, began + rng.expovariate(1 / pace_s))


def _fate(rng: Random, began: float) -> tuple[float, OpType, str | None]:
    leaderless = any(start <= began < stop for start, stop in _LEADERLESS_S)
    if leaderless and rng.random() < 0.5:
        return 1.0 + rng.random() * 0.02, "info", "no answer within 1.0 s"
    if leaderless:
        return rng.uniform(0.002, 0.06), "fail", "not the leader"
    slow = 4.0 if 15.0 <= began < 18.2 and rng.random() < 0.2 else 1.0
    return min(0.9, 0.054 * slow * rng.lognormvariate(0, 0.25) + (rng.random() < 0.4) * 0.025), "ok", None


def worker_states() -> list[dict[str, Any]]:
    """What the leader said of the workers, twice a second; worker-gcp-1 was gone for a while."""
    answers = []
    for tick in range(4, 72):
        second = tick / 2
        if any(start <= second < stop for start, stop in _LEADERLESS_S):
            continue
        states = dict.fromkeys(WORKERS, "online")
        if second < 3.0 or 22.0 <= second < 24.0:
            states["worker-azure-1"] = "offline"
        if 14.0 <= second < 20.5:
            states["worker-gcp-1"] = "offline"
        answers.append({"time_ns": at(second), "node": "cp-aws-1", "workers": states})
    return answers


def good_verdicts() -> list[Verdict]:
    """Every checker says yes."""
    yes = Validity.YES
    return [
        Verdict(
            "single-leader",
            yes,
            "3 leaders in 3 terms, never two in one",
            evidence={"terms": 3, "leaders": 3},
        ),
        Verdict("one-vote", yes, "5 votes over 4 terms, one a term and node", evidence={"votes": 5}),
        Verdict(
            "log-matching", yes, "1,204 committed entries equal on all nodes", evidence={"entries": 1204}
        ),
        Verdict("monotone", yes, "terms and commit indices of 4 boots never fell", evidence={"boots": 4}),
        Verdict(
            "linearizability",
            yes,
            "1,967 acknowledged operations in log order, 41 of unknown outcome",
            evidence={"acknowledged": 1967, "unknown": 41, "keys": 8, "overlapping_faults": 4},
        ),
        Verdict(
            "recovery", yes, "a leader 0.71 s after the slowest of 4 disturbances", evidence={"bound_s": 15}
        ),
        Verdict("workers", yes, "4 workers back by themselves after 2 absences", evidence={"absences": 2}),
    ]


def stale_read(history: Sequence[Op]) -> Verdict:
    """A verdict over real operations of the synthetic history, at about 6.6 s."""
    done = [op for op in history if op.process != NEMESIS and op.type == "ok" and op.time_ns > at(6.75)]
    append = next(op for op in done if op.f == "append")
    read = next(op for op in done if op.f == "read" and op.time_ns > append.time_ns + 150_000_000)
    early_ms = (read.time_ns - append.time_ns) // 1_000_000
    message = (
        f"The read at {read.index} returned a list without {append.value[1]}, although the append at "
        f"{append.index} had been acknowledged {early_ms} ms before the read began. A linearizable read sees "
        f"every append acknowledged before it was invoked, so cp-aws-1 answered from a state it had no "
        f"authority over any more."
    )
    concerned = [
        op.index for op in history if op.type == "invoke" and op.process in (append.process, read.process)
    ]
    near = [i for i in concerned if abs(history[i].time_ns - read.time_ns) < 250_000_000][:3]
    logs = events()
    won = next(e for e in logs["cp-gcp-1"][0] if e.get("role") == "leader")
    lost = next(e for e in logs["cp-aws-1"][0] if e.get("from") == "leader")
    anomaly = Anomaly(
        "stale-read",
        message,
        tuple(dict.fromkeys((append.index, read.index, *near))),
        (won, lost),
        read.time_ns,
    )
    return Verdict(
        "linearizability", Validity.NO, "1 stale read among 1,967 acknowledged operations", (anomaly,)
    )


def meta(status: str = "done") -> dict[str, Any]:
    """A run.json like the harness' own."""
    return {
        "status": status,
        "id": "append-partition+pause+kill+latency-local-s7",
        "plan": {
            "workload": "append",
            "nemeses": ["partition", "pause", "kill", "latency"],
            "seed": 7,
            "cluster": "local",
            "time_limit_s": 30.0,
            "rate": 80.0,
            "concurrency": 12,
            "nodes": 3,
            "mutant": None,
        },
        "seed": 7,
        "command": "pytest --workload=append --nemesis=partition,pause,kill,latency --seed=7",
        "clock": "CLOCK_MONOTONIC",
        "time_zero": {"monotonic_ns": ZERO_NS, "wall_ns": 1_764_000_000_000_000_000},
        "host": {
            "cpu": {"model": "Example CPU @ 2.40GHz", "count": 8, "usable": 2},
            "load": [0.52, 0.4, 0.31],
            "memory": {"total_bytes": 16 << 30, "available_bytes": 9 << 30},
            "os": "Linux 6.1.0 x86_64",
            "python": "CPython 3.11.2",
            "packages": {"grpcio": "1.85.1", "protobuf": "7.36.2", "boto3": None},
            "commit": {"id": "11e1b58c0de0000000000000000000000000abcd", "dirty": True},
        },
        "schedule": [],
        "facts": {
            "nodes": list(NODES),
            "workers": list(WORKERS),
            "phases": {name: at(second) for name, second in PHASES_S.items()},
            "starts": dict.fromkeys(NODES, 1) | {"cp-gcp-1": 2},
            "exits": [],
            "capabilities": ["cut", "delay", "kill", "pause"],
            "cluster": "local",
            "errors": [],
            "loop_lag_ns": 3_100_000,
        },
    }


def save_nodes(into: Path, logs: dict[str, list[list[dict[str, Any]]]]) -> None:
    """Writes what a cluster's save_logs leaves."""
    for node, boots in logs.items():
        (into / node).mkdir(parents=True)
        (into / node / "stdout.log").write_text(f'{{"node": "{node}", "msg": "Worker ready"}}\n')
        for number, boot in enumerate(boots, 1):
            lines = "".join(json.dumps(event) + "\n" for event in boot)
            (into / node / f"events-{number:04d}.jsonl").write_text(lines)
    (into / "lag.jsonl").write_text(f"[{at(6.1)}, 7000000]\n[{at(21.3)}, 23000000]\n")
    (into / "exits.jsonl").write_text("")


def build(root: Path, kind: str = "good", how_many: int = 2000) -> RunDirectory:
    """Saves a synthetic run under `root`. Its kind: good, stale-read, two-leaders, unknown, vacuous, hostile,
    crashed (early, nothing but run.json)."""
    directory = RunDirectory.create(root, f"append-{kind}-local-s7")
    if kind == "crashed":
        early = meta("crashed: ClusterError: cp-gcp-1 did not answer within 15 s")
        early["facts"] = {"phases": {"start": at(0.0)}}
        directory.write_run(early)
        return directory
    history = ops(how_many)
    logs = events(rival=kind == "two-leaders")
    about = meta()
    verdicts = _verdicts(kind, history, logs)
    if kind == "hostile":
        history, logs, about, verdicts = _hostile(history, logs, about)
    save_nodes(directory.path / "nodes", logs)
    directory.write_history(history)
    directory.write_observations([])
    directory.write_worker_states(worker_states())
    directory.write_run(about)
    directory.write_results(verdicts)
    return directory


def _verdicts(kind: str, history: Sequence[Op], logs: dict[str, list[list[dict[str, Any]]]]) -> list[Verdict]:
    verdicts = good_verdicts()
    if kind == "stale-read":
        verdicts[4] = stale_read(history)
    elif kind == "two-leaders":
        roles = [
            event for boot in (*logs["cp-gcp-1"], *logs["cp-azure-1"]) for event in boot if "from" in event
        ]
        leaders = [event for event in roles if event["role"] == "leader" and event["term"] == 2]
        message = (
            "cp-gcp-1 and cp-azure-1 both became leader of term 2, 20 ms apart. Each needs two of three "
            "votes in that term and a node has one vote a term, so some node must have voted twice."
        )
        anomaly = Anomaly("two-leaders", message, (), tuple(leaders), leaders[0]["time_ns"])
        verdicts[0] = Verdict("single-leader", Validity.NO, "two leaders in term 2", (anomaly,))
    elif kind == "unknown":
        summary = "the host was 2.1 s late inside a bound of 15 s; no bound can be judged over that"
        verdicts[5] = Verdict("recovery", Validity.UNKNOWN, summary, evidence={"host_too_slow": True})
    elif kind == "vacuous":
        verdicts[4] = Verdict(
            "linearizability", Validity.VACUOUS, "only 3 operations were acknowledged; 50 are needed"
        )
    return verdicts


def _hostile(
    history: list[Op], logs: dict[str, list[list[dict[str, Any]]]], about: dict[str, Any]
) -> tuple[list[Op], dict[str, list[list[dict[str, Any]]]], dict[str, Any], list[Verdict]]:
    """The same, with somebody's markup wherever text comes from outside."""
    spot = next(i for i, op in enumerate(history) if op.type == "ok" and op.time_ns > at(8))
    was = history[spot]
    history[spot] = Op(spot, was.time_ns, was.process, "ok", was.f, [HOSTILE], HOSTILE, HOSTILE)
    vote = {"event": "vote", "term": 9, "for": HOSTILE, "seq": 99, "time_ns": at(21)}
    logs["cp-gcp-1"][0].append(logs["cp-gcp-1"][0][-1] | vote)
    about |= {"command": HOSTILE, "id": HOSTILE, "plan": about["plan"] | {"cluster": HOSTILE}}
    about["host"] |= {"os": HOSTILE, "packages": {HOSTILE: HOSTILE}}
    about["facts"] |= {"errors": [HOSTILE], "capabilities": [HOSTILE]}
    anomaly = Anomaly(
        HOSTILE,
        HOSTILE,
        (spot,),
        ({"event": HOSTILE, "node": HOSTILE, "time_ns": at(8)}, logs["cp-gcp-1"][0][-1]),
        at(8),
    )
    verdict = Verdict(HOSTILE, Validity.NO, HOSTILE, (anomaly,), {HOSTILE: HOSTILE})
    return history, logs, about, [verdict]
