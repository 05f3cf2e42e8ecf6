"""Event logs as they lie on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checkers.events import gaps, load_events
from checkers.history import HistoryError
from tests.checkers.build import Event, answer, appended, applied, boot, committed, history, logs, term, vote

TWO_BOOTS = logs(n1=[[boot(), term(1), vote(1, "n1")], [boot(term=1, voted_for="n1")]])


def save(folder: Path, events: dict[str, list[list[Event]]]) -> Path:
    for node, boots in events.items():
        (folder / node).mkdir(parents=True)
        for number, log in enumerate(boots, 1):
            lines = "".join(json.dumps(event) + "\n" for event in log)
            (folder / node / f"events-{number:04d}.jsonl").write_text(lines)
    return folder


def test_loads_every_boot_of_every_node(tmp_path: Path) -> None:
    events = TWO_BOOTS | logs(n2=[[boot()]])
    folder = save(tmp_path, events)
    (folder / "n1" / "stdout.log").write_text("not an event log")
    (folder / "worker-1").mkdir()
    assert load_events(folder) == events


def test_a_last_line_cut_short_is_left_out_at_every_byte(tmp_path: Path) -> None:
    folder = save(tmp_path, TWO_BOOTS)
    path = folder / "n1" / "events-0001.jsonl"
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert load_events(folder)["n1"][0] == TWO_BOOTS["n1"][0][:2]
    path.write_bytes(whole[:-1])  # all there but the line's end
    assert load_events(folder) == TWO_BOOTS


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"v": 2}, "schema 2; expected 1"),
        ({"node": "n2"}, "an event of 'n2', boot 1, in the log of n1, boot 1"),
        ({"boot": 3}, "boot 3, in the log of n1, boot 1"),
        ({"seq": None}, "its seq"),
        ({"event": "dream"}, "unknown kind 'dream'"),
        ({"term": "one"}, "a term event whose term"),
    ],
)
def test_a_line_that_is_no_event_is_named(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    events = logs(n1=[[boot(), term(1), term(2)]])
    events["n1"][0][1] |= change
    with pytest.raises(HistoryError) as refused:
        load_events(save(tmp_path, events))
    assert str(refused.value).startswith(f"{tmp_path / 'n1' / 'events-0001.jsonl'}:2: ")
    assert complaint in str(refused.value)


def test_a_line_in_the_middle_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    folder = save(tmp_path, TWO_BOOTS)
    path = folder / "n1" / "events-0001.jsonl"
    first, second, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, second[:20] + b"\n", *rest]))
    with pytest.raises(HistoryError, match=r"events-0001\.jsonl:2: "):
        load_events(folder)


def test_complete_logs_have_no_gap() -> None:
    assert gaps(history(events=TWO_BOOTS)) == []


def test_every_gap_is_named() -> None:
    def of(left: dict[str, list[list[Event]]], **facts: Any) -> str:
        return "; ".join(gaps(history(events=left, facts=facts)))

    first, second = TWO_BOOTS["n1"]
    assert "started 3 times and left 2 event logs" in of(TWO_BOOTS, starts={"n1": 3})
    assert "started 1 times and left 0 event logs" in of({}, nodes=["n1"], starts={"n1": 1})
    assert "boot 1 lacks event 1" in of({"n1": [[first[0], first[2]], second]})
    assert "boot 1 does not begin with its boot" in of({"n1": [first[1:], second]})
    assert "boot 2 is empty" in of({"n1": [first, []]})
    assert "boot 1 is missing" in of({"n1": [second]})
    assert "did not record how often" in of(TWO_BOOTS, starts=None)
    assert "did not record how many events" in of(TWO_BOOTS, events=None)
    assert "boot 1 ends after 3 of 4 events" in of(TWO_BOOTS, events={"n1": [4, 1]})
    assert "n1 has 2 event logs, but the run collected 1" in of(TWO_BOOTS, events={"n1": [3]})


def test_a_line_without_its_end_is_more_than_was_counted_and_no_gap() -> None:
    assert gaps(history(events=TWO_BOOTS, facts={"events": {"n1": [2, 1]}})) == []


def test_an_answer_beyond_the_event_log_of_its_boot_is_a_gap() -> None:
    first = [
        boot(),
        appended((1, 1, "a"), (2, 1, "b")),
        committed(2, 1),
        applied(1, 1, "a"),
        applied(2, 1, "b"),
    ]
    events = logs(n1=[first, [boot(1, last_index=2, last_term=1)]])

    def of(*answers: Event) -> list[str]:
        return gaps(history(events=events, observations=answers))

    assert of(answer(1, "n1", applied_index=2), answer(2, "n1", boot=2)) == []
    ends = "n1's event log of boot 2 ends with index 0 applied, but the node had answered Status with 1"
    assert of(answer(1, "n1", boot=2, applied_index=1)) == [ends]
    (found,) = of(answer(1, "n1", applied_index=9), answer(2, "n1", applied_index=3))
    assert found.endswith("boot 1 ends with index 2 applied, but the node had answered Status with 9")
    assert "boot 3 ends with index 0 applied" in of(answer(1, "n1", boot=3, applied_index=1))[0]
