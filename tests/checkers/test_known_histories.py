"""Histories of other projects with known verdicts, through the same door as anybody's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkers.formats.reading import read_history
from checkers.judging import judge
from checkers.verdict import Validity

SHARED = Path(__file__).parents[2].parent / "shared" / "histories"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no histories in {SHARED}")


def listed(folder: str, model: str) -> Iterator[tuple[Path, str, bool]]:
    verdicts = json.loads((SHARED / folder / "verdicts.json").read_text())
    for path in sorted((SHARED / folder).iterdir()):
        if path.name != "verdicts.json":
            yield path, model, verdicts.get(path.name, verdicts.get(path.stem))


def known() -> Iterator[tuple[Path, str, bool]]:
    if not SHARED.is_dir():
        return
    yield from listed("etcd", "cas-register")
    yield from listed("kv", "kv")
    for path in sorted((SHARED / "cas-register").glob("*/*.edn")):
        yield path, "cas-register", path.parent.name == "good"
    jepsen = SHARED / "jepsen"
    yield jepsen / "bank.json", "bank", True
    yield jepsen / "bank-negative-balances.json", "bank", False
    yield jepsen / "counter.json", "counter", True
    for model in ("set", "set-final", "set-full"):
        yield jepsen / "set.edn", model, True
    yield jepsen / "long-fork.edn", "long-fork", False
    yield SHARED / "elle" / "list-append-gh-30.edn", "list-append", False
    yield SHARED / "elle" / "paper-example.edn", "list-append", False


KNOWN = list(known())


def test_all_of_them_are_there() -> None:
    assert len(KNOWN) == 50 + 5 + 60 + 9


@pytest.mark.parametrize(
    ("path", "model", "good"),
    KNOWN,
    ids=[f"{path.parent.name}-{path.stem}-{model}" for path, model, _ in KNOWN],
)
def test_a_known_history_gets_its_verdict(path: Path, model: str, good: bool) -> None:
    verdict = judge(read_history(path), model, budget_s=60)
    assert verdict.valid is (Validity.YES if good else Validity.NO), verdict.summary
    if good and model in ("cas-register", "kv", "counter", "set"):
        assert verdict.certificate is not None
    if not good:
        assert all(anomaly.message for anomaly in verdict.anomalies)
