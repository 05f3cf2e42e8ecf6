"""Other projects' histories, and ours, as they are read: values, processes, order, and where a fault is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checkers.formats.columns import load_columns, read_columns, write_columns
from checkers.formats.edn import Edn
from checkers.formats.jsonl import read_ops, write_ops
from checkers.formats.reading import FORMATS, read_history
from checkers.history import History, HistoryError, Op
from tests.checkers.test_history import some_ops

SHARED = Path(__file__).parents[3] / "shared" / "histories"


def edn(text: str) -> list[Any]:
    return [form for _, form in Edn(text, "h.edn").collections()]


def value(text: str) -> Any:
    ((only,),) = edn(f"[[{text}]]")
    return only


def written(folder: Path, text: str, name: str = "history") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> History:
    return read_history(written(folder, text))


def refused(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(HistoryError) as error:
        read_history(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nil", None),
        ("true", True),
        ("-17", -17),
        ("+3N", 3),
        (str(2**80), 2**80),
        ("1.5", 1.5),
        ("-2.5e3", -2500.0),
        ("1.10M", 1.1),
        ("3.14159265358979323846M", "3.14159265358979323846M"),
        ("22/7", "22/7"),
        ("##Inf", "##Inf"),
        (":a/b", "a/b"),
        ("some.symbol/x*", "some.symbol/x*"),
        (r"\a", "a"),
        (r"\newline", "\n"),
        (r"\u00e4", "ä"),
        (r"\(", "("),
        (r'"a\n\"b\\ \u00e4 ; [ {"', 'a\n"b\\ ä ; [ {'),
        (r'"\ud83d\ude00"', "😀"),
        ('"Cut off [:n1 #[:n2 :n3]]"', "Cut off [:n1 #[:n2 :n3]]"),
        ("(1 [2 #{3}])", [1, [2, [3]]]),
        ('{:a 1, "b" 2 3 4}', {"a": 1, "b": 2, 3: 4}),
        ("{[:a 1] 2 nil 3 true 4 1.5 5}", {'["a", 1]': 2, "null": 3, "true": 4, "1.5": 5}),
        ("#:n1{:a 1 :x/b 2 3 4}", {"n1/a": 1, "x/b": 2, 3: 4}),
        ('#inst "2020-01-01"', "2020-01-01"),
        ('#object[java.lang.Object 0x1f "x"]', ["java.lang.Object", "0x1f", "x"]),
        ("#jepsen.independent/tuple [5 nil]", [5, None]),
        ("#_ 1 2", 2),
        ("#_#_ 1 [2 {3 4}] 5", 5),
        ("1 #_ #foo {:a #_ 9 1}", 1),
        ("1 ; 2 [\n", 1),
    ],
)
def test_values_of_edn(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_edn_is_read_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[{:a "x y ; [\\" z"} ; one { two\n #:n {:b \\space}, {:c #_ [1 2] #foo (3 4)}\n]'
    whole = [{"a": 'x y ; [" z'}, {"n/b": " "}, {"c": [3, 4]}]
    for size in range(len(text) + 1):
        monkeypatch.setattr("checkers.formats.edn._PIECE", size or 1)
        assert edn(text) == whole


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[{:a 1}\n {:b 2", ":2:2: this is never closed"),
        ("[{:a 1}\n {:b 2]", ":2:7: ] where } should close what began at h.edn:2:2"),
        ("{:a 1}\n  )", ":2:3: ) closes nothing"),
        ('{:a\n "b}', ":2:2: a text that is never closed"),
        ("{:a}", ":1:4: a map with a key that has no value"),
        ("{:a 1 :a 2}", ":1:11: a map with the same key twice"),
        ("[{:a 1} 7 {:b 2}]", ":1:16: expected nothing but maps"),
        ("[{:a 1}] {:b 2}", ":1:15: expected nothing but maps"),
        ("{:a 1} 7", ":1:8: expected nothing but maps"),
        ("{:a @}", ":1:5: '@' is no EDN"),
        ("{:a 08x}", ":1:5: '08x' is no number"),
        ('{:a "\\q"}', ":1:5: a text with \\'q'"),
        ("{:a \\frog}", ":1:5: \\'frog' is no character"),
        ("{:a #}", ":1:5: '#' is no EDN"),
        ("[#_]", ":1:2: #_ with nothing after it"),
    ],
)
def test_a_fault_in_edn_has_line_and_column(text: str, complaint: str) -> None:
    with pytest.raises(HistoryError) as error:
        edn(text)
    assert str(error.value).startswith(f"h.edn{complaint}")


READ_AND_WRITE = """[{:process 0, :type :invoke, :f :write, :value 1, :time 10, :index 0}
 {:process :nemesis, :type :info, :f :start, :value nil, :time 11, :index 1}
 {:process 1, :type :invoke, :f :read, :value nil, :time 12, :index 2}
 {:process 0, :type :info, :f :write, :value 1, :time 13, :index 3, :error [:timeout 5]}
 {:process 1, :type :ok, :f :read, :value 1, :time 14, :index 4}]"""


def test_op_maps_become_operations(tmp_path: Path) -> None:
    history = read(tmp_path, READ_AND_WRITE)
    assert list(history.ops) == [
        Op(0, 10, 0, "invoke", "write", 1),
        Op(2, 12, 1, "invoke", "read", None),
        Op(3, 13, 0, "info", "write", 1, error='["timeout", 5]'),
        Op(4, 14, 1, "ok", "read", 1),
    ]
    assert history.facts == {"nil_reads": "unrecorded", "nemesis_ops": 1}


def test_a_line_a_map_a_list_and_json_say_the_same(tmp_path: Path) -> None:
    expected = list(read(tmp_path, READ_AND_WRITE).ops)
    body = READ_AND_WRITE[1:-1]
    maps = [
        {name: f":{x}" if name in ("type", "f") else x for name, x in form.items()}
        for form in edn(READ_AND_WRITE)
    ]
    for text in (
        body,
        f"; a comment\n({body})",
        body.replace("{:process", "#jepsen.history.Op{:process"),
        json.dumps(maps),
        json.dumps(maps, indent=2),
        "".join(json.dumps(one) + "\n" for one in maps),
    ):
        assert list(read(tmp_path, text).ops) == expected


def test_without_times_or_with_times_that_go_back_the_order_in_the_file_is_the_time(tmp_path: Path) -> None:
    lines = ["{:process 0 :type :invoke :f :read%s}", "{:process 1 :type :invoke :f :read%s}"]
    for times in (("", ""), (" :time 7", ""), (" :time 7", " :time 6")):
        text = "\n".join(line % time for line, time in zip(lines, times, strict=True))
        assert [op.time_ns for op in read(tmp_path, text).ops] == [0, 1]


def test_equal_times_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    ops = read(
        tmp_path,
        "{:process 0 :type :invoke :f :add :value 1 :time 5}"
        "{:process 0 :type :ok :f :add :value 1 :time 9}"
        "{:process 1 :type :invoke :f :read :time 9}",
    ).ops
    assert [op.time_ns for op in ops] == [5, 9, 10]


def test_a_process_that_goes_on_after_an_info_is_another_one(tmp_path: Path) -> None:
    history = read(
        tmp_path,
        "{:process 3 :type :invoke :f :write :value 1}{:process 3 :type :info :f :write :value 1}"
        "{:process 3 :type :invoke :f :write :value 2}{:process 3 :type :info :f :write :value 2}"
        "{:process 3 :type :invoke :f :read}{:process 4 :type :invoke :f :read}"
        '{:process "a" :type :invoke :f :read}',
    )
    assert [op.process for op in history.ops] == [3, 3, 5, 5, 6, 4, 7]
    assert [call.type for call in history.calls()] == ["info"] * 5


def test_a_key_becomes_part_of_the_value(tmp_path: Path) -> None:
    history = read(
        tmp_path,
        '{:process 0, :type :invoke, :f :get, :key "7", :value nil}\n'
        '{:process 0, :type :ok, :f :get, :key "7", :value "x 0 y"}\n',
    )
    assert [op.value for op in history.ops] == [["7", None], ["7", "x 0 y"]]


def test_an_ok_without_a_value_has_the_invocations(tmp_path: Path) -> None:
    history = read(
        tmp_path,
        '{"process":0,"type":"invoke","f":"write","value":4}\n{"process":0,"type":"ok","f":"write"}\n',
    )
    assert [op.value for op in history.ops] == [4, 4]


def test_transactions_need_neither_f_nor_process_nor_invocations(tmp_path: Path) -> None:
    sequential = read(
        tmp_path,
        "{:type :invoke :value [[:r 1 nil]]}{:type :ok :value [[:r 1 [2]]]}"
        "{:type :invoke :value [[:r 1 nil]]}",
    )
    assert [(op.f, op.value) for op in sequential.ops] == [
        ("txn", [["r", 1, None]]),
        ("txn", [["r", 1, [2]]]),
        ("txn", [["r", 1, None]]),
    ]
    completed = read(
        tmp_path,
        "{:type :ok :process 0 :value [[:append 1 5] [:r 1 [5]]]}{:type :fail :process 0 :value [[:w 1 2]]}",
    )
    assert [(op.index, op.time_ns, op.type, op.value) for op in completed.ops] == [
        (0, 0, "invoke", [["append", 1, 5], ["r", 1, None]]),
        (1, 1, "ok", [["append", 1, 5], ["r", 1, [5]]]),
        (2, 2, "invoke", [["w", 1, 2]]),
        (3, 3, "fail", [["w", 1, 2]]),
    ]
    assert [call.type for call in completed.calls()] == ["ok", "fail"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{:process 0 :type :ok :f :read}", ":1:1: process 0 completed read without having invoked it"),
        (
            "{:process 0 :type :invoke :f :read}\n {:process 0 :type :invoke :f :write}",
            ":2:2: process 0 invoked write while its read was still open",
        ),
        (
            "{:process 0 :type :invoke :f :read}\n {:process 0 :type :ok :f :write}",
            ":2:2: process 0 completed write, but had invoked read",
        ),
        ("{:process 0 :type :done :f :read}", ":1:1: type 'done'; expected invoke, ok, fail, info"),
        ("{:process 0 :f :read}", ":1:1: type nil"),
        ("{:process 1.5 :type :ok :f :read}", ":1:1: process 1.5; expected a number or a name"),
        ("{:process 0 :type :invoke :value 1}", ":1:1: f nil"),
        ("[[1 2]]", ":1:2: expected an operation's map"),
        (
            "{:process 0 :type :invoke :f :read :time 5}{:process 0 :type :ok :f :read :time 4}",
            ":1:44: ends at 4, before it began at 5",
        ),
        (
            "{:process 0 :type :invoke :f :read :index 5}{:process 0 :type :ok :f :read :index 4}",
            ":1:45: index 4 after a larger one",
        ),
        (
            "{:type :ok :value [[:r 1 [2]]]}{:type :invoke :value [[:r 1 nil]]}",
            ":1:32: the first invocation, after operations that were never invoked",
        ),
        (
            '[{"process":0,"type":"invoke","f":"read"},\n  {"process":0,"type":"what","f":"read"}]',
            ":2:3: type 'what'",
        ),
        ('{"process":0,"type":"invoke","f":"read"}\n{"process":0,', ":2: not a line of JSON"),
        ('[{"process":0},\n{"process"]', ":2:11: not JSON"),
        (
            '{"c01-ok.txt": true,\n "c01-bad.txt": false}',
            ": one JSON object; expected an array of operations",
        ),
    ],
)
def test_what_contradicts_itself_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    assert refused(tmp_path, text).startswith(complaint)


ETCD = (
    "INFO  jepsen.core - Starting\n"
    "INFO  jepsen.util - 0\t:invoke\t:write\t3\n"
    "INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n"
    "INFO  jepsen.util - 1  :invoke  :cas  [3 0]\n"
    "INFO  jepsen.util - 0\t:info\t:write\t:timed-out\n"
    "INFO  jepsen.util - 1\t:fail\t:cas\t[3 0]\n"
    "INFO  jepsen.util - 2\t:invoke\t:read\tnil\n"
    "INFO  jepsen.util - 2\t:ok\t:read\tnil\n"
)


def test_etcd_logs(tmp_path: Path) -> None:
    history = read(tmp_path, ETCD)
    assert [(op.process, op.type, op.f, op.value, op.error) for op in history.ops] == [
        (0, "invoke", "write", 3, None),
        (1, "invoke", "cas", [3, 0], None),
        (0, "info", "write", None, "timed-out"),
        (1, "fail", "cas", [3, 0], None),
        (2, "invoke", "read", None, None),
        (2, "ok", "read", None, None),
    ]
    # No word on nil_reads: a read of nil did see nil.
    assert history.facts == {"nemesis_ops": 1, "skipped_lines": 1}


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("INFO  jepsen.util - 2\t:done\t:read\tnil\n", ":9: type 'done'"),
        (
            "INFO  jepsen.util - 2\t:ok\t:read\tnil\n",
            ":9: process 2 completed read without having invoked it",
        ),
        ("INFO  jepsen.util - 2\t:inv", ":9: expected PROCESS :TYPE :F VALUE"),
        ("INFO  jepsen.util - 2\t:invoke\t:read\t \n", ":9: expected PROCESS :TYPE :F VALUE"),
        ("INFO  jepsen.util - 2\t:invoke\t:cas\t[3", ":9: '[3' is no value"),
        ("INFO  jeps", ":9: 'INFO  jeps' is a line cut short"),
    ],
)
def test_a_fault_in_an_etcd_log_has_its_line(tmp_path: Path, more: str, complaint: str) -> None:
    assert refused(tmp_path, ETCD + more).startswith(complaint)


def test_an_etcd_log_tells_why_besides_what(tmp_path: Path) -> None:
    more = "INFO  jepsen.util - 3\t:invoke\t:write\t4\nINFO  jepsen.util - 3\t:info\t:write\t4\t:timed-out\n"
    last = read(tmp_path, ETCD + more).ops[-1]
    assert (last.type, last.value, last.error) == ("info", 4, ":timed-out")


def test_only_the_last_line_of_an_etcd_log_can_be_cut_short(tmp_path: Path) -> None:
    assert read(tmp_path, "INFO  jeps\n" + ETCD).facts["skipped_lines"] == 2


def test_a_log_without_operations_is_refused(tmp_path: Path) -> None:
    assert "not a single operation" in refused(tmp_path, ETCD.splitlines()[2])


def test_formats_are_found_by_content_or_forced(tmp_path: Path) -> None:
    recorded = sorted((op for op in some_ops()), key=lambda op: op.time_ns)
    lines, columns = tmp_path / "anything", tmp_path / "run" / "columns"
    write_ops(lines, recorded)
    write_columns(columns, recorded)
    (tmp_path / "run" / "run.json").write_text('{"facts":{"nodes":["n1"]}}')
    assert list(read_history(lines).ops) == recorded
    assert list(read_history(lines, "json-lines").ops) == recorded
    assert list(read_history(columns).ops) == recorded
    assert list(read_history(tmp_path / "run").ops) == recorded
    assert read_history(tmp_path / "run").facts == {"nodes": ["n1"]}
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(lines.read_bytes()))
    assert list(read_history(packed).ops) == recorded
    store = tmp_path / "store"
    store.mkdir()
    written(store, READ_AND_WRITE, "history.edn")
    assert len(read_history(store).ops) == 4
    with pytest.raises(HistoryError, match="not a line of JSON"):
        read_history(store, "json-lines")
    with pytest.raises(HistoryError, match="no format 'xml'; expected one of json-lines"):
        read_history(lines, "xml")
    assert list(FORMATS) == ["json-lines", "jepsen-json", "edn", "etcd-log"]


def test_an_empty_vector_is_an_empty_history(tmp_path: Path) -> None:
    assert not read(tmp_path, "[]").ops


def test_columns_are_arrays_of_numbers(tmp_path: Path) -> None:
    recorded = some_ops()
    write_columns(tmp_path, recorded)
    columns = load_columns(tmp_path)
    assert len(columns) == len(recorded)
    assert columns.time_ns.tolist() == [op.time_ns for op in recorded]
    assert [columns.names["type"][number] for number in columns.type] == [op.type for op in recorded]
    assert columns.value.decoded() == [op.value for op in recorded]
    assert columns.witness.dtype == np.int64
    columns.index[0] = 99  # private: neither the file nor the next reader sees it
    assert read_columns(tmp_path) == recorded


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        ("f.bin", lambda raw: b"\x09\x00" + raw[2:], "a column points outside its dictionary"),
        ("node.bin", lambda raw: b"\xf0\xff" + raw[2:], "a column points outside its dictionary"),
        ("value.blob", lambda raw: raw[:-1], "not the texts that its offsets describe"),
        ("value.blob", lambda raw: b"," * len(raw), "not the texts that its offsets describe"),
        ("value.offsets.bin", lambda raw: raw[:8] + b"\xff" * 8 + raw[16:], "not the texts that its offsets"),
        ("error.offsets.bin", lambda raw: raw[8:], "bytes; expected"),
        ("columns.json", lambda raw: raw.replace(b'"count": 300', b'"count": -1'), "count is -1"),
        ("columns.json", lambda raw: raw[:-9], "not JSON"),
        ("columns.json", lambda raw: raw.replace(b'"info"', b'"what"'), "types"),
    ],
)
def test_torn_columns_are_refused(tmp_path: Path, file: str, change: Any, complaint: str) -> None:
    write_columns(tmp_path, some_ops())
    (tmp_path / file).write_bytes(change((tmp_path / file).read_bytes()))
    with pytest.raises(HistoryError, match=complaint) as error:
        read_columns(tmp_path)
    assert "\n" not in str(error.value)


def test_json_lines_say_why_and_not_only_that(tmp_path: Path) -> None:
    line = '{"index":0,"time_ns":1,"process":0,"type":"ok","f":"x","value":1,"node":3}\n'
    with pytest.raises(HistoryError, match=":1: node 3; expected a text or null"):
        read_ops(written(tmp_path, line))


# Counted by hand (grep -c, less the nemesis' lines): operations, and calls among them.
COUNTED = {
    "cas-register/bad/bad-analysis.edn": (16, 9),
    "cas-register/bad/immediate-failure.edn": (4, 2),
    "cas-register/bad/cas-failure.edn": (582, 291),
    "cas-register/good/cas-register-bug.edn": (11, 6),
    "elle/list-append-gh-30.edn": (10, 5),
    "elle/paper-example.edn": (8, 4),
    "etcd/etcd_000.log": (170, 85),
    "jepsen/bank.json": (642, 321),
    "jepsen/bank-negative-balances.json": (4, 2),
    "jepsen/counter.json": (574, 287),
    "jepsen/long-fork.edn": (4, 2),
    "jepsen/set.edn": (8, 4),
    "kv/c01-ok.txt": (116, 58),
    "kv/c50-ok.txt": (3424, 1712),
}
NO_HISTORIES = ("verdicts.json", "list_append_cases.json", "register_interval_cases.json", "INDEX.md")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared histories are not here")
def test_every_shared_history_is_read() -> None:
    counts = {}
    for path in sorted(path for path in SHARED.rglob("*") if path.is_file()):
        if path.name in NO_HISTORIES:
            with pytest.raises(HistoryError):
                read_history(path)
            continue
        history = read_history(path)
        counts[path.relative_to(SHARED).as_posix()] = (len(history.ops), len(list(history.calls())))
        assert ("nil_reads" in history.facts) == (path.suffix != ".log")
    assert len(counts) == 122
    assert {name: counts[name] for name in COUNTED} == COUNTED
    assert sum(ops for name, (ops, _) in counts.items() if name.startswith("etcd/")) == 8354
