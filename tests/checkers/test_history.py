"""Pairing, order, and the two forms on disk."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from checkers import CHECKERS
from checkers.formats.columns import read_columns, write_columns
from checkers.formats.jsonl import read_ops, write_ops
from checkers.history import History, HistoryError, Op, in_order
from tests.checkers.build import MS, answer, append, boot, fault, history, logs, ops, read


def op(index: int, time_ns: int, process: Any, kind: Any, f: str = "append", **more: Any) -> Op:
    return Op(index, time_ns, process, kind, f, more.pop("value", ["k", 1]), **more)


def test_calls_pair_within_each_process_in_order_of_invocation() -> None:
    recorded = ops(
        append(1, "k", 5, 10, 40, witness=3),
        read(2, "k", [5], 20, 30, witness=3),
        append(3, "k", 6, 25, 50, type="info"),
        append(4, "k", 7, 60, None),
    )
    calls = list(history(recorded).calls())
    assert [(call.invoke.f, call.invoke.process, call.type) for call in calls] == [
        ("append", 1, "ok"),
        ("read", 2, "ok"),
        ("append", 3, "info"),
        ("append", 4, "info"),
    ]
    assert calls[1].completion is not None and calls[1].completion.value == ["k", [5]]
    assert calls[3].completion is None


def test_one_process_may_end_and_begin_in_the_same_nanosecond() -> None:
    recorded = [op(0, 5, 1, "invoke"), op(1, 5, 1, "ok"), op(2, 5, 1, "invoke"), op(3, 5, 1, "ok")]
    assert [call.invoke.index for call in history(in_order(recorded)).calls()] == [0, 2]


def test_at_equal_times_invocations_come_first() -> None:
    recorded = [op(0, 5, 1, "ok"), op(1, 5, 2, "invoke"), op(2, 4, 3, "info")]
    assert [one.index for one in in_order(recorded)] == [2, 1, 0]


@pytest.mark.parametrize(
    ("recorded", "complaint"),
    [
        ([op(0, 1, 7, "ok")], "op 0: process 7 completed append without having invoked it"),
        ([op(0, 1, 7, "invoke"), op(1, 2, 7, "invoke")], "op 1: process 7 invoked append while its append"),
        (
            [op(0, 1, 7, "invoke"), op(1, 2, 7, "info"), op(2, 3, 7, "invoke")],
            "op 2: process 7 went on after the info of op 1",
        ),
        ([op(0, 1, 7, "invoke"), op(1, 2, 7, "ok", "read")], "op 1: completes read, but op 0 invoked append"),
        ([op(0, 5, 7, "invoke"), op(1, 4, 7, "ok")], "op 1: ends before op 0 began"),
        (
            [op(0, 1, 7, "invoke"), op(1, 2, 7, "done")],
            "op 1: type 'done'; expected invoke, ok, fail or info",
        ),
    ],
)
def test_a_history_that_contradicts_itself_is_refused(recorded: list[Op], complaint: str) -> None:
    with pytest.raises(HistoryError) as refused:
        list(history(recorded).calls())
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_faults_pair_by_step() -> None:
    recorded = ops(faults=[*fault(1, "partition", ["n1"], 10, 50), *fault(2, "kill", ["n2"], 20, None)])
    first, second = history(recorded).faults()
    assert (first.step, first.nemesis, first.nodes, first.took_effect) == (1, "partition", ("n1",), True)
    assert (first.inject_ns, first.injected_ns) == (10 * MS, 11 * MS)
    assert (first.heal_ns, first.healed_ns) == (50 * MS, 51 * MS)
    assert (second.nemesis, second.heal_ns, second.healed_ns) == ("kill", None, None)


def test_a_fault_without_a_completed_inject_has_no_proof() -> None:
    recorded = ops(faults=fault(1, "partition", ["n1"], 10, None)[:1])
    (window,) = history(recorded).faults()
    assert not window.took_effect


def test_a_heal_that_failed_healed_nothing() -> None:
    *begun, failed = fault(1, "partition", ["n1"], 10, 50)
    assert isinstance(failed.value, dict)
    nothing = Op(0, failed.time_ns, "nemesis", "info", "partition", failed.value | {"nodes": []})
    (window,) = history(ops(faults=[*begun, nothing])).faults()
    assert window.heal_ns == 50 * MS and window.healed_ns is None


@pytest.mark.parametrize(
    ("faults", "complaint"),
    [
        (fault(1, "kill", [], 1, 5)[1:], "step 1 completed a inject that it never asked for"),
        (fault(1, "kill", [], 1, 5)[2:], "step 1 healed what it never injected"),
        (fault(1, "kill", [], 1, 5) + fault(1, "kill", [], 9, None), "step 1 did its inject twice"),
        ([op(0, 1, "nemesis", "invoke", "kill", value=None)], "needs a value with its step's number"),
    ],
)
def test_faults_that_contradict_themselves_are_refused(faults: list[Op], complaint: str) -> None:
    with pytest.raises(HistoryError, match=complaint):
        list(history(ops(faults=faults)).faults())


def some_ops() -> list[Op]:
    rng = random.Random(7)
    values: list[Any] = [
        None,
        3,
        "ä\n",
        ["k", [1, 2]],
        {"step": 1, "nodes": ["n1"]},
        ["k", [None, 5]],
        2**70,
        1.5,
    ]
    return [
        Op(
            index=i,
            time_ns=rng.randrange(2**62),
            process=rng.choice([0, 12, 99_999, "nemesis"]),
            type=rng.choice(["invoke", "ok", "fail", "info"]),
            f=rng.choice(["append", "read", "write"]),
            value=rng.choice(values),
            node=rng.choice([None, "cp-aws-1", "cp-gcp-1"]),
            error=rng.choice([None, "timed out", "“no”"]),
            witness=rng.choice([None, 0, 97]),
        )
        for i in range(300)
    ]


def test_json_lines_hold_exactly_the_operations(tmp_path: Path) -> None:
    write_ops(tmp_path / "history.jsonl", some_ops())
    assert read_ops(tmp_path / "history.jsonl") == in_order(some_ops())
    first = json.loads((tmp_path / "history.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert list(first) == ["index", "time_ns", "process", "type", "f", "value", "node", "error", "witness"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not a line of JSON"),
        ("[]", "expected a JSON object"),
        ('{"index":1}', "an operation without f, process, time_ns, type, value"),
        ('{"index":1,"time_ns":1,"process":"me","type":"ok","f":"x","value":1}', "process a whole number"),
        ('{"index":1,"time_ns":1,"process":1,"type":"done","f":"x","value":1}', "type 'done'"),
        ('{"index":1,"time_ns":1,"process":1,"type":"ok","f":"x","value":1,"who":2}', "no field who"),
        ('{"index":1,"time_ns":1,"process":1,"type":"ok","f":"x","value":1,"witness":"a"}', "witness 'a'"),
        ("\udcff", "not a line of JSON"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "history.jsonl"
    write_ops(path, some_ops()[:2])
    path.write_bytes(path.read_bytes() + line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(HistoryError) as refused:
        read_ops(path)
    assert str(refused.value).startswith(f"{path}:3: ")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no such file"):
        read_ops(tmp_path / "history.jsonl")


def test_columns_hold_exactly_the_operations(tmp_path: Path) -> None:
    write_columns(tmp_path / "columns", some_ops())
    assert read_columns(tmp_path / "columns") == some_ops()


def test_empty_columns(tmp_path: Path) -> None:
    write_columns(tmp_path, [])
    assert read_columns(tmp_path) == []


def test_columns_are_little_endian_arrays_that_columns_json_describes(tmp_path: Path) -> None:
    recorded = some_ops()
    write_columns(tmp_path, recorded)
    header = json.loads((tmp_path / "columns.json").read_text())
    assert header["columns"]["time_ns"] == {"file": "time_ns.bin", "dtype": "<i8"}
    raw = (tmp_path / "time_ns.bin").read_bytes()
    assert int.from_bytes(raw[8:16], "little") == recorded[1].time_ns
    assert header["dictionaries"]["node"][(tmp_path / "node.bin").read_bytes()[0]] in ("cp-aws-1", "cp-gcp-1")


def test_a_column_of_another_length_is_refused(tmp_path: Path) -> None:
    write_columns(tmp_path, some_ops())
    path = tmp_path / "witness.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(HistoryError, match=r"witness\.bin: 2399 bytes; expected 2400"):
        read_columns(tmp_path)


@pytest.mark.parametrize("name", ["node", "boot", "term", "role", "commit_index", "applied_index"])
def test_an_answer_that_lacks_something_is_named(name: str) -> None:
    lacking = {key: value for key, value in answer(2, "n1").items() if key != name}
    for checker in ("single-leader", "monotone", "leader-completeness"):
        with pytest.raises(HistoryError) as refused:
            CHECKERS[checker](history(events=logs(n1=[[boot()]]), observations=[answer(1, "n1"), lacking]))
        complaint = f"observations.jsonl:2: an answer whose {name} is missing or of another type"
        assert str(refused.value).startswith(complaint)
        assert "\n" not in str(refused.value)


def test_a_state_of_the_workers_that_lacks_something_is_named() -> None:
    for lacking in (
        {"time_ns": 1, "node": "n1"},
        {"time_ns": 1, "workers": {}},
        {"node": "n1", "workers": {}},
    ):
        with pytest.raises(HistoryError, match=r"^worker_states\.jsonl:1: an answer whose \w+ is missing"):
            CHECKERS["workers"](history(facts={"workers": ["w1"]}, worker_states=[lacking]))
    with pytest.raises(HistoryError, match="expected a JSON object"):
        CHECKERS["workers"](history(facts={"workers": ["w1"]}, worker_states=[3]))


def test_an_empty_history_is_never_yes() -> None:

    for name, check in CHECKERS.items():
        verdict = check(History())
        assert verdict.checker == name
        assert verdict.valid.value in ("unknown", "vacuous")
        assert verdict.summary
