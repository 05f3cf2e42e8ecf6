"""Transactions that other projects have judged: ../shared/histories/elle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checkers.formats.reading import read_history
from checkers.history import History
from checkers.transactions import transactions
from checkers.verdict import Validity
from tests.checkers.transaction_histories import at_once, completed, history, one_after_another

SHARED = Path(__file__).parents[3] / "shared" / "histories" / "elle"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no histories in {SHARED}")

ENDS = {"ok": "", "fail": "!", "info": "?"}


def cases() -> list[Any]:
    path = SHARED / "list_append_cases.json"
    if not path.is_file():
        return []
    return [
        pytest.param(case, expected, id=f"{case['name']}-{number}")
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
        for number, expected in enumerate(case["expect"])
    ]


def told(case: dict[str, Any]) -> History:
    if case["explicit_history"]:
        return history(map(tuple, case["explicit_history"]))
    texts = [op["mini"] + ENDS[op["type"]] for op in case["ops"]]
    if case["invocations_sequential"]:
        return one_after_another(*texts, processes=[op["process"] for op in case["ops"]])
    return at_once(*texts) if "concurrently" in case["note"] else completed(*texts)


@pytest.mark.parametrize(("case", "expected"), cases())
def test_list_append_case(case: dict[str, Any], expected: dict[str, Any]) -> None:
    model = expected["asked_models"][0] if "asked_models" in expected else None
    verdict = transactions(told(case), "list-append", model, expected.get("asked_anomalies"))
    # What Elle calls unknown, for want of any dependency between transactions, is vacuous.
    valid = {True: Validity.YES, False: Validity.NO, "unknown": Validity.VACUOUS}[expected["valid"]]
    assert verdict.valid is valid, verdict.summary
    assert {anomaly.kind for anomaly in verdict.anomalies} == set(expected.get("types", []))
    if "not" in expected:
        assert set(verdict.evidence["not"]) == set(expected["not"])


@pytest.mark.parametrize(
    ("name", "consistency", "valid", "kinds"),
    [
        ("list-append-gh-30.edn", "serializable", Validity.NO, {"G2-item"}),
        ("list-append-gh-30.edn", "snapshot-isolation", Validity.YES, set()),
        ("paper-example.edn", "strict-serializable", Validity.NO, {"G-single-item"}),
        ("paper-example.edn", "read-committed", Validity.YES, set()),
    ],
)
def test_file(name: str, consistency: str, valid: Validity, kinds: set[str]) -> None:
    verdict = transactions(read_history(SHARED / name), "list-append", consistency)
    assert verdict.valid is valid, verdict.summary
    assert {anomaly.kind for anomaly in verdict.anomalies} == kinds
