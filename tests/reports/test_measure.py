"""Figures and spans drawn from a history."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checkers.history import History, Op
from reports.measure import Point, bins, measure, nice_width_ns, percentile, points, sample
from reports.record import Run
from reports.spans import fault_spans, leader_changes, role_spans, worker_spans
from tests.reports.synthetic import HOSTILE, ZERO_NS, at


def test_operations_are_counted_by_how_they_ended() -> None:
    ops = [
        Op(0, 10, 1, "invoke", "append", [1, 1]),
        Op(1, 20, 1, "ok", "append", [1, 1]),
        Op(2, 30, 1, "invoke", "append", [1, 2]),
        Op(3, 40, 1, "fail", "append", [1, 2]),
        Op(4, 50, 2, "invoke", "append", [1, 3]),
        Op(5, 60, 2, "info", "append", [1, 3]),
        Op(6, 70, 3, "invoke", "append", [1, 4]),
    ]
    measured = measure(History(ops=ops))
    assert measured.counts == {"ok": 1, "fail": 1, "info": 2}
    assert points(measured) == [Point(20, 10, "ok"), Point(40, 10, "fail"), Point(60, 10, "info")]
    assert (measured.start_ns, measured.end_ns) == (10, 1_000_010)


def test_a_history_that_contradicts_itself_is_named_and_not_counted() -> None:
    measured = measure(History(ops=[Op(0, 10, 1, "ok", "append", [1, 1])]))
    assert measured.problem is not None
    assert "without having invoked it" in measured.problem
    assert measured.calls == []


def test_nothing_at_all_has_a_time_axis() -> None:
    measured = measure(History())
    assert measured.end_ns > measured.start_ns


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert [percentile(range(1, 101), p) for p in (50, 95, 99)] == [50, 95, 99]
    assert [percentile([7], p) for p in (50, 95, 99)] == [7, 7, 7]


def test_bins_hold_every_completion_once(saved: Callable[[str], Run]) -> None:
    measured = measure(saved("good").history)
    completed = points(measured)
    cut = bins(measured, completed, 1_000_000_000)
    assert len(cut) == 36
    assert sum(b.counts[outcome] for b in cut for outcome in b.counts) == len(completed)
    busy = cut[16]  # while a node is paused every fifth operation takes four times as long
    slow = [p for p in completed if p.type == "ok" and busy.start_ns <= p.time_ns < busy.end_ns]
    assert busy.percentiles[99] == max(point.latency_ns for point in slow)
    assert busy.percentiles[50] < busy.percentiles[95] / 2


@pytest.mark.parametrize(("seconds", "most", "width_s"), [(36, 150, 0.5), (10, 100, 0.1), (7200, 150, 50)])
def test_widths_are_round(seconds: int, most: int, width_s: float) -> None:
    assert nice_width_ns(seconds * 10**9, most) == width_s * 10**9


def test_a_sample_keeps_the_rare_and_the_slowest() -> None:
    everything = [Point(i, 1_000 + i % 7, "ok") for i in range(50_000)]
    slowest, failed = Point(777, 9_000_000, "ok"), Point(5, 1, "fail")
    chosen = sample([*everything, slowest, failed], 2_000)
    assert slowest in chosen
    assert failed in chosen
    assert len(chosen) < 2_200
    few = everything[:100]
    assert sorted(sample(few, 2_000), key=lambda p: p.time_ns) == few


def _told(run: Run, node: str) -> list[tuple[float, float, str, int | None]]:
    spans = role_spans(measure(run.history), node)
    return [((s.start_ns - ZERO_NS) / 1e9, (s.end_ns - ZERO_NS) / 1e9, s.state, s.term) for s in spans]


def test_a_nodes_roles_follow_each_other_without_gaps(saved: Callable[[str], Run]) -> None:
    assert _told(saved("good"), "cp-aws-1") == [
        (0.4, 0.88, "follower", 0),
        (0.88, 0.95, "candidate", 1),
        (0.95, 6.62, "leader", 1),
        (6.62, 12.15, "follower", 1),
        (12.15, 21.45, "follower", 2),
        (21.45, 21.95, "follower", 3),
        (21.95, 22.01, "candidate", 4),
        (22.01, 36.0, "leader", 4),
    ]


def test_a_killed_node_is_down_from_the_kill_to_its_next_boot(saved: Callable[[str], Run]) -> None:
    assert _told(saved("good"), "cp-gcp-1")[-4:] == [
        (6.5, 21.0, "leader", 2),
        (21.0, 25.3, "down", None),
        (25.3, 25.41, "follower", 2),
        (25.41, 36.0, "follower", 4),
    ]


def test_a_node_that_ended_by_itself_is_down_from_its_exit(saved: Callable[[str], Run]) -> None:
    history = saved("good").history
    exits = [{"node": "cp-azure-1", "time_ns": at(30), "code": 3}]
    died = History(ops=history.ops, events=history.events, facts=history.facts | {"exits": exits})
    assert [(s.state, s.end_ns) for s in role_spans(measure(died), "cp-azure-1")][-2:] == [
        ("follower", at(30)),
        ("down", at(36)),
    ]


def test_what_faults_did_to_a_node(saved: Callable[[str], Run]) -> None:
    measured = measure(saved("good").history)
    assert [(s.state, s.start_ns, s.end_ns) for s in fault_spans(measured, "cp-azure-1")] == [
        ("paused", at(15.08), at(18.28)),
        ("touched", at(27.08), at(31.08)),
    ]
    assert [s.state for s in fault_spans(measured, "cp-gcp-1")] == ["down", "touched"]


def test_evidence_may_stand_under_the_name_of_what_was_done() -> None:
    inject = {"step": 1, "action": "inject", "target": "one"}
    facts = {"paused": {"cp-aws-1": {"pid": 7, "state": "T"}}}
    ops = [
        Op(0, 5, "nemesis", "invoke", "pause", inject),
        Op(
            1,
            9,
            "nemesis",
            "info",
            "pause",
            inject | {"nodes": ["cp-aws-1"], "took_effect": True, "evidence": facts},
        ),
    ]
    measured = measure(History(ops=ops))
    assert [(s.state, s.start_ns, s.end_ns) for s in fault_spans(measured, "cp-aws-1")] == [
        ("paused", 9, measured.end_ns)
    ]


def test_workers_come_and_go(saved: Callable[[str], Run]) -> None:
    measured = measure(saved("good").history)
    assert [(s.state, s.start_ns, s.end_ns) for s in worker_spans(measured, "worker-gcp-1")] == [
        ("online", at(2), at(14)),
        ("offline", at(14), at(20.5)),
        ("online", at(20.5), at(36)),
    ]
    assert worker_spans(measured, "worker-nobody") == []


def test_leader_changes_do_not_count_the_first_leader(saved: Callable[[str], Run]) -> None:
    assert leader_changes(saved("good").history) == 2
    assert leader_changes(saved("two-leaders").history) == 3
    assert leader_changes(saved("crashed").history) == 0


def test_hostile_text_is_only_text(saved: Callable[[str], Run]) -> None:
    assert any(op.node == HOSTILE for op in saved("hostile").history.ops)
