"""The mutants still fit the judges that they break, and the run of them tells who noticed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from tests.mutation.__main__ import run_all
from tests.mutation.mutant import ROOT, Mutant, mutants, parsed

ALL = mutants()


def named(mutant: Mutant) -> str:
    return f"{mutant.file.removeprefix('checkers/')}: {mutant.breaks}"


@pytest.mark.parametrize("mutant", ALL, ids=named)
def test_a_mutant_fits_its_file_once_and_is_still_python(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()
    broken = mutant.apply(text)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(text))
    for test in mutant.tests:
        assert (ROOT / test.partition("::")[0]).is_file()


def test_each_mutant_is_another() -> None:
    assert max(Counter((one.file, one.old, one.new) for one in ALL).values()) == 1
    assert max(Counter(map(named, ALL)).values()) == 1
    assert len(ALL) > 600


def test_a_mutant_that_does_not_fit_says_so() -> None:
    mutant = Mutant("checkers/some.py", "", "a < b", "a <= b", ())
    with pytest.raises(ValueError, match="'a < b' stands there 2 times, not once; write the mutant anew"):
        mutant.apply("a < b or a < b")


@pytest.mark.parametrize(
    "text",
    [
        "some test\n\nbreaks\n- a\n+ b\n",
        "run test\n\nbreaks\n+ b\n",
        "run test\n\nbreaks\n- a\n+ b\nc\n",
        "run test\n\nbreaks\nequivalent: x\nequivalent: y\n- a\n",
    ],
)
def test_what_is_no_mutant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"some\.py: cannot read the mutant 'breaks'"):
        list(parsed("checkers/some.py", text))


def test_who_noticed_is_told_and_who_survived_too() -> None:
    broken = "an operation may take effect twice"
    noticed = next(one for one in ALL if one.breaks == broken and "certificate" in one.file)
    tests = ("tests/checkers/test_oracle.py::test_a_certificate_is_checked_by_the_definition",)
    harmless = replace(noticed, breaks="", old="latest: Operation", new="latest : Operation", tests=tests)
    results = {result.mutant: result.killed_by for result in run_all([noticed, harmless], jobs=2)}
    assert results[noticed].startswith("test_oracle.py::test_a_certificate_is_checked_by_the_definition")
    assert results[harmless] == ""


def test_a_mutant_that_does_not_end_is_noticed_and_slow_tests_are_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = next(one for one in ALL if one.file == "checkers/linear/values.py")
    endless = replace(endless, old="return Typed(value)", new="while True: pass")
    endless = replace(endless, tests=("tests/checkers/test_values.py",))
    monkeypatch.setattr("tests.mutation.__main__.LIMIT_S", 10.0)
    (result,) = run_all([endless], jobs=1)
    assert result.killed_by == "the time limit"
    monkeypatch.setattr("tests.mutation.__main__.LIMIT_S", 0.2)
    with pytest.raises(SystemExit, match=r"test_values\.py: longer than 0\.1 s with nothing broken, so"):
        list(run_all([endless], jobs=1))


def test_a_failure_of_nothing_broken_ends_the_run() -> None:
    mutant = replace(ALL[0], tests=("tests/checkers/test_none.py",))
    with pytest.raises(SystemExit, match="fails while nothing is broken"):
        list(run_all([mutant], jobs=1))


def test_the_list_names_every_mutant_of_a_file() -> None:
    command = [sys.executable, "-m", "tests.mutation", "--list", "--only", "certificate"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) == sum("certificate" in one.file for one in ALL)
    assert "certificate.py: real time is not looked at\n" in listed
