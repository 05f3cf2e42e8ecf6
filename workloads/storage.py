"""Objects that workers put, get and conditionally put: each is a register, whose values are its ETags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from random import Random

from system.client import Service
from system.object_client import (
    GetObject,
    ObjectAnswer,
    ObjectRequest,
    PutObject,
    ReplaceObject,
    expected_etag,
)
from workloads.drawn_registers import DrawnRegisters
from workloads.workload import Outcome, Value

# (weight, smallest, largest) in bytes: stores keep small and large objects in different ways.
SIZES_BYTES = ((70, 1, 4096), (27, 4097, 65_536), (3, 262_144, 262_144))


class Objects:
    """write [key, etag]; read [key, null] -> [key, etag or null]; cas [key, [expected etag or null, etag]].

    A written etag is the one that the body drawn for it must get. An answer with another, and a body that
    does not hash to its ETag, complete as a value that nobody wrote.
    """

    name = "storage"
    checkers: tuple[str, ...] = ("linearizability",)
    service: Service = "workers"
    needs: frozenset[str] = frozenset({"minio"})

    def __init__(self, keys: int | None = None) -> None:
        self._numbers = count(1)
        self._answers = count(1)
        self._drawn: dict[str, PutObject] = {}  # by ETag; the key is filled in when it is put
        self._objects = DrawnRegisters("o", self._make, keys)

    def draw(self, rng: Random, *, reads_only: bool = False) -> tuple[str, Value]:
        return self._objects.draw(rng, reads_only=reads_only)

    def request(self, f: str, value: Value) -> ObjectRequest:
        key, what = value
        if f == "read":
            return GetObject(key)
        if f == "write":
            return replace(self._drawn[what], key=key)
        expected, new = what
        drawn = self._drawn[new]
        return ReplaceObject(key, expected, drawn.number, drawn.size_bytes)

    def outcome(self, f: str, value: Value, answer: ObjectAnswer) -> tuple[Outcome, Value]:
        key, what = value
        if f != "read" and answer.etag is None:
            return "fail", value
        self._objects.note(key, answer.etag, next(self._answers))
        if f == "cas":
            return "ok", [key, [what[0], answer.etag]]
        if f == "read" and answer.etag != answer.md5:
            return "ok", [key, f"torn {answer.etag}, with a body of {answer.md5}"]
        return "ok", [key, answer.etag]

    def final_reads(self) -> Sequence[tuple[str, Value]]:
        return [("read", [key, None]) for key in self._objects.written]

    def _make(self, rng: Random) -> str:
        _, smallest, largest = rng.choices(SIZES_BYTES, [weight for weight, *_ in SIZES_BYTES])[0]
        drawn = PutObject("", next(self._numbers), rng.randint(smallest, largest))
        etag = expected_etag(drawn)
        self._drawn[etag] = drawn
        return etag
