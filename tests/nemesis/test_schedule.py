from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from nemesis import NEMESES
from nemesis.nemesis import Step
from nemesis.schedule import ScheduleError, check_fit, draw, from_json, to_json
from tests.nemesis.fake import NODES, WORKERS

FAULTS = ["partition", "pause", "kill", "latency"]


def drawn(names: list[str], seed: int, time_limit_s: float = 12) -> tuple[Step, ...]:
    return draw(names, seed, NODES, WORKERS, time_limit_s)


def of(name: str, schedule: tuple[Step, ...]) -> list[Any]:
    return [(s.at_s, s.action, s.target, s.options) for s in schedule if s.nemesis == name]


def pairs(schedule: tuple[Step, ...]) -> list[tuple[Step, Step]]:
    injects = [step for step in schedule if step.action == "inject"]
    return [(i, next(s for s in schedule if s.number == i.number and s.action == "heal")) for i in injects]


def test_one_seed_one_schedule() -> None:
    assert drawn(FAULTS, 7) == drawn(FAULTS, 7)
    assert drawn(FAULTS, 7) != drawn(FAULTS, 8)


@pytest.mark.parametrize("name", FAULTS)
def test_company_moves_nobody_s_draws(name: str) -> None:
    alone = of(name, drawn([name], 7))
    assert alone
    assert of(name, drawn(FAULTS, 7)) == alone
    assert of(name, drawn(FAULTS[::-1], 7)) == alone


def test_the_first_draws_stay_what_they_were() -> None:
    """A saved command must go on meaning the same faults."""
    first, heal = pairs(drawn(["partition"], 7))[0]
    assert (first.at_s, heal.at_s, first.target) == (1.025, 2.237, "one-way-packets")


@pytest.mark.parametrize("name", [*FAULTS, "workers"])
@pytest.mark.parametrize("time_limit_s", [30, 47.5])
def test_sorted_paired_and_healed_in_time(name: str, time_limit_s: float) -> None:
    for seed in range(50):
        schedule = drawn([name], seed, time_limit_s)
        assert [s.at_s for s in schedule] == sorted(s.at_s for s in schedule)
        assert max(s.at_s for s in schedule) <= time_limit_s - 0.4
        assert Counter(s.number for s in schedule) == dict.fromkeys(range(len(schedule) // 2), 2)
        last_heal_s = 0.0
        for inject, heal in pairs(schedule):
            assert last_heal_s < inject.at_s < heal.at_s
            assert (inject.target, inject.options) == (heal.target, heal.options)
            last_heal_s = heal.at_s


@pytest.mark.parametrize("name", FAULTS)
def test_a_few_short_bursts_that_straddle_the_election_timeout(name: str) -> None:
    lengths, counts = [], []
    for seed in range(200):
        schedule = drawn([name], seed)
        counts.append(len(schedule) // 2)
        lengths += [heal.at_s - inject.at_s for inject, heal in pairs(schedule)]
        assert 0.8 <= schedule[0].at_s <= 1.2
    assert min(counts) >= 3
    assert 4 <= sum(counts) / len(counts) <= 6.5
    if name != "partition":  # a cut has to last until keepalives show that it is one
        assert sum(length < 0.6 for length in lengths) > 0.08 * len(lengths)
    assert sum(length > 0.6 for length in lengths) > 0.5 * len(lengths)
    assert max(lengths) < 3


@pytest.mark.parametrize("name", FAULTS)
def test_the_shortest_run_still_has_a_fault(name: str) -> None:
    for seed in range(100):
        assert len(drawn([name], seed, NEMESES[name].min_time_s)) >= 2


@pytest.mark.parametrize("name", ["partition", "pause", "kill", "latency"])
def test_faults_are_biased_to_the_leader(name: str) -> None:
    targets = Counter(s.target for seed in range(100) for s in drawn([name], seed))
    assert targets.most_common(1)[0][0] in ("isolate-leader", "leader")
    assert set(targets) == set(NEMESES[name].targets), "every target is drawn at some time"


def test_none_is_empty() -> None:
    assert drawn(["none"], 7) == ()


def test_workers_stay_away_long_enough_to_be_marked_offline() -> None:
    hows: Counter[str] = Counter()
    for seed in range(30):
        schedule = drawn(["workers"], seed, 30)
        assert len(schedule) == 2
        assert schedule[1].at_s - schedule[0].at_s >= 22
        assert schedule[1].at_s < 26, "and there is time to see them come back"
        hows[schedule[0].options["how"]] += 1
    assert set(hows) == {"stop", "kill", "pause"}


def test_a_single_node_has_one_target_not_four_names_for_it() -> None:
    for name in ("pause", "kill"):
        assert {s.target for s in draw([name], 7, NODES[:1], WORKERS, 12)} == {"all"}


@pytest.mark.parametrize(
    ("names", "nodes", "workers", "time_limit_s", "said"),
    [
        (
            ["partition"],
            NODES[:1],
            WORKERS,
            12,
            "partition needs at least 2 control-plane nodes, and there are 1",
        ),
        (["latency"], NODES[:1], WORKERS, 12, "latency needs at least 2 control-plane nodes"),
        (["workers"], NODES, (), 60, "workers needs at least 1 workers, and there are 0"),
        (["workers"], NODES, WORKERS, 12, "workers needs a run of 30 s, not of 12 s"),
        (["partion"], NODES, WORKERS, 12, "unknown nemesis 'partion'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    names: list[str], nodes: tuple[str, ...], workers: tuple[str, ...], time_limit_s: float, said: str
) -> None:
    with pytest.raises(ScheduleError, match=said) as caught:
        draw(names, 7, nodes, workers, time_limit_s)
    assert "\n" not in str(caught.value)


def test_a_cluster_that_cannot_do_it_is_refused() -> None:
    with pytest.raises(ScheduleError, match="workers needs a cluster that can kill, pause; this one"):
        check_fit(["workers"], NODES, WORKERS, 30, capabilities=frozenset({"cut"}))
    with pytest.raises(ScheduleError, match="gateway needs a cluster that can kill and has gateway;"):
        draw(["gateway"], 7, NODES, WORKERS, 30, capabilities=frozenset({"pause"}))
    check_fit(FAULTS, NODES, WORKERS, 12, capabilities=frozenset({"cut", "pause", "kill", "delay"}))


def test_a_cluster_that_cuts_packets_only_is_not_asked_to_cut_messages() -> None:
    can = frozenset({"cut"})
    schedules = [draw(["partition"], seed, NODES, WORKERS, 12, capabilities=can) for seed in range(100)]
    targets = {s.target for schedule in schedules for s in schedule}
    assert targets == set(NEMESES["partition"].targets) - {"one-way-messages"}
    assert from_json(to_json(schedules[0]), capabilities=can) == schedules[0]


def test_nor_may_a_schedule_from_a_file_ask_for_what_a_cluster_cannot_do() -> None:
    schedule = next(
        drawn(["partition"], seed)
        for seed in range(100)
        if "one-way-messages" in [step.target for step in drawn(["partition"], seed)]
    )
    assert from_json(to_json(schedule), capabilities=frozenset({"cut", "cut-messages"})) == schedule
    with pytest.raises(ScheduleError, match="partition one-way-messages needs a cluster that can cut-mess"):
        from_json(to_json(schedule), capabilities=frozenset({"cut"}))
    with pytest.raises(ScheduleError, match="pause leader needs a cluster that can pause; this one does"):
        from_json(to_json(drawn(["pause"], 1)), capabilities=frozenset({"cut"}))


def test_there_and_back_through_json() -> None:
    schedule = drawn([*FAULTS, "workers"], 7, 30)
    assert from_json(json.loads(json.dumps(to_json(schedule)))) == schedule
    assert from_json(to_json(schedule)[::-1]) == schedule, "order in the file does not matter"


def spoil(change: dict[str, Any], position: int = 0) -> list[dict[str, Any]]:
    data = to_json(drawn(["kill"], 7))
    data[position] |= change
    return data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("x", "a schedule is a list of steps, not str"),
        ([3], "position 0: expected an object, not int"),
        ([{}], "position 0: 'number' is missing"),
        (spoil({"extra": 1}), "unknown field 'extra'"),
        (spoil({"number": "1"}), "number is '1', expected a whole number"),
        (spoil({"number": True}), "number is True"),
        (spoil({"at_s": float("nan")}), "at_s is nan"),
        (spoil({"at_s": -1}), "at_s is -1"),
        (spoil({"action": "start"}), "action is 'start', expected inject or heal"),
        (spoil({"nemesis": "kil"}), "unknown nemesis 'kil'.*did you mean kill"),
        (spoil({"nemesis": ["kill"]}), "unknown nemesis"),
        (spoil({"nemesis": "none"}), "none has no target 'leader'"),
        (spoil({"target": "follower"}), "kill has no target 'follower'; it has leader, all"),
        (spoil({"target": ["leader"]}), "kill has no target"),
        (spoil({"options": None}), "options of kill are pick, lose_unsynced, not NoneType"),
        (spoil({"options": {"pick": 0.1}}), "options of kill are pick, lose_unsynced, not pick"),
        (
            spoil({"options": {"pick": 1.5, "lose_unsynced": True}}),
            "option pick is 1.5, expected a number from 0",
        ),
        (
            spoil({"options": {"pick": 0.5, "lose_unsynced": 1}}),
            "option lose_unsynced is 1, expected False or True",
        ),
        (spoil({"options": {"pick": 0.5, "lose_unsynced": True}}, 1), "injects one fault and heals another"),
        (to_json(drawn(["kill"], 7))[1:], "step 0 has no inject"),
        (to_json(drawn(["kill"], 7))[:-1], "has no heal"),
        (to_json(drawn(["kill"], 7)) * 2, "step 0 has two injects"),
        (spoil({"at_s": 11.9}), "step 0 heals at .* s, not after its inject"),
    ],
)
def test_a_bad_schedule_is_refused_in_one_line(data: Any, said: str) -> None:
    with pytest.raises(ScheduleError, match=said) as caught:
        from_json(data)
    assert "\n" not in str(caught.value)
