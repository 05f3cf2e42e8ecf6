"""What the documents list is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from checkers import CHECKERS
from harness.options import OPTIONS
from nemesis import NEMESES
from system.mutants import MUTANTS
from workloads import WORKLOADS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[str]:
    """The first column, without its quotes, of the table under a heading."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)


def test_nemeses_and_checkers_have_a_row_each() -> None:
    assert rows("What is injected") == list(NEMESES)
    assert rows("What is judged") == list(CHECKERS)


def test_every_flag_workload_and_mutant_is_named() -> None:
    for name in [option.flag for option in OPTIONS] + [f"`{name}`" for name in WORKLOADS]:
        assert name in README, name
    assert any(f"--mutant={name}" in README for name in MUTANTS)


def test_the_readme_shows_real_output() -> None:
    assert not re.search(r"@[A-Z]+@", README)


def test_links_lead_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert target.startswith("http") or (document.parent / target).exists(), (
                f"{document.name}: {target}"
            )


def test_the_track_record_is_of_the_bugs_there_are() -> None:
    page = (ROOT / "docs" / "track-record.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z]\d\d) \| (.*?) \|", page, re.MULTILINE)
    assert rows == [(mutant.id, mutant.summary) for mutant in MUTANTS.values()]
