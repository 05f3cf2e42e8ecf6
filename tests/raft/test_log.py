from __future__ import annotations

import pytest

from system.raft.log import EntryKind, Log, LogEntry


def log(*terms: int, base_index: int = 0, base_term: int = 0) -> Log:
    entries = [LogEntry(base_index + n, term, EntryKind.NO_OP) for n, term in enumerate(terms, start=1)]
    return Log(entries, base_index, base_term)


def test_terms_by_index_and_back() -> None:
    it = log(1, 1, 3, 3, 3, 5)
    assert [it.term_at(index) for index in range(8)] == [0, 1, 1, 3, 3, 3, 5, None]
    assert [(it.first_index_of(term), it.last_index_of(term)) for term in range(7)] == [
        (None, None),
        (1, 2),
        (None, None),
        (3, 5),
        (None, None),
        (6, 6),
        (None, None),
    ]


def test_a_compacted_log_starts_after_its_base() -> None:
    it = log(4, 4, 6, base_index=10, base_term=3)
    assert (it.last_index, it.last_term) == (13, 6)
    assert [it.term_at(index) for index in (9, 10, 11, 13, 14)] == [None, 3, 4, 6, None]
    assert (it.first_index_of(4), it.last_index_of(4), it.first_index_of(6)) == (11, 12, 13)
    with pytest.raises(IndexError, match="compacted"):
        it.slice(10, 5)
    with pytest.raises(IndexError, match="compacted"):
        it.truncate_from(10)
    it.truncate_from(11)
    assert (it.last_index, it.last_term) == (10, 3)


def test_no_holes() -> None:
    it = log(1)
    with pytest.raises(ValueError, match="entry 3 does not follow 1"):
        it.append(LogEntry(3, 1, EntryKind.NO_OP))
    with pytest.raises(IndexError, match=r"no entry 2 in a log of 1\.\.1"):
        it[2]


def test_the_digest_tells_kinds_and_commands_apart() -> None:
    entries = [LogEntry(1, 1, kind, command) for kind in EntryKind for command in (b"", b"a", b"b")]
    assert len({entry.digest for entry in entries}) == len(entries)
    # Index and term are told beside it. The value is part of the event log's format.
    assert LogEntry(7, 8, EntryKind.COMMAND, b"a").digest == "4a956d1bc8f846b7"
    assert LogEntry(7, 8, EntryKind.COMMAND, b"a").row[:3] == [7, 8, "command"]
