"""Values as the judges compare them: which are one, which are another, and how they are told."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.linear.values import frozen

NAN = float("nan")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1),
        (1.5, 1.5),
        (True, True),
        (NAN, float("nan")),
        ([1, [True]], (1, (True,))),
        ({"a": [1], "b": 2}, {"b": 2, "a": [1]}),
        ([NAN], [NAN]),
    ],
)
def test_one_value(one: Any, other: Any) -> None:
    assert frozen(one) == frozen(other) and hash(frozen(one)) == hash(frozen(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (1.0, True),
        (0.0, False),
        (True, False),
        (1.5, 2.5),
        (0.0, -0.0),
        (NAN, 1.5),
        ([1], [True]),
        ([1.0], [True]),
        ([1, 2], [2, 1]),
        ([[1]], [1]),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"b": 1}),
        (None, False),
        ("1", 1),
    ],
)
def test_two_values(one: Any, other: Any) -> None:
    assert frozen(one) != frozen(other)


def test_whatever_json_has_can_be_looked_up() -> None:
    values: list[Any] = [None, True, 1, 1.0, "1", [1], [[]], {"a": [{}]}, NAN]
    assert len({frozen(value): value for value in values}) == len(values)


def test_how_they_are_told() -> None:
    assert [repr(frozen(value)) for value in (True, False, 1.5, 1)] == ["true", "false", "1.5", "1"]
