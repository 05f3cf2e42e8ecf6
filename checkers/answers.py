"""What was answered to who watched the run: by every node to Status, by the leader about its workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkers.history import History, HistoryError

Answer = dict[str, Any]

_STATUS: dict[str, type] = {
    "time_ns": int,
    "node": str,
    "boot": int,
    "term": int,
    "role": str,
    "commit_index": int,
    "applied_index": int,
}
_WORKERS: dict[str, type] = {"time_ns": int, "node": str, "workers": dict}


def answers(history: History) -> Sequence[Answer]:
    """The history's observations. Raises HistoryError for one that lacks what a checker needs of it."""
    return _checked("observations.jsonl", history.observations, _STATUS)


def worker_states(history: History) -> Sequence[Answer]:
    """The history's worker_states. Raises HistoryError as `answers` does."""
    return _checked("worker_states.jsonl", history.worker_states, _WORKERS)


def _checked(file: str, given: Sequence[Any], fields: dict[str, type]) -> Sequence[Answer]:
    """`file` holds one a line, so an answer's number is its line's."""
    for number, answer in enumerate(given, 1):
        if not isinstance(answer, dict):
            raise HistoryError(f"{file}:{number}: not an answer: expected a JSON object")
        for name, kind in fields.items():
            if not isinstance(answer.get(name), kind):
                raise HistoryError(
                    f"{file}:{number}: an answer whose {name} is missing or of another type; expected"
                    f" {', '.join(fields)}"
                )
    return given
