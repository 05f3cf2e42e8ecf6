"""docs/judging.md, followed as a stranger would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from checkers.judging import JUDGES
from checkers.verdict import Validity

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "judging.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, having: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (found,) = [str(text) for text in blocks if having in text]
    return found


def judged(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "checkers", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d+ s", "… s", text)


def test_the_example_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "history.edn").write_text(block("clojure", ":process 2"), encoding="utf-8")
    found = judged(tmp_path, "history.edn", "--model", "cas-register", "--explain")
    assert found.returncode == 1, found.stderr
    shown = block("console", "stale-read").split("--explain\n")[1].split("$ echo")[0]
    assert without_times(found.stdout) == without_times(shown)
    assert without_times(found.stdout) in without_times(README)


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(block("python", "DOUBLER"), "utf-8")
    did = "{:process 0, :type :%s, :f :double}{:process 0, :type :%s, :f :double}"
    read = "{:process 1, :type :invoke, :f :read}{:process 1, :type :ok, :f :read, :value %d}"
    for value, code in ((2, 0), (1, 1)):
        (tmp_path / "history.edn").write_text(did % ("invoke", "ok") + read % value, "utf-8")
        assert judged(tmp_path, "history.edn", "--model", "mine:DOUBLER").returncode == code


def test_arrays() -> None:
    example: dict[str, Any] = {}
    exec(block("python", "explained_by_log"), example)
    assert example["found"].validity is Validity.YES
    calls, lost = example["calls"], example["np"].array([0, 0, 0, 0])
    found = example["explained_by_log"](
        lambda: [calls._replace(first=lost, contents=calls.contents[:0])], 1, 2
    )
    assert (found.validity, found.pair) == (Validity.NO, (0, 2))


def test_every_model_has_a_row() -> None:
    section = PAGE.split("## Models\n")[1].split("\n## ")[0]
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name in re.findall("`(.*?)`", row)
    }
    assert named == set(JUDGES)


def test_judging_imports_nothing_heavy() -> None:
    program = "import sys, checkers.judging; print(*{'numpy', 'numba', 'networkx'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == ""
