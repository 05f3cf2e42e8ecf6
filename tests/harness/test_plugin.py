"""The pytest plugin, seen from its command line: which runs are chosen, and what is said of bad options.

Nothing is run here: `--collect-only` shows what would be.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def pytest_says(*args: str, **variables: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CROSSWIND_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *args],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def runs(text: str) -> list[str]:
    return [line.split("[")[1].rstrip("]") for line in text.splitlines() if line.startswith("tests/test_nemesis.py::")]


def test_the_default_matrix() -> None:
    code, text = pytest_says("-m", "nemesis", "--seed=7", "tests/test_nemesis.py")
    assert code == 0, text
    assert runs(text) == [
        *(f"append-{nemesis}-local-s7" for nemesis in ("partition", "pause", "kill", "latency")),
        *(f"register-{nemesis}-local-s7" for nemesis in ("partition", "pause", "kill", "latency")),
        "append-workers-local-s7",
    ]


def test_a_workload_and_a_nemesis_alone_are_just_that_run() -> None:
    code, text = pytest_says("--workload=append", "--nemesis=partition", "--seed=7")
    assert code == 0, text
    assert runs(text) == ["append-partition-local-s7"]
    assert [line for line in text.splitlines() if "::" in line] == [
        "tests/test_nemesis.py::test_run[append-partition-local-s7]"
    ]


def test_commas_and_repeats() -> None:
    """A comma between nemeses puts them into one run; everything else makes more runs."""
    code, text = pytest_says(
        "--workload=append,register", "--nemesis=partition,pause", "--nemesis=kill", "--seed=1,2", "tests/test_nemesis.py"
    )
    assert code == 0, text
    assert runs(text) == [
        f"{workload}-{nemesis}-local-s{seed}"
        for seed in (1, 2)
        for workload in ("append", "register")
        for nemesis in ("partition+pause", "kill")
    ]


def test_command_line_over_environment_over_ini() -> None:
    ini = ("-o", "crosswind_seed=1", "-o", "crosswind_workload=register")
    _, text = pytest_says("--nemesis=kill", *ini, "tests/test_nemesis.py")
    assert runs(text) == ["register-kill-local-s1"]
    _, text = pytest_says("--nemesis=kill", *ini, "tests/test_nemesis.py", CROSSWIND_SEED="2")
    assert runs(text) == ["register-kill-local-s2"]
    _, text = pytest_says("--nemesis=kill", "--seed=3", *ini, "tests/test_nemesis.py", CROSSWIND_SEED="2")
    assert runs(text) == ["register-kill-local-s3"]


def test_plain_pytest_leaves_the_runs_out_and_their_file_brings_them_in() -> None:
    _, text = pytest_says()
    assert runs(text) == []
    _, text = pytest_says("tests/test_nemesis.py", "--seed=4")
    assert len(runs(text)) == 9


def test_the_default_seed_is_drawn_once_for_all_of_xdists_processes() -> None:
    done = pytest_says("-m", "nemesis", "-n", "2", "tests/test_nemesis.py")
    assert done[0] == 0, done[1]
    assert "Different tests were collected" not in done[1]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--workload=apend",), "ERROR: --workload=apend: no such workload; there are: append, register"),
        (("--nemesis=partition,,kill",), "ERROR: --nemesis=partition,,kill: expected names or numbers with commas"),
        (("--seed=x",), "ERROR: --seed=x: 'x': expected a whole number"),
        (("--nodes=2",), "ERROR: --nodes=2: a control plane has 1, 3 or 5 nodes"),
        (("--cluster=docker",), "ERROR: --cluster=docker: no such cluster; there are: local"),
    ],
)
def test_bad_options_get_one_line(args: tuple[str, ...], says: str) -> None:
    code, text = pytest_says(*args, "tests/test_nemesis.py")
    assert code == 4, text
    assert any(line.startswith(says) for line in text.splitlines()), text
    assert "Traceback" not in text


def test_a_flag_that_another_plugin_has_taken(tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--rate')\n")
    code, text = pytest_says("-p", "greedy", "tests/test_nemesis.py", PYTHONPATH=str(tmp_path))
    assert code == 4, text
    assert "crosswind needs the flag --rate, which another pytest plugin has taken" in text
    assert "Traceback" not in text
