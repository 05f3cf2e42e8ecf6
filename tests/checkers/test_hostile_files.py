"""Files that are broken, torn, or made to hurt: one clear line each, quickly, and never anything else."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from checkers.formats.reading import FORMATS, read_history
from checkers.history import HistoryError

# A format's name, and an operation whose value is still to come.
AROUND = {
    "json-lines": b'{"index":0,"time_ns":1,"process":0,"type":"invoke","f":"write","value":%s}\n',
    "jepsen-json": b'[{"process":0,"type":"invoke","f":"write","value":%s}]\n',
    "edn": b"[{:process 0, :type :invoke, :f :write, :value %s}]\n",
    "etcd-log": b"INFO  jepsen.util - 0\t:invoke\t:write\t%s\n",
}
VALUES = {
    "deep, open": b"[" * 200_000,
    "deep, closed": b"[" * 200_000 + b"]" * 200_000,
    "deeper than values are": b"[" * 150 + b"]" * 150,
    "deep maps": b'[{"a" ' * 100_000,
    "a number of 10 MB": b"9" * 10_000_000,
    "a number of 5,000 digits": b"-" + b"9" * 5_000,
    "no float": b"1e999",
    "NUL": b'"a\0b"',
    "half a character": b'"\\ud800"',
    "half a character, raw": b'"\xed\xa0\x80"',
    "not UTF-8": b'"\xff"',
    "a text never closed": b'"' + b"a" * 1_000_000,
    "backslashes": b'"' + b"\\" * 1_000_001,
    "closed too often": b"]",
}
WHOLE = {
    "0 bytes": b"",
    "white space": b" \n\t\n",
    "prose": b"# A heading\n\nand text\n",
    "a number": b"12",
    "UTF-16": "{:process 0 :type :invoke :f :read}".encode("utf-16"),
    "bytes": bytes(range(256)),
    "open brackets": b"[" * 1_000_000,
    "open braces": b"{" * 1_000_000,
    "open objects": b'[{"a":' * 200_000,
    "a torn gzip file": gzip.compress(b"{:process 0}" * 100)[:-20],
    "a gzip file that is none": b"\x1f\x8b" + b"a" * 100,
    "a huge process": b"{:process 99999999999999999999 :type :invoke :f :read}",
    "a huge time": b"{:process 0 :time 99999999999999999999 :type :invoke :f :read}",
    "a huge index": AROUND["json-lines"].replace(b'"index":0', b'"index":99999999999999999999') % b"1",
    "a process that is a vector": b"{:process [0] :type :invoke :f :read}",
    "numbers for maps": b"[1, 2]",
    "a torn log": AROUND["etcd-log"] % b"1" + b"INFO  jepsen.util - 0\t:o",
}


def line(path: Path, format: str | None = None) -> str:
    with pytest.raises(HistoryError) as refused:
        read_history(path, format)
    said = str(refused.value)
    assert said.startswith(str(path))
    assert "\n" not in said and len(said) < len(str(path)) * 2 + 250
    return said


@pytest.mark.parametrize("value", list(VALUES))
@pytest.mark.parametrize("format", list(AROUND))
def test_a_hostile_value_gets_one_line(tmp_path: Path, format: str, value: str) -> None:
    path = tmp_path / "history"
    path.write_bytes(AROUND[format] % VALUES[value])
    assert line(path)
    assert line(path, format)


@pytest.mark.parametrize("content", list(WHOLE))
def test_a_hostile_file_gets_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "history"
    path.write_bytes(WHOLE[content])
    assert line(path)
    for format in FORMATS:
        try:
            read_history(path, format)
        except HistoryError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("format", list(AROUND))
def test_a_file_cut_anywhere_is_read_or_refused(tmp_path: Path, format: str) -> None:
    whole = AROUND[format] % b'[1 "a"]'.replace(b" ", b" " if format in ("edn", "etcd-log") else b",")
    path = tmp_path / "history"
    refused = 0
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        try:
            read_history(path)
        except HistoryError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused >= len(whole) - 2  # the line's end may be missing


def test_what_is_no_history_is_named(tmp_path: Path) -> None:
    assert "No such file" in line(tmp_path / "missing")
    (tmp_path / "folder").mkdir()
    assert "a folder without a history" in line(tmp_path / "folder")
    assert "No such file" in line(tmp_path / "missing" / "deeper", "edn")


def test_a_file_larger_than_may_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkers.formats.reading.MAX_BYTES", 1_000)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b" " * 100_000))
    assert "more than 1000 bytes" in line(path)
