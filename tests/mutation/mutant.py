"""Ways to break the judges, as they are written down in `mutants/`.

A file there stands for the one of the same name in `checkers/`. It begins with what pytest is to run, the
quickest first, a line each; paragraphs follow, a mutant each: what no longer holds; if no test can notice,
the reason why; the text that is taken out, which stands in the file just once; and what comes in its place:

    run tests/checkers/test_oracle.py

    real time is not looked at
    equivalent: …
    - if operation.returned < latest.invoked:
    + if False:
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MUTANTS = Path(__file__).parent / "mutants"
_RUN, _EQUIVALENT, _OLD, _NEW = "run ", "equivalent: ", "- ", "+ "


@dataclass(frozen=True, slots=True)
class Mutant:
    """file:       below the project's root
    breaks:     what no longer holds
    old, new:   the text that is replaced, and what replaces it
    tests:      files, or single tests
    equivalent: why no test can notice; such a mutant is not run, and counted apart
    """

    file: str
    breaks: str
    old: str
    new: str
    tests: tuple[str, ...]
    equivalent: str = ""

    @property
    def compiled(self) -> bool:
        """Whether the file is one of those that numba compiles. Compiling takes longer than a test, so these
        run as the plain Python that they are too."""
        return self.file.endswith("kernels.py")

    def apply(self, text: str) -> str:
        """The file's text, broken. Raises ValueError where it has moved on from the mutant."""
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.file}: {self.old!r} stands there {text.count(self.old)} times, not once;"
                " write the mutant anew"
            )
        return text.replace(self.old, self.new)


def mutants(only: str = "") -> list[Mutant]:
    """Of the files that have `only` in their names. Raises ValueError for what cannot be read."""
    found: list[Mutant] = []
    for path in sorted(MUTANTS.rglob("*.txt")):
        file = f"checkers/{path.relative_to(MUTANTS).as_posix().removesuffix('.txt')}"
        if only in file:
            found += parsed(file, path.read_text())
    return found


def parsed(file: str, text: str) -> Iterator[Mutant]:
    head, *paragraphs = text.rstrip("\n").split("\n\n")
    tests = _after(_RUN, head.split("\n"))
    for paragraph in paragraphs:
        breaks, *rest = paragraph.split("\n")
        reason, old, new = (_after(prefix, rest) for prefix in (_EQUIVALENT, _OLD, _NEW))
        if not tests or not old or len(reason) > 1 or len(reason) + len(old) + len(new) != len(rest):
            raise ValueError(f"{file}: cannot read the mutant {breaks!r}")
        yield Mutant(file, breaks, "\n".join(old), "\n".join(new), tests, "".join(reason))


def _after(prefix: str, lines: list[str]) -> tuple[str, ...]:
    return tuple(line.removeprefix(prefix) for line in lines if line.startswith(prefix))
