"""Circles of transactions that wait for one another, and their names.

The names are Adya's (Weak Consistency, 1999, §4) with Elle's refinements: an anomaly's kind tells which
dependencies its circle is made of, and whether process order or real time are needed to close it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from checkers.transactions.codes import ONWARD, PROCESS, REALTIME, RW, WR, WW
from checkers.transactions.columns import Bytes, Ints
from checkers.transactions.consistency import CYCLES, implied
from checkers.transactions.graph import Graph, circles_in, keeping

# The relation that a variant of a kind needs besides data.
_VARIANTS = {"": 0, "-process": PROCESS, "-realtime": REALTIME}
# As in checkers.transactions.cycle_kernels.
_NOWHERE, _APART, _TOGETHER = 0, 1, 2
# Edges that one search for a circle looks at: a second or so.
_BUDGET = 50_000_000
# Circles of one kind that are told of: the first few tell the story.
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of circle, as checkers.transactions.cycle_kernels.shortest_circle looks for it."""

    kind: str
    opening: int
    plain: int
    mode: int
    wanted: int
    least: int

    @property
    def relations(self) -> int:
        return self.opening | self.plain


def _shapes() -> Iterator[Shape]:
    """The worst first."""
    data = {
        "G0": (WW, WW, _NOWHERE, 2),
        "G1c": (WR, WW | WR, _NOWHERE, 2),
        "G-single-item": (RW, WW | WR, _NOWHERE, 2),
        "G-nonadjacent-item": (RW, WW | WR, _APART, 4),
        "G2-item": (RW, WW | WR, _TOGETHER, 2),
    }
    for variant, extra in _VARIANTS.items():
        for kind in CYCLES:
            opening, plain, mode, least = data[kind]
            yield Shape(kind + variant, opening, plain | extra, mode, extra, least)


SHAPES = tuple(_shapes())
# Any circle at all, for where a search for a certain one takes too long.
_ANY = Shape("", 31, 31, _NOWHERE, 0, 2)


@dataclass(frozen=True, slots=True)
class Circle:
    """transactions, each of which comes before the next, and the last before the first, for the relation at
    the same place"""

    kind: str
    transactions: tuple[int, ...]
    relations: tuple[int, ...]


# All reasons for which one transaction comes before another, as relations, the plainest first.
Reasons = Callable[[int, int], Sequence[int]]


@dataclass
class Search:
    """Looks for forbidden circles, component by component.

    found:      per kind the first few circles, the shortest of their components
    counts:     per kind in how many components there was one
    unfinished: whether some component may hold a forbidden circle that was not found
    """

    transactions: int
    forbidden: frozenset[str]
    reasons: Reasons
    left_s: Callable[[], float]
    found: dict[str, list[Circle]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    unfinished: bool = False

    def look_in(self, component: Graph) -> None:
        known: set[str] = set()
        doubtful: list[Circle] = []
        finished = True
        for shape in SHAPES:
            # Time is blamed only where data alone close no circle.
            if shape.kind not in self.forbidden or shape.kind in known or (shape.wanted and known):
                continue
            if self.left_s() <= 0:
                finished = False
                break
            circles, complete = self._circles(component, shape)
            finished = finished and complete
            for circle in circles:
                told = self._as_told(circle)
                if told.kind in self.forbidden and told.kind not in known:
                    self._note(told)
                    known |= implied([told.kind])
                elif told.kind not in self.forbidden and circle.kind in self.forbidden:
                    doubtful.append(circle)
        if not known and not doubtful and not finished:
            circles, _ = self._circles(component, _ANY)
            doubtful = [told for told in map(self._as_told, circles) if told.kind in self.forbidden]
            self.unfinished = self.unfinished or not doubtful
        if not known and doubtful:
            self._note(doubtful[0])

    def _note(self, circle: Circle) -> None:
        self.counts[circle.kind] = self.counts.get(circle.kind, 0) + 1
        examples = self.found.setdefault(circle.kind, [])
        if len(examples) < EXAMPLES:
            examples.append(circle)

    def _as_told(self, circle: Circle) -> Circle:
        """The circle named after the plainest reason of each step: a step that data explain is not told as
        one of real time."""
        around = (*circle.transactions[1:], circle.transactions[0])
        steps = zip(circle.transactions, around, circle.relations, strict=True)
        relations = tuple((*self.reasons(a, b), relation)[0] for a, b, relation in steps)
        return Circle(kind_of(relations), circle.transactions, relations)

    def _circles(self, component: Graph, shape: Shape) -> tuple[list[Circle], bool]:
        """The shortest of this shape, taken apart where it passes a transaction twice; and whether there is
        surely none where none is given."""
        complete = True
        for part in _parts(component, shape):
            walk, relations, spent = _shortest(part, shape, self.transactions)
            if len(walk):
                return list(_simple(part.ids[walk], relations, self.transactions)), True
            complete = complete and spent <= _BUDGET
        return [], complete


def _parts(component: Graph, shape: Shape) -> Iterator[Graph]:
    """Where the shape's own edges run in circles."""
    allowed = (component.relations & shape.relations != 0) | (component.relations == ONWARD)
    parts = [component] if allowed.all() else circles_in(keeping(component, allowed))
    for part in parts:
        there = int(np.bitwise_or.reduce(part.relations))
        if there & shape.opening and (not shape.wanted or there & shape.wanted):
            yield part


def _shortest(part: Graph, shape: Shape, transactions: int) -> tuple[Ints, Bytes, int]:
    from checkers.transactions.cycle_kernels import shortest_circle

    result: tuple[Ints, Bytes, int] = shortest_circle(
        part.first,
        part.targets,
        part.relations,
        part.ids >= transactions,
        _starts(part, shape, transactions),
        shape.opening,
        shape.plain,
        shape.mode,
        shape.wanted,
        shape.least,
        _BUDGET,
    )
    return result


def _starts(part: Graph, shape: Shape, transactions: int) -> Ints:
    """Where the shape's first edge may begin, first where it leads back furthest: most edges lead forward,
    and a circle needs one that does not."""
    sources = np.repeat(np.arange(part.nodes, dtype=np.int32), np.diff(part.first))
    opening = (part.relations & shape.opening != 0) & (part.ids[sources] < transactions)
    sources, targets = sources[opening], part.targets[opening]
    order = np.argsort(part.ids[targets].astype(np.int64) - part.ids[sources], kind="stable")
    sources = sources[order]
    _, first = np.unique(sources, return_index=True)
    starts: Ints = sources[np.sort(first)]
    return starts


def _simple(ids: Ints, relations: Bytes, transactions: int) -> Iterator[Circle]:
    """A closed walk as circles that pass every transaction once."""
    steps: list[tuple[int, int]] = []
    place: dict[int, int] = {}
    for number, relation in zip(ids.tolist(), relations.tolist(), strict=True):
        if number >= transactions:
            continue  # the relation that led here is that of the step as a whole
        if number in place:
            yield _circle(steps[place[number] :])
            for passed, _ in steps[place[number] :]:
                del place[passed]
            del steps[len(place) :]
        place[number] = len(steps)
        steps.append((number, relation))
    yield _circle(steps)


def _circle(steps: list[tuple[int, int]]) -> Circle:
    relations = tuple(relation for _, relation in steps)
    return Circle(kind_of(relations), tuple(number for number, _ in steps), relations)


def kind_of(relations: Sequence[int]) -> str:
    """The anomaly that a circle of these relations is."""
    anti = [relation == RW for relation in relations]
    if sum(anti) == 1:
        kind = "G-single-item"
    elif any(anti):
        adjacent = any(a and b for a, b in zip(anti, anti[1:] + anti[:1], strict=True))
        kind = "G2-item" if adjacent else "G-nonadjacent-item"
    else:
        kind = "G1c" if WR in relations else "G0"
    variant = max((relation for relation in relations if relation in _VARIANTS.values()), default=0)
    return kind + next(name for name, extra in _VARIANTS.items() if extra == variant)
