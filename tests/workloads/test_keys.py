"""How many lists or registers are in use at a time is the run's to say."""

from random import Random

import pytest

from harness.probe import probe
from harness.simulation import Tuning
from harness.sweep import Campaign
from system.simulation.knobs import Knobs
from workloads import WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("keys", [1, 2, 7])
def test_no_more_keys_are_in_use_than_asked_for(name: str, keys: int) -> None:
    workload, rng = WORKLOADS[name](keys), Random(7)
    drawn = [workload.draw(rng)[1][0] for _ in range(2000)]
    assert len(set(drawn[:50])) <= keys + 1
    assert len(set(drawn)) > keys, "old ones are retired all the same"
    for at in range(0, 2000, 20):
        assert len(set(drawn[at : at + 20])) <= 2 * keys


@pytest.mark.parametrize("workload", ["append", "register"])
def test_a_simulated_run_uses_as_many_as_its_knobs_say(workload: str) -> None:
    plan = Campaign(workloads=(workload,)).plan(3)
    few = probe(plan, tuning=Tuning(Knobs(keys=1), workers=False))
    usual = probe(plan, tuning=Tuning(Knobs(), workers=False))
    assert few.trace_hash != usual.trace_hash
    assert not few.findings
