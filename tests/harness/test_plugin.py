"""The pytest plugin, seen from its command line: which runs are chosen, and what is said of bad options.

Nothing is run here: `--collect-only` shows what would be.
"""

import os
from pathlib import Path

import pytest

import harness.plugin
from checkers.verdict import Validity
from harness.plan import Plan
from harness.run import Result

ROOT = Path(__file__).parent.parent.parent
Says = tuple[int, str]


class CommandLine:
    """pytest in a project of its own that uses the plugin, with the repository's own test of the runs."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        self._monkeypatch = monkeypatch
        pytester.makeconftest('pytest_plugins = ["harness.plugin"]\n')
        pytester.makeini("[pytest]\ntestpaths = tests\n")
        tests = pytester.mkdir("tests")
        (tests / "test_nemesis.py").write_text((ROOT / "tests/test_nemesis.py").read_text())
        (tests / "test_other.py").write_text("def test_other(): pass\n")

    def __call__(self, *args: str, **variables: str) -> Says:
        with self._monkeypatch.context() as patch:
            _forget_options(patch)
            for name, value in variables.items():
                patch.setenv(name, value)
            done = self._pytester.runpytest_inprocess("--collect-only", "-q", "-p", "no:cacheprovider", *args)
        return int(done.ret), done.stdout.str() + done.stderr.str()


def _forget_options(patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CROSSWIND_")]:
        patch.delenv(name)


@pytest.fixture
def pytest_says(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(pytester, monkeypatch)


def runs(text: str) -> list[str]:
    return [
        line.split("[")[1].rstrip("]")
        for line in text.splitlines()
        if line.startswith("tests/test_nemesis.py::")
    ]


def test_the_default_matrix(pytest_says: CommandLine) -> None:
    code, text = pytest_says("-m", "nemesis", "--seed=7", "tests/test_nemesis.py")
    assert code == 0, text
    assert runs(text) == [
        *(f"append-{nemesis}-local-s7" for nemesis in ("partition", "pause", "kill", "latency")),
        *(f"register-{nemesis}-local-s7" for nemesis in ("partition", "pause", "kill", "latency")),
        "append-workers-local-s7",
    ]


def test_a_workload_and_a_nemesis_alone_are_just_that_run(pytest_says: CommandLine) -> None:
    code, text = pytest_says("--workload=append", "--nemesis=partition", "--seed=7")
    assert code == 0, text
    assert runs(text) == ["append-partition-local-s7"]
    assert "test_other" not in text


def test_a_planted_bug_by_its_id(pytest_says: CommandLine) -> None:
    code, text = pytest_says("--workload=append", "--nemesis=kill", "--mutant=c01", "--seed=7")
    assert code == 0, text
    assert runs(text) == ["append-kill-local-s7-figure-eight"]


@pytest.mark.parametrize("asked", [("-m", "nemesis"), ("--workload=append", "--nemesis=kill")])
def test_for_runs_alone_other_tests_are_not_even_imported(
    pytester: pytest.Pytester, pytest_says: CommandLine, asked: tuple[str, ...]
) -> None:
    (pytester.path / "tests" / "test_broken.py").write_text("raise RuntimeError('imported')\n")
    marked = "import pytest\npytestmark = pytest.mark.nemesis\ndef test_marked(): pass\n"
    (pytester.path / "tests" / "test_marked.py").write_text(marked)
    code, text = pytest_says(*asked, "--seed=7")
    assert code == 0, text
    assert "append-kill-local-s7" in runs(text)
    assert "test_marked.py::test_marked" in text
    code, text = pytest_says("-m", "not nemesis")
    assert "imported" in text


def test_commas_and_repeats(pytest_says: CommandLine) -> None:
    """A comma between nemeses puts them into one run; everything else makes more runs."""
    code, text = pytest_says(
        "--workload=append,register",
        "--nemesis=partition,pause",
        "--nemesis=kill",
        "--seed=1,2",
        "tests/test_nemesis.py",
    )
    assert code == 0, text
    assert runs(text) == [
        f"{workload}-{nemesis}-local-s{seed}"
        for seed in (1, 2)
        for workload in ("append", "register")
        for nemesis in ("partition+pause", "kill")
    ]


def test_command_line_over_environment_over_ini(pytest_says: CommandLine) -> None:
    ini = ("-o", "crosswind_seed=1", "-o", "crosswind_workload=register")
    _, text = pytest_says("--nemesis=kill", *ini, "tests/test_nemesis.py")
    assert runs(text) == ["register-kill-local-s1"]
    _, text = pytest_says("--nemesis=kill", *ini, "tests/test_nemesis.py", CROSSWIND_SEED="2")
    assert runs(text) == ["register-kill-local-s2"]
    _, text = pytest_says("--nemesis=kill", "--seed=3", *ini, "tests/test_nemesis.py", CROSSWIND_SEED="2")
    assert runs(text) == ["register-kill-local-s3"]


def test_plain_pytest_leaves_the_runs_out_and_their_file_brings_them_in(pytest_says: CommandLine) -> None:
    _, text = pytest_says()
    assert runs(text) == []
    _, text = pytest_says("tests/test_nemesis.py", "--seed=4")
    assert len(runs(text)) == 9


def test_the_default_seed_is_drawn_once_for_all_of_xdists_processes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forget_options(monkeypatch)
    pytester.makeconftest('pytest_plugins = ["harness.plugin"]\n')
    pytester.makepyfile(
        """
        import os, pathlib, pytest

        @pytest.mark.nemesis
        def test_seed(crosswind_plan):
            pathlib.Path(f"{crosswind_plan.workload}-{crosswind_plan.nemeses[0]}").write_text(
                f"{crosswind_plan.seed} {os.environ['PYTEST_XDIST_WORKER']}")
        """
    )
    done = pytester.runpytest_subprocess("-m", "nemesis", "-n", "2", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=9)
    seeds, processes = zip(
        *(path.read_text().split() for path in pytester.path.glob("*-*") if path.is_file()), strict=True
    )
    assert len(seeds) == 9
    assert len(dict.fromkeys(seeds)) == 1
    assert f"crosswind: seed {seeds[0]}" in done.stdout.str()
    assert sorted(dict.fromkeys(processes)) == ["gw0", "gw1"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--workload=apend",), "ERROR: --workload=apend: no such workload; there are: append, register"),
        (
            ("--nemesis=partition,,kill",),
            "ERROR: --nemesis=partition,,kill: expected names or numbers with commas",
        ),
        (("--seed=x",), "ERROR: --seed=x: 'x': expected a whole number"),
        (("--nodes=2",), "ERROR: --nodes=2 --cluster=local: its control plane has 1 or 3 or 5 nodes"),
        (("--cluster=dcoker",), "ERROR: --cluster=dcoker: no such cluster; there are: local, docker"),
    ],
)
def test_bad_options_get_one_line(pytest_says: CommandLine, args: tuple[str, ...], says: str) -> None:
    code, text = pytest_says(*args, "tests/test_nemesis.py")
    assert code == 4, text
    assert any(line.startswith(says) for line in text.splitlines()), text
    assert "Traceback" not in text


def test_a_flag_that_another_plugin_has_taken(pytester: pytest.Pytester, pytest_says: CommandLine) -> None:
    pytester.makepyfile(greedy="def pytest_addoption(parser):\n    parser.addoption('--rate')\n")
    pytester.syspathinsert()
    code, text = pytest_says("-p", "greedy", "tests/test_nemesis.py")
    assert code == 4, text
    assert "crosswind needs the flag --rate, which another pytest plugin has taken" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("validity", Validity)
def test_only_yes_passes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, validity: Validity
) -> None:
    plan = Plan("append", ("none",), 1)
    counts = {"ok": 0, "fail": 0, "info": 0}
    result = Result(plan, pytester.path, validity, (), counts, leader_changes=0, duration_s=0.0)
    monkeypatch.setattr(harness.plugin, "carry_out", lambda *_: result)
    monkeypatch.setattr(harness.plugin, "failure", lambda path: "as told")
    pytester.makeconftest('pytest_plugins = ["harness.plugin"]\n')
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.nemesis
        def test_run(crosswind_plan, crosswind_run):
            crosswind_run(crosswind_plan)
        """
    )
    done = pytester.runpytest_inprocess(
        "--workload=append", "--nemesis=none", "--seed=1", "-p", "no:cacheprovider"
    )
    done.assert_outcomes(**{"passed" if validity is Validity.YES else "failed": 1})
