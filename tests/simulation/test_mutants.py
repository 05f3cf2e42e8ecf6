"""Planted bugs: they are found soon, and nothing of them stays behind."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest

from harness.cli import main
from harness.executors import processes
from harness.kill_score import Score, Search, summary
from harness.sweep import Campaign, sweep
from system.mutants import MUTANTS, Mutant, Place, planted, resolve
from system.mutants.mutant import replaced

SOON = (
    *("vote-in-memory", "half-quorum", "local-reads", "figure-eight", "trusting-follower", "applied-again"),
    *("ack-before-fsync", "double-vote"),
)


@pytest.mark.parametrize("mutant", SOON)
def test_found_within_ten_seeds(mutant: str) -> None:
    with processes(1) as (executor, at_a_time):
        tally = sweep(Campaign(seeds=10, mutant=mutant), executor, at_a_time)
    assert tally.found, f"not in {tally.probes} seeds"
    assert tally.by_checker == {"invariants": 1}


def test_seen_from_inside_within_ten_seeds_though_a_node_that_stays_behind_is_noticed_first() -> None:
    with processes(1) as (executor, at_a_time):
        tally = sweep(Campaign(seeds=10, mutant="own-last-index", count_all=True), executor, at_a_time)
    assert tally.by_checker["invariants"] >= 1


def places(mutant: Mutant) -> list[Place]:
    return [place for place in (mutant.place, mutant.simulated) if place is not None]


ALL_PLACES = [place for mutant in MUTANTS.values() for place in places(mutant)]


def methods() -> list[Any]:
    """Whatever stands where a bug could be planted; None where it is inherited."""
    return [place.find().__dict__.get(place.method) for place in ALL_PLACES]


@pytest.mark.parametrize("name", MUTANTS)
def test_planted_puts_everything_back(name: str) -> None:
    before = methods()
    with planted(name):
        during = methods()
        mutant = MUTANTS[name]
        place = mutant.simulated or mutant.place
        assert place.find().__dict__[place.method] is place.override
    assert during != before
    assert all(now is was for now, was in zip(methods(), before, strict=True))


def test_put_back_though_the_run_ends_with_an_error() -> None:
    before = methods()
    with pytest.raises(ZeroDivisionError), planted("silent-step-down"):
        raise ZeroDivisionError
    assert all(now is was for now, was in zip(methods(), before, strict=True))


def test_nothing_planted_changes_nothing() -> None:
    before = methods()
    with planted(None):
        assert methods() == before


class Parent:
    def greet(self) -> str:
        return "hello"


class Child(Parent):
    """Inherits its greeting."""


def test_an_inherited_method_is_inherited_again() -> None:
    with replaced(Place(f"{__name__}:Child", "greet", lambda self: "bug")):
        assert (Child().greet(), Parent().greet()) == ("bug", "hello")
    assert "greet" not in Child.__dict__ and Child().greet() == "hello"


def test_a_place_that_is_gone_says_so() -> None:
    with pytest.raises(AttributeError, match="has no method wave to override"):
        Place(f"{__name__}:Child", "wave", None).find()


def test_a_bug_that_needs_another_gets_it() -> None:
    helpers = [(mutant, other) for mutant in MUTANTS.values() for other in mutant.besides]
    assert helpers
    for mutant, other in helpers:
        place = MUTANTS[other].simulated or MUTANTS[other].place
        with planted(mutant.name):
            assert place.find().__dict__[place.method] is place.override


def test_by_id_and_by_name() -> None:
    assert len({mutant.id for mutant in MUTANTS.values()}) == len(MUTANTS)
    for mutant in MUTANTS.values():
        assert resolve(mutant.name) is resolve(mutant.id) is resolve(mutant.id.lower()) is mutant
        assert mutant.summary and mutant.seen_in
    assert resolve("E8") is None and resolve("") is None


def test_real_nodes_need_no_simulator() -> None:
    """What is planted in one names nothing of it."""
    for mutant in MUTANTS.values():
        if not mutant.only_simulated:
            assert not mutant.place.owner.startswith("system.simulation"), mutant.name
            import_module(mutant.place.owner.partition(":")[0])


# `crosswind mutants`.


def test_the_score_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mutants", "--mutant", "E08", "--repeats", "2", "--client-repeats", "1", "--format", "json"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    said = json.loads(lines[0])
    assert list(said) == ["mutants", "summary"]
    (one,) = said["mutants"]
    assert (one["id"], one["name"], one["killed"]) == ("E08", "half-quorum", True)
    assert [search["found"] for search in one["inside"]] == [True, True]
    assert all(search["seeds"] >= 1 and search["by"] for search in one["inside"])
    assert len(one["clients"]) == 1
    assert not any(kind.startswith("invariants") for kind in one["clients"][0]["by"])
    assert said["summary"].startswith("killed 1 of 1 mutants (100 %), 0 argued equivalent")


def test_the_score_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "--mutant", "C01", "--repeats", "1", "--client-repeats", "0"]) == 0
    header, row, last = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["id", "mutant"]
    assert row.startswith("C01  figure-eight") and "invariants: commit-of-earlier-term" in row
    assert last.startswith("killed 1 of 1 mutants (100 %)")


def test_a_bug_that_is_not_found_is_not_killed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mutants", "--mutant", "C01", "--repeats", "1", "--client-repeats", "0", "--limit", "0s"]
    assert main(words) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("killed 0 of 1 mutants (0 %)")


@pytest.mark.parametrize(
    ("found", "of", "killed"), [(0, 0, False), (1, 1, True), (4, 5, False), (19, 20, True), (18, 20, False)]
)
def test_killed_is_nineteen_of_twenty(found: int, of: int, killed: bool) -> None:
    searches = [Search(number < found, 3, 0.5, {}) for number in range(of)]
    assert Score(MUTANTS["figure-eight"], searches).killed == killed


def test_the_summary_counts() -> None:
    soon, late, missed = (
        Score(mutant, [Search(found, 3, cpu_s, {})], [Search(by_clients, 3, 1.0, {})])
        for mutant, found, cpu_s, by_clients in zip(
            MUTANTS.values(), (True, True, False), (0.5, 30.0, 60.0), (True, False, False), strict=False
        )
    )
    assert summary([soon, late, missed]) == (
        "killed 2 of 3 mutants (67 %), 0 argued equivalent; 1 (33 %) in a median under 1 CPU s, the longest"
        " search took 60.0 CPU s; by clients alone 1 (33 %)"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--mutant E99", "--mutant=E99: no such mutant"),
        ("--repeats 0", "expected a whole number of at least 1"),
        ("--client-repeats -1", "expected a whole number"),
        ("--seed x", "invalid int value: 'x'"),
        ("--seed -1 --mutant E08", "--seed=-1: expected a number from 0"),
        ("--limit soon", "expected a time"),
    ],
)
def test_bad_input_is_one_line(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", *words.split()]) == 64
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1 and said in error
