"""The run directory: written whole, read back the same, refused with one clear line where it is not sound."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkers.formats.columns import read_columns
from checkers.history import Op
from checkers.verdict import Validity, Verdict
from reports.host import commit_facts, host_facts
from reports.record import RecordError, Run, RunDirectory, load
from tests.reports import synthetic
from tests.reports.synthetic import at, build


def test_runs_created_at_once_share_no_directory(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: RunDirectory.create(tmp_path, "append-none-local-s1").path, range(48)))
    assert len(set(made)) == 48
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-append-none-local-s1(\.\d+)?", path.name) for path in made)
    assert (tmp_path / "latest").resolve() in made
    assert not list(tmp_path.glob(".latest*"))


def test_latest_is_the_newest_and_relative(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, "a")
    newest = RunDirectory.create(tmp_path, "b")
    assert (tmp_path / "latest").readlink() == Path(newest.path.name)


def test_a_name_stays_within_the_root(tmp_path: Path) -> None:
    path = RunDirectory.create(tmp_path, "../a b/[c]").path
    assert path.parent == tmp_path
    assert path.name.endswith("Z-..-a-b-c")


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    directory = build(tmp_path, "stale-read", how_many=300)
    run = load(directory.path)
    ops = synthetic.ops(300)
    assert run.history.ops == ops
    assert read_columns(directory.path / "columns") == ops
    assert run.history.events == synthetic.events()
    assert run.history.worker_states == synthetic.worker_states()
    assert run.history.lag == [(at(6.1), 7_000_000), (at(21.3), 23_000_000)]
    assert run.history.facts["nodes"] == list(synthetic.NODES)
    assert run.meta["seed"] == 7
    assert run.verdicts is not None
    assert run.verdicts[4] == synthetic.stale_read(ops)
    assert run.validity is Validity.NO
    assert json.loads((directory.path / "results.json").read_text())["valid"] == "no"


def test_a_crashed_run_is_what_there_is_of_it(saved: Callable[[str], Run]) -> None:
    run = saved("crashed")
    assert (list(run.history.ops), run.history.events, run.verdicts) == ([], {}, None)
    assert run.validity is Validity.UNKNOWN


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path, "a")
    directory.write_results([Verdict("monotone", Validity.YES, "fine")])
    before = (directory.path / "results.json").read_text()
    unwritable = {"figure": object()}
    with pytest.raises(TypeError):
        directory.write_results([Verdict("monotone", Validity.YES, "fine", evidence=unwritable)])
    directory.write_history(synthetic.ops(20))
    with pytest.raises(TypeError):
        directory.write_history([Op(0, 1, 1, "invoke", "append", object())])
    assert (directory.path / "results.json").read_text() == before
    directory.write_run(synthetic.meta())
    assert len(load(directory.path).history.ops) > 20
    assert {path.name for path in directory.path.iterdir()} == {
        "columns",
        "history.jsonl",
        "results.json",
        "run.json",
    }


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path, "a")
    directory.write_run({"status": "done", "odd": "a\udc80b"})
    assert load(directory.path).meta["odd"] == "a\udc80b"


def _cut(name: str, keep: float) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: int(len(data) * keep)])

    return spoil


def _cut_a_line(path: Path) -> None:
    lines = (path / "history.jsonl").read_bytes().splitlines(keepends=True)
    (path / "history.jsonl").write_bytes(b"".join(lines[:-1]))


def _write(name: str, text: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        (path / name).write_text(text)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: (path / "run.json").unlink(), "not a run directory: it has no run.json"),
        (_write("run.json", '{"schema": 2}'), "run.json: written with schema 2; this version reads schema 1"),
        (_write("run.json", "[]"), "run.json: written with schema None"),
        (_cut("run.json", 0.5), "run.json: not JSON, or cut short"),
        (_cut("history.jsonl", 0.5), "history.jsonl:"),
        (_cut_a_line, "history.jsonl: 167 operations; expected 168 as in columns/"),
        (_cut("results.json", 0.5), "results.json: not JSON, or cut short"),
        (_write("results.json", '{"schema": 1, "verdicts": [{}]}'), "results.json: not verdicts"),
        (
            _write("observations.jsonl", "[1]\n"),
            "observations.jsonl:1: expected a JSON object with a time_ns",
        ),
        (_cut("worker_states.jsonl", 0.5), "worker_states.jsonl:"),
        (_write("nodes/lag.jsonl", "[1, 2]\n[1]\n"), "lag.jsonl:2: expected [time_ns, lag_ns]"),
        (
            _write("nodes/cp-aws-1/events-0001.jsonl", '{"v": 9}\n'),
            "events-0001.jsonl:1: an event of schema 9",
        ),
    ],
)
def test_what_is_not_sound_is_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    path = build(tmp_path, how_many=64).path
    load(path)
    spoil(path)
    with pytest.raises(RecordError) as refused:
        load(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_such_directory(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such directory; expected a run directory"):
        load(tmp_path / "nothing")


def test_host_facts_can_be_written_down() -> None:
    facts = host_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cpu"]["count"] >= facts["cpu"]["usable"] >= 1
    assert re.fullmatch(r"\d+\.\d+.*", facts["packages"]["grpcio"])
    assert facts["python"].startswith("CPython 3.")


def test_the_commit_is_that_of_the_working_tree(tmp_path: Path) -> None:
    assert commit_facts(tmp_path) == {"id": None, "dirty": None}
    (tmp_path / "__init__.py").write_text("")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert commit_facts(tmp_path) == {"id": None, "dirty": None}
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    found = commit_facts(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{40}", str(found["id"]))
    assert found["dirty"] is False
    (tmp_path / "__init__.py").write_text("changed")
    assert commit_facts(tmp_path) == found | {"dirty": True}
