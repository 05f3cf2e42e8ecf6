"""The pieces of the checkers' benchmark, on small histories."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.checkers import comparing, huge, ours, peers, table
from benchmarks.checkers import histories as of
from benchmarks.checkers.histories import History
from benchmarks.checkers.table import Row, Spread
from checkers.linear.operations import NEVER, Limits
from checkers.linear.search import search
from checkers.linear.witness import explained_by_log
from checkers.models.register import CAS_REGISTER
from checkers.verdict import Validity

SMALL: list[tuple[History, str]] = [
    (of.registers(5, 300), "yes"),
    (of.spoiled(of.registers(5, 300)), "no"),
    (of.registers(5, 300, values=5, swaps=0.25), "yes"),
    (of.spoiled(of.registers(5, 300, values=5, swaps=0.25)), "no"),
    (of.registers(5, 300, keys=3), "yes"),
    (of.spoiled(of.registers(5, 300, keys=3)), "no"),
    (of.lists(5, 300, crashed=0.0), "yes"),
]


@pytest.mark.parametrize(("history", "expected"), SMALL)
def test_ours(history: History, expected: str) -> None:
    assert ours.judge(history) == expected


def test_simulated_registers_have_an_order() -> None:
    for history in (of.registers(4, 200, seed=2), of.registers(4, 200, values=5, swaps=0.3, seed=3)):
        found = search(CAS_REGISTER, history.operations, Limits.of(10))
        assert found.validity is Validity.YES
        assert any(operation.crashed for operation in history.operations)


@pytest.mark.skipif(not peers.Porcupine.is_possible(), reason="needs Go")
def test_porcupine_says_the_same(tmp_path: Path) -> None:
    with peers.Porcupine(tmp_path) as porcupine:
        for history, expected in SMALL:
            assert porcupine.judge(history, 10.0)[0] == expected
        row = comparing.Bench(porcupine, 1, 10.0, lambda _: None).row("some", SMALL[0][0], at_least=1)
    assert row.verdicts == "both yes"
    assert row.ratio is not None


def test_a_log_as_columns(tmp_path: Path) -> None:
    path = tmp_path / "etcd.log"
    path.write_text(
        "INFO  jepsen.util - 0\t:invoke\t:write\t3\n"
        "INFO  jepsen.util - 1\t:invoke\t:read\tnil\n"
        "INFO  jepsen.util - 1\t:ok\t:read\tnil\n"
        "INFO  jepsen.util - 0\t:ok\t:write\t3\n"
        "INFO  jepsen.util - 1\t:invoke\t:cas\t[4 3]\n"
        "INFO  jepsen.util - 1\t:fail\t:cas\t[4 3]\n"
        "INFO  jepsen.util - 2\t:invoke\t:read\tnil\n"
        "INFO  jepsen.util - 2\t:fail\t:read\t:timed-out\n"
        "INFO  jepsen.util - 1\t:invoke\t:cas\t[3 4]\n"
        "INFO  jepsen.util - 1\t:info\t:cas\t:timed-out\n"
    )
    calls = of.recorded(path).calls
    assert calls.kind.tolist() == [1, 0, 3, 2]
    assert calls.a.tolist() == [1, 0, 2, 1]
    assert calls.invoked.tolist() == [0, 1, 4, 6]
    assert calls.returned.tolist() == [3, 2, 5, NEVER]


def test_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huge, "PART", 300)
    keys, elements = huge.write(tmp_path, 1000)
    assert sum(len(part.append) for part in huge.parts(tmp_path)) > 900
    assert explained_by_log(lambda: huge.parts(tmp_path), keys, elements).validity is Validity.YES


@pytest.mark.parametrize(
    ("row", "holds", "ratio"),
    [
        (Row("", Spread([0.1, 0.2, 0.1]), Spread([2.0, 9.0, 2.0]), "both yes", at_least=20), True, "20 ×"),
        (Row("", Spread([0.1]), Spread([1.9]), "both yes", at_least=20), False, "19 ×"),
        (Row("", Spread([0.1]), "no answer in 2 s", "yes", under_s=0.2), True, ""),
        (Row("", Spread([0.3]), "no answer in 2 s", "yes", under_s=0.2), False, ""),
        (Row("", Spread([0.1]), "no answer in 2 s", "no answer in 10 s", under_s=20.0), False, ""),
        (Row("", Spread([0.1]), comparing.NO_PEER, "yes", at_least=20), None, ""),
    ],
)
def test_what_was_reached(row: Row, holds: bool | None, ratio: str) -> None:
    assert row.holds() is holds
    assert row.cells()[3] == ratio
    assert ratio in table.plain(table.HEAD, [row.cells()])
