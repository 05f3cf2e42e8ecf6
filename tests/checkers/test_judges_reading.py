"""How files are read, at the edges: the first and the last of everything, and what is nearly in order."""

from __future__ import annotations

import gc
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checkers.formats.bulk import FIELDS, collector_paused, make_ops, sorted_ops
from checkers.formats.columns import read_columns, write_columns
from checkers.formats.edn import MAX_DEPTH
from checkers.formats.json_text import expect_shallow, parse, parse_all, parse_file
from checkers.formats.jsonl import read_ops, read_records, write_ops
from checkers.formats.reading import read_history
from checkers.history import HistoryError, Op

FIRST = {"index": 0, "time_ns": 1, "process": 0, "type": "invoke", "f": "write", "value": 1}
EDN = "{:process 0 :type :invoke :f :write :value 1}"


def refusal(read: Callable[[], Any]) -> str:
    with pytest.raises(HistoryError) as refused:
        read()
    return str(refused.value)


def lines(folder: Path, *records: dict[str, Any] | str) -> Path:
    path = folder / "history.jsonl"
    texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def test_equal_times_are_put_in_order() -> None:
    late = Op(0, 5, 0, "ok", "read", 1)
    begun = Op(1, 5, 1, "invoke", "read", None)
    assert sorted_ops([late, begun]) == [begun, late]
    ops = [Op(at, time, 0, "invoke", "read", None) for at, time in enumerate((1, 2, 5, 4))]
    assert [op.time_ns for op in sorted_ops(ops)] == [1, 2, 4, 5]


def test_operations_have_a_column_a_field() -> None:
    with pytest.raises(ValueError, match="shorter"):
        make_ops(1, [[0]] * (len(FIELDS) - 1))


def test_the_collector_is_as_it_was() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


# Every field's least and most telling values.
RECORDED = [
    Op(0, 0, 0, "invoke", "f", None, None, None, None),
    Op(1, 1, 0, "ok", "f", "ä", "n0", "é", 0),
    Op(2, 2, "nemesis", "invoke", "kill", {"step": 1}, None, None, None),
    Op(3, 3, -(1 << 63), "invoke", "g", 1.5, "n1", None, None),
    Op((1 << 63) - 1, (1 << 63) - 1, -(1 << 63), "info", "g", ["a"], "n1", "lost", (1 << 63) - 1),
]


def test_the_first_and_the_last_of_everything_survive_a_file(tmp_path: Path) -> None:
    write_columns(tmp_path / "columns", RECORDED)
    assert read_columns(tmp_path / "columns") == RECORDED
    write_ops(tmp_path / "lines", RECORDED)
    assert read_ops(tmp_path / "lines") == RECORDED
    write_columns(tmp_path / "nothing", [])
    assert read_columns(tmp_path / "nothing") == []


def test_values_that_only_look_like_nil_are_read(tmp_path: Path) -> None:
    for values in ([True, None], [1234, 4321]):
        ops = [Op(at, at, 0, "invoke", "f", value) for at, value in enumerate(values)]
        write_columns(tmp_path, ops)
        assert [op.value for op in read_columns(tmp_path)] == values


def test_texts_that_are_cut_elsewhere_are_refused(tmp_path: Path) -> None:
    write_columns(tmp_path, [Op(at, at, 0, "invoke", "f", None) for at in range(2)])
    for middle in (3, 5):
        offsets = b"".join(number.to_bytes(8, "little") for number in (0, middle, 8))
        (tmp_path / "value.offsets.bin").write_bytes(offsets)
        assert "not the texts that its offsets describe" in refusal(lambda: read_columns(tmp_path))
    (tmp_path / "value.offsets.bin").write_bytes(b"".join(at.to_bytes(8, "little") for at in (0, 4, 8)))
    assert len(read_columns(tmp_path)) == 2
    (tmp_path / "value.blob").write_bytes(b"nullnull ")
    assert "9 bytes, which are not the texts" in refusal(lambda: read_columns(tmp_path))
    (tmp_path / "value.blob").write_bytes(b"nullnull")
    offsets = b"".join(number.to_bytes(8, "little", signed=True) for number in (4, 4, 8))
    (tmp_path / "value.offsets.bin").write_bytes(offsets)
    assert "8 bytes, which are not the texts" in refusal(lambda: read_columns(tmp_path))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("schema", 2, "expected columns of schema 1"),
        ("count", True, "count is True"),
        ("count", -1, "count is -1"),
        ("dictionaries", {"type": [1], "f": [], "node": []}, "each a list of names"),
        ("dictionaries", {"type": ["invoke"], "f": ["f"]}, "each a list of names"),
    ],
)
def test_a_header_that_says_something_else_is_refused(
    tmp_path: Path, name: str, value: Any, complaint: str
) -> None:
    write_columns(tmp_path, RECORDED[:1])
    header = json.loads((tmp_path / "columns.json").read_text())
    (tmp_path / "columns.json").write_text(json.dumps(header | {name: value}))
    assert complaint in refusal(lambda: read_columns(tmp_path))


@pytest.mark.parametrize(
    ("column", "raw"), [("f.bin", b"\x01\x00"), ("type.bin", b"\x04"), ("node.bin", b"\xfe\xff")]
)
def test_a_number_one_beyond_its_dictionary_is_refused(tmp_path: Path, column: str, raw: bytes) -> None:
    write_columns(tmp_path, RECORDED[:1])
    (tmp_path / column).write_bytes(raw)
    assert "a column points outside its dictionary" in refusal(lambda: read_columns(tmp_path))
    (tmp_path / column).write_bytes(raw * 2)
    assert "bytes; expected" in refusal(lambda: read_columns(tmp_path))


def nested(levels: int, around: str = "[%s]") -> str:
    text = "1"
    for _ in range(levels):
        text = around % text
    return text


@pytest.mark.parametrize("around", ["[%s]", '{"a": %s}', '{"a": [%s]}', '[1, {"a": %s}]', '[{"a": 1}, [%s]]'])
def test_values_may_be_as_deep_as_that_and_no_deeper(around: str) -> None:
    levels = 1 + (len(around) > len('{"a": %s}'))
    deepest, deeper = nested(MAX_DEPTH // levels, around), nested(MAX_DEPTH // levels + 1, around)
    assert parse(deepest) == json.loads(deepest)
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        parse(deeper)
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        parse_all([b"1", deeper.encode()])
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        expect_shallow(iter([1, json.loads(deeper)]))


def test_no_value_is_too_deep_to_be_refused() -> None:
    for text in ("[" * 200_000, '{"a":' * 200_000):
        with pytest.raises(ValueError, match="nested more than 100 deep"):
            parse(text)
        with pytest.raises(ValueError, match="nested more than 100 deep"):
            parse_all([text.encode()])
        assert "nested more than 100 deep" in refusal(lambda text=text: parse_file(text, "f"))  # type: ignore[misc]


def test_many_texts_are_as_many_values() -> None:
    assert parse_all([b"1", b'"a"', b"[2]"]) == [1, "a", [2]]
    with pytest.raises(ValueError, match="3 values in 2 texts"):
        parse_all([b"1\n2", b"3"])
    with pytest.raises(ValueError, match="Expecting value, column 2"):
        parse_all([b"1", b"[@]"])


def test_a_fault_in_json_is_where_it_is() -> None:
    assert refusal(lambda: parse_file('{"a":\n @}', "f")) == "f:2:2: not JSON (Expecting value)"
    assert refusal(lambda: parse_file('{"a":\n ', "f")).endswith("was the file cut short?")


def test_an_operations_line_has_its_fields(tmp_path: Path) -> None:
    def said(*records: dict[str, Any] | str) -> str:
        path = lines(tmp_path, *records)
        return refusal(lambda: read_ops(path)).removeprefix(f"{path}:")

    assert read_ops(lines(tmp_path, FIRST)) == [Op(0, 1, 0, "invoke", "write", 1)]
    for name in FIRST:
        lacking = {key: value for key, value in FIRST.items() if key != name}
        assert said(FIRST, lacking) == f"2: an operation without {name}"
    assert said(FIRST | {"colour": 1}).startswith("1: an operation has no field colour; expected index")
    for number in (1 << 63, -(1 << 63) - 1, True, 1.5):
        assert said(FIRST | {"time_ns": number}).startswith("1: index and time_ns must be whole numbers")
        assert said(FIRST | {"witness": number}).startswith("1: witness ")
    assert said(FIRST | {"process": "me"}).startswith("1: index and time_ns must be whole numbers")
    assert said(FIRST | {"node": 3}).startswith("1: node 3; expected a text or null")
    assert said(FIRST | {"error": 3}).startswith("1: error 3; expected a text or null")
    assert said(FIRST | {"value": json.loads(nested(101))}).startswith("1: not a line of JSON (nested")
    assert said(FIRST, "", " ", "{").startswith("4: not a line of JSON")


def test_lines_are_put_in_order_and_the_last_may_lack_its_end(tmp_path: Path) -> None:
    late = FIRST | {"index": 1, "time_ns": 9}
    path = lines(tmp_path, late, FIRST)
    path.write_bytes(path.read_bytes()[:-1].replace(b"\n", b"\n\n \n"))
    assert [op.index for op in read_ops(path)] == [0, 1]
    assert read_records(lines(tmp_path, "1", "[2]")) == [(1, 1), (2, [2])]
    path = lines(tmp_path, "1", "", "2")
    assert refusal(lambda: read_records(path)).startswith(f"{path}:2: not a line of JSON")
    assert refusal(lambda: read_ops(tmp_path / "none")).endswith("none: no such file")


def test_a_folder_is_read_from_the_best_that_it_holds(tmp_path: Path) -> None:
    def ops() -> list[tuple[int, Any]]:
        return [(op.time_ns, op.value) for op in read_history(tmp_path).ops]

    (tmp_path / "history.json").write_text('[{"process":0,"type":"invoke","f":"write","value":3}]')
    assert ops() == [(0, 3)]
    (tmp_path / "history.edn").write_text(EDN)
    assert ops() == [(0, 1)]
    lines(tmp_path, FIRST | {"value": 2})
    assert ops() == [(1, 2)]
    write_columns(tmp_path / "columns", [Op(0, 7, 0, "invoke", "write", 4)])
    assert ops() == [(7, 4)]
    for torn in ("{", "[]", '{"facts": 3}', ""):
        (tmp_path / "run.json").write_text(torn)
        assert read_history(tmp_path).facts == {}
    assert ops() == [(7, 4)]
    write_columns(tmp_path, [Op(0, 8, 0, "invoke", "write", 5)])
    assert ops() == [(8, 5)]
    assert [op.value for op in read_history(tmp_path, "json-lines").ops] == [2]


def test_a_file_may_be_as_large_as_that_and_no_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkers.formats.reading.MAX_BYTES", len(EDN))
    path = tmp_path / "h"
    for packed in (bytes, gzip.compress):
        path.write_bytes(packed(EDN.encode()))
        assert len(read_history(path).ops) == 1
        path.write_bytes(packed(EDN.encode() + b" "))
        assert "more than" in refusal(lambda: read_history(path))


def test_the_first_characters_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "h"
    for before in ("\ufeff", "; a comment\n", " ,,\n;one\n ; two\n"):
        path.write_text(before + EDN, encoding="utf-8")
        assert len(read_history(path).ops) == 1
    for raw, complaint in (
        (b"\0" + EDN.encode(), ":1:1: not a text file: it holds NUL characters"),
        (EDN.encode() + b"\n \xff", ":2:2: not text in UTF-8"),
        (EDN.encode("utf-16-le").join((b"\xff\xfe", b"")), ": text in UTF-16; expected UTF-8"),
        (EDN.encode("utf-16-be").join((b"\xfe\xff", b"")), ": text in UTF-16; expected UTF-8"),
        (b"", ": an empty file"),
        (gzip.compress(EDN.encode())[:-1], ": not a whole gzip file"),
        (gzip.compress(EDN.encode())[:10] + b"\xff" * 20, ": not a whole gzip file"),
    ):
        path.write_bytes(raw)
        assert refusal(lambda: read_history(path)).removeprefix(str(path)).startswith(complaint)
    assert refusal(lambda: read_history(tmp_path / "none")).endswith("none: No such file or directory")


def test_an_array_of_our_operations_is_not_read_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_text(f"[{json.dumps(FIRST)}]")
    assert [op.f for op in read_history(path).ops] == ["write"]
    path.write_text(json.dumps(FIRST))
    assert read_history(path).facts == {}
    assert refusal(lambda: read_history(path, "edn"))
