"""`crosswind sweep --compiled`: the same steps as interpreted, and nothing green that was not run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from harness import compiled
from harness.cli import main
from harness.errors import ExecutorError
from harness.executors import compiled_processes
from harness.sweep import Campaign, probe_all, sweep
from tests.required import lacking

ROOT = Path(compiled.__file__).parent.parent
# What compiles fast.
FEW = ("system/raft/messages.py", "system/simulation/draws.py")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def tree() -> Path:
    """Where `crosswind sweep --compiled` finds it too."""
    try:
        return compiled.tree()
    except ExecutorError as error:
        if "there is no" not in str(error):
            raise
        lacking("compiler", "a C compiler", error)


def said_by(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a sweep that cannot be says."""
    assert main(["sweep", "--compiled", *words]) == 64
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("crosswind: ") and error.count("\n") == 1
    return error


@pytest.mark.parametrize("nemeses", [("swarm",), ("partition", "kill"), ("none",)])
def test_compiled_code_takes_the_same_steps(tree: Path, nemeses: tuple[str, ...]) -> None:
    """Seed 1 has the real shell around its nodes, seed 8 has workers."""
    campaign, seeds = Campaign(nemeses=nemeses), range(1, 13)
    with compiled_processes(1, tree) as (executor, _):
        probes = executor.submit(probe_all, campaign, seeds).result()
    assert not compiled.is_active()
    for fast, slow in zip(probes, probe_all(campaign, seeds), strict=True):
        assert (fast.trace_hash, fast.simulated_s) == (slow.trace_hash, slow.simulated_s)
        assert (fast.invoked, fast.ok, fast.schedule) == (slow.invoked, slow.ok, slow.schedule)
        assert (fast.findings, fast.vacuous) == (slow.findings, slow.vacuous)


@pytest.mark.usefixtures("tree")
def test_a_sweep_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--compiled", "--seeds", "30", "--jobs", "2"]) == 0
    out, error = capsys.readouterr()
    assert out.startswith("30 seeds, ") and "; 0 violations" in out and error == ""


def test_a_copy_that_is_not_compiled_or_not_whole_is_not_swept(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").touch()
    for copy in (ROOT, tmp_path):
        with (
            pytest.raises(ExecutorError, match=f"cannot load what is compiled in {copy}"),
            compiled_processes(1, copy),
        ):
            pass


def test_a_long_run_that_goes_on_is_not_ended() -> None:
    """The last resort is put off for as long as somebody looks and time has passed."""
    program = """
from harness import compiled, simulation
from harness.plan import Plan
from harness.probe import probe
compiled.is_active = lambda: True
simulation.ENDLESS_S, simulation.LAST_S = 0.3, 0.6
done = probe(Plan("append", ("none",), 1, "sim", time_limit_s=600.0, rate=8.0))
assert done.cpu_s > 2 * simulation.LAST_S, done.cpu_s
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


@pytest.fixture
def wrong(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Compiled of sources in which half the nodes are a majority, and seed 3 comes to no end."""
    del tree  # but it tells whether anything can be compiled here
    root = tmp_path / "sources"
    for room in compiled.ROOMS:
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    for path, right, instead in (
        ("harness/compiled.py", "MODULES = (", f"MODULES = {FEW!r}\n_ALL = ("),
        ("harness/simulation.py", "LAST_S = 20.0", "LAST_S = 1.0"),
        (
            "system/simulation/draws.py",
            "    text = ",
            "    if seed == 3:\n        STUCK.append(3)\n    text = ",
        ),
        ("system/simulation/draws.py", "    x = (of", "    while STUCK:\n        pass\n    x = (of"),
        ("system/simulation/draws.py", "SCALE = ", "STUCK = list[int]()\nSCALE = "),
        ("system/raft/roles.py", "// 2 + 1", "// 2"),
    ):
        text = (root / path).read_text()
        assert text.count(right) == 1, path
        (root / path).write_text(text.replace(right, instead))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(compiled, "MODULES", FEW)
    return compiled.tree(root=root)


def test_what_only_the_compiled_code_does_is_no_verdict(
    wrong: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(compiled, "tree", lambda: wrong)
    said = said_by(["--seeds", "2"], capsys)
    assert "seed 1: compiled, the simulator finds two-leaders; not compiled, nothing: what" in said
    assert not (tmp_path / "reports").exists()
    # In C there is nobody to hear that time is up.
    said = said_by(["--seed", "3", "--seeds", "2", "--jobs", "1"], capsys)
    assert "a process ended in the midst of one of the seeds 3 to 4: " in said


def test_a_process_that_is_killed_is_told_of() -> None:
    class Broken:
        def submit(self, *_: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor("as ProcessPoolExecutor has it"))
            return future

    executor: Any = Broken()
    with pytest.raises(ExecutorError, match="a process ended in the midst of one of the seeds 5 to 7"):
        sweep(Campaign(first=5, seeds=50), executor, 2)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--mutant", "C01"], "--compiled --mutant=C01: no bug can be planted in what is compiled"),
        (["--dask", "tcp://x:1"], "--compiled --dask=tcp://x:1: what is compiled runs on this machine only"),
    ],
)
def test_what_does_not_go_with_it(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why in said_by(words, capsys)


def test_nobody_who_could_compile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "there is no no-such-compiler; on Debian: apt-get install gcc" in said_by([], capsys)
    right = metadata.version

    def without(name: str) -> str:
        if name == "mypy":
            raise metadata.PackageNotFoundError(name)
        return right(name)

    monkeypatch.setattr(sysconfig, "get_path", lambda _: "/nowhere")
    monkeypatch.setenv("CC", "true")
    assert "there is no Python.h in /nowhere; on Debian: apt-get install python3-dev" in said_by([], capsys)
    monkeypatch.setattr(metadata, "version", without)
    assert "there is no mypy; pip install 'crosswind[compiled]'" in said_by([], capsys)


def test_nowhere_to_keep_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("CC", "true")
    assert f"cannot keep what is compiled in {tmp_path}/file/crosswind: " in said_by([], capsys)


def test_what_cannot_be_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "true")
    monkeypatch.setattr(compiled, "MODULES", ("system/no_such_module.py",))
    assert main(["sweep", "--compiled"]) == 64
    first, last = capsys.readouterr().err.splitlines()
    assert first == "compiling the simulator, once; it takes a minute or two"
    assert last.startswith("crosswind: --compiled: mypyc failed: ") and "compiling.log)" in last
    assert "no_such_module.py" in (tmp_path / "crosswind" / "compiling.log").read_text()
    assert not list(tmp_path.glob("crosswind/*-*")), "something half-made is left"


def test_each_source_has_a_copy_of_its_own_and_few_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = list[Path]()

    def make(sources: Any, where: Path) -> None:
        made.append(where)
        where.mkdir()

    monkeypatch.setattr(compiled, "_make", make)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CC", "true")
    root = tmp_path / "root"
    (root / "system" / "__pycache__").mkdir(parents=True)
    for number in range(5):
        (root / "system" / "one.py").write_text(f"number = {number}\n")
        now = compiled.tree(root=root)
        os.utime(now, (number, number))
        (root / "system" / "__pycache__" / "one.pyc").write_text(f"{number}")
        assert compiled.tree(root=root) == now, "it is the same source"
        os.utime(now, (number, number))
    assert len(set(made)) == len(made) == 5
    assert sorted(now.parent.glob("compiled-*")) == sorted(made[-compiled.KEPT :])
