"""EDN and Jepsen's op maps at the edges: the deepest, the longest, the last, and the keys' many shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checkers.formats.edn import MAX_DEPTH, MAX_DIGITS, Edn, clipped
from checkers.formats.reading import read_history
from checkers.history import History, HistoryError


def forms(text: str) -> list[Any]:
    return [form for _, form in Edn(text, "h").collections()]


def fault(text: str) -> str:
    with pytest.raises(HistoryError) as refused:
        forms(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("false", False),
        ("##-Inf", "##-Inf"),
        ("##NaN", "##NaN"),
        ("-1/2", "-1/2"),
        ("0x1F", "0x1F"),
        ("1e2", 100.0),
        ("-1.5M", -1.5),
        ("9" * MAX_DIGITS, None),
        (r'"\101\7\t"', "A\a\t"),
        (r'"\377"', "ÿ"),
        (r"\tab", "\t"),
        (r"\space", " "),
        ("+", "+"),
        ("-a", "-a"),
        ("{true 1 1 2}", {"true": 1, 1: 2}),
        ("{1.0 1 1 2}", {"1.0": 1, 1: 2}),
        ("#:n{:a 1 \"b/c\" 2 :_/d 3}", {"n/a": 1, "b/c": 2, "_/d": 3}),
        ("[{:a 1} #:n{:a 1} {:a 2}]", [{"a": 1}, {"n/a": 1}, {"a": 2}]),
        ("#{1 2}", [1, 2]),
        ("#_ [1 2] 3", 3),
        ("#_ [1 [2] 3] 4", 4),
        ("#_ [#_ 1 2 3] 4", 4),
        ("#_ {:a #_ 1 2} 4", 4),
        ("#_ #_ #_ 1 2 3 4", 4),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    ((found,),) = forms(f"[[{text}]]")
    expected = int(text) if value is None else value
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * (MAX_DEPTH + 1), f"h:1:{MAX_DEPTH + 1}: nested more than {MAX_DEPTH} deep"),
        (f"[[{'9' * (MAX_DIGITS + 1)}]]", "h:1:3: a number of 4301 characters; at most 4300 are read"),
        ("[[-1e999]]", "h:1:3: '-1e999' is too large for a floating-point number"),
        ("[[1e999]]", "h:1:3: '1e999' is too large for a floating-point number"),
        ("[[:]]", "h:1:3: ':' is no EDN"),
        ("[[a\x01]]", "h:1:3: 'a\\x01' is no EDN"),
        ("[[+1x]]", "h:1:3: '+1x' is no number"),
        ("[[1]\n [2\n [3", "h:3:2: this is never closed"),
        ("[{:a 1}", "h:1:1: this is never closed"),
        ("[#_ ]", "h:1:2: #_ with nothing after it"),
        ("[#_ 1 #_]", "h:1:7: #_ with nothing after it"),
        ("[(1})]", "h:1:4: } where ) should close what began at h:1:2"),
        ("[[1)]", "h:1:4: ) where ] should close what began at h:1:2"),
        ("{:a 1} {:a 2 :a}", "h:1:16: a map with a key that has no value"),
        ("{:a 1 :b}{:a 1 :b}", "h:1:9: a map with a key that has no value"),
        ("{:a 1 :b 2}{:a 1 :b}", "h:1:20: a map with a key that has no value"),
        ("{1 2 1 3}", "h:1:9: a map with the same key twice"),
        ("{:a 1 :a 2}", "h:1:11: a map with the same key twice"),
        ("7 {:a 1}", "h:1:8: expected nothing but maps"),
        ("[{:a 1} 7]", "h:1:10: expected nothing but maps"),
        ("#1 {:a 1}", "h:1:1: '#1' is no EDN"),
        (r'["\ud800"]', "h:1:2: a text with half a character"),
        (r"[\udc00]", "h:1:2: a text with half a character"),
        (f"[[{'a' * 50}@]]", f"h:1:3: '{'a' * 40}\\u2026' is no EDN"),
    ],
)
def test_faults_have_their_place(text: str, complaint: str) -> None:
    assert fault(text).startswith(complaint)


def test_what_is_as_deep_as_may_be_is_read() -> None:
    assert len(forms("[" * MAX_DEPTH + "]" * MAX_DEPTH)) == 1
    assert clipped("a" * 40) == f"'{'a' * 40}'"


def test_a_collection_has_the_place_of_its_beginning() -> None:
    edn = Edn("[{:a 1}\n ; none\n {:b 2}]", "h")
    assert [edn.place(number) for number, _ in edn.collections()] == ["h:1:2", "h:3:2"]


def test_a_comment_and_a_text_may_be_longer_than_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{:a "1 ; 2 # 3"} ; a "b {:c 1} d\n{:b #foo  4, :c #:n  {:d 5}} #_ #bar {:e 6} {:f 7}'
    whole = forms(text)
    assert whole == [{"a": "1 ; 2 # 3"}, {"b": 4, "c": {"n/d": 5}}, {"f": 7}]
    for size in range(1, len(text)):
        monkeypatch.setattr("checkers.formats.edn._PIECE", size)
        assert forms(text) == whole


def test_a_maps_keys_are_what_they_were_in_the_map_before() -> None:
    assert forms("{1 1}{true 2}{1.0 3}{1 4}{true 5}") == [
        {1: 1},
        {"true": 2},
        {"1.0": 3},
        {1: 4},
        {"true": 5},
    ]


def read(folder: Path, text: str) -> History:
    path = folder / "h"
    path.write_text(text)
    return read_history(path)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(HistoryError) as error:
        read(folder, text)
    return str(error.value).removeprefix(str(folder / "h"))


def mapped(**fields: Any) -> str:
    inside = " ".join(f":{name} {value}" for name, value in fields.items())
    return f"{{{inside}}}"


def invoke(process: Any, **fields: Any) -> str:
    return mapped(process=process, type=":invoke", **{"f": ":read", **fields})


def ok(process: Any, **fields: Any) -> str:
    return mapped(process=process, type=":ok", **{"f": ":read", **fields})


def test_positions_are_the_files_own_only_where_every_operation_has_one(tmp_path: Path) -> None:
    some = invoke(0, index=5) + ok(0)
    assert [op.index for op in read(tmp_path, some).ops] == [0, 1]
    nemesis = invoke(":nemesis-2", index=6)
    assert [op.index for op in read(tmp_path, invoke(0, index=5) + nemesis + ok(0, index=9)).ops] == [5, 9]
    assert [op.index for op in read(tmp_path, invoke(0) + nemesis + ok(0)).ops] == [0, 2]
    assert refused(tmp_path, invoke(0, index=5) + ok(0, index=5)).endswith(
        "index 5 after a larger one; a history's order is the order in time"
    )


def test_times_are_the_files_own_where_they_can_be(tmp_path: Path) -> None:
    def times(*given: int) -> list[int]:
        text = "".join(invoke(process, time=time) for process, time in enumerate(given))
        return [op.time_ns for op in read(tmp_path, text).ops]

    assert times(3, 5, 9) == [3, 5, 9]
    assert times(3, 3, 3, 4, 9) == [3, 4, 5, 6, 9]
    assert times(3, 5, 4) == [0, 1, 2]
    assert times(-1, 5, 9) == [0, 1, 2]
    assert [op.time_ns for op in read(tmp_path, invoke(0, time=4) + ok(0, time=4)).ops] == [4, 5]


@pytest.mark.parametrize("field", ["time", "index", "process"])
def test_numbers_have_their_bounds(tmp_path: Path, field: str) -> None:
    for number in (1 << 62, -(1 << 63) - 1):
        text = mapped(process=0, type=":invoke", f=":read") if field != "process" else "{:type :invoke :f :a}"
        text = text.replace(":process 0", "").replace("}", f" :{field} {number}}}")
        assert f"{field} {number} is too large a number" in refused(tmp_path, text)
    read(tmp_path, invoke(0).replace(":process 0", "").replace("}", f" :{field} {(1 << 62) - 1}}}"))


def test_processes_keep_their_numbers_where_they_can(tmp_path: Path) -> None:
    text = invoke(-3) + ok(-3) + invoke(4) + mapped(process=4, type=":fail", f=":read") + invoke(4)
    text += mapped(process=4, type=":info", f=":read") + invoke(4) + invoke('"a"')
    assert [op.process for op in read(tmp_path, text).ops] == [5, 5, 4, 4, 4, 4, 6, 7]


def test_completions_take_from_their_invocations_what_they_lack(tmp_path: Path) -> None:
    text = invoke(0, f=":write", value=1, node='"n1"')
    assert [(op.value, op.node) for op in read(tmp_path, text + ok(0, f=":write")).ops] == [
        (1, "n1"),
        (1, None),
    ]
    fail = mapped(process=0, type=":fail", f=":write", error=":no")
    assert [(op.value, op.error) for op in read(tmp_path, text + fail).ops] == [(1, None), (None, "no")]
    assert [op.value for op in read(tmp_path, invoke(0) + ok(0, value=3)).ops] == [None, 3]
    assert [op.value for op in read(tmp_path, invoke(0, value=1) + ok(0, value="nil")).ops] == [1, None]
    assert [op.f for op in read(tmp_path, text + "{:process 0 :type :ok}").ops] == ["write", "write"]


def test_only_transactions_may_go_without_invocations(tmp_path: Path) -> None:
    done = "{:process 0 :type :ok :value [[:append 1 2] [:r 1 [2]]]}"
    assert len(read(tmp_path, done * 2).ops) == 4
    for text in (
        "{:process 0 :type :ok :f :read :value 1}",
        "{:process 0 :type :ok :f :a :value []}",
        "{:process 0 :type :ok :f :a :value [[:append 1]]}",
        "{:process 0 :type :ok :f :a :value [[:x 1 2]]}",
        invoke(1) + done,
        invoke(0, f=":txn") + ok(0, f=":txn") + done,
    ):
        assert "without having invoked it" in refused(tmp_path, text)
    short = "{:process 0 :type :invoke :value [[:r 1]]}{:process 0 :type :ok :value [[:r 1 [2]]]}"
    assert [op.value for op in read(tmp_path, short).ops] == [[["r", 1]], [["r", 1, [2]]]]


def test_a_nemesis_by_any_of_its_names_is_left_out(tmp_path: Path) -> None:
    history = read(tmp_path, invoke(":nemesis") + invoke('"nemesis"') + invoke(":nemesis-3") + invoke(0))
    assert ([op.process for op in history.ops], history.facts["nemesis_ops"]) == ([0], 3)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"process":0,"type":"invoke","f":"a"}\n\n  \n{"process":0', ":4: not a line of JSON"),
        ('{"process":0,"type":"invoke","f":"a"}\n\n[]', ":3:1: expected an operation's map"),
        ('[ {"process":0,"type":"invoke","f":"a"},\n 3]', ":2:2: expected an operation's map"),
        ("[" * 3 + "]" * 3, ":1:2: expected an operation's map"),
        (' [{"process":0,"type":"invoke","f":"a","value":%s}]' % ("[" * 101 + "]" * 101), ":1:3: nested"),
    ],
)  # fmt: skip
def test_faults_of_op_maps_have_their_place(tmp_path: Path, text: str, complaint: str) -> None:
    assert refused(tmp_path, text).startswith(complaint)


def test_micro_operations_lose_their_colons(tmp_path: Path) -> None:
    text = '{"process":0,"type":"invoke","value":[[":append",1,5],[":r",1,null]]}'
    assert [(op.f, op.value) for op in read(tmp_path, text).ops] == [
        ("txn", [["append", 1, 5], ["r", 1, None]])
    ]


LOG = "INFO  jepsen.util - 0\t:invoke\t:write\t3\n"


def test_a_log_has_other_lines_and_errors(tmp_path: Path) -> None:
    history = read(tmp_path, f"INFO\n{LOG}\nINFO  jep\n{LOG.replace('invoke', 'info').strip()}\t:timed-out\n")
    assert [(op.value, op.error) for op in history.ops] == [(3, None), (3, ":timed-out")]
    assert history.facts["skipped_lines"] == 2
    assert refused(tmp_path, f"{LOG}INFO  jep") == ":2: 'INFO  jep' is a line cut short"
    assert refused(tmp_path, f"{LOG}INFO  jepsen.util - 0\t:ok\t:write\t").startswith(":2: expected PROCESS")
