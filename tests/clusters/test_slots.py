"""Slots: whose subnets are whose, between processes too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from system.clusters import slots
from system.clusters.errors import ClusterError

HOLDER = """
import pathlib, sys
from system.clusters import slots
slots.LOCKS = pathlib.Path(sys.argv[1])
slot = slots.lease([])
print(slot.number, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else runs on this machine."""
    monkeypatch.setattr(slots, "LOCKS", tmp_path / "locks")


def test_a_slot_is_a_project_of_its_own_on_subnets_of_its_own() -> None:
    slot = slots.lease([])
    assert slot.number == 1 and slot.project == "crosswind-1"
    assert slots.subnets(1) == ["10.10.1.0/24", "10.20.1.0/24", "10.30.1.0/24", "10.40.1.0/24"]
    slot.release()


def test_two_leases_never_meet_and_a_released_one_is_free_again() -> None:
    one, two = slots.lease([]), slots.lease([])
    assert [one.number, two.number] == [1, 2]
    one.release()
    three = slots.lease([])
    assert three.number == 1
    two.release()
    three.release()


def test_another_process_keeps_its_slot_until_it_is_gone_however_it_went() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(slots.LOCKS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None and holder.stdin is not None
    with holder.stdout, holder.stdin:
        assert holder.stdout.readline() == "1\n"
        slot = slots.lease([])
        assert slot.number == 2
        slot.release()
        holder.kill()
        holder.wait()
        slot = slots.lease([])
        assert slot.number == 1
        slot.release()


@pytest.mark.parametrize(
    "taken",
    [
        pytest.param(["10.20.1.0/24"], id="one of its four"),
        pytest.param(["10.40.0.0/23"], id="a larger one around it"),
        pytest.param(["10.10.1.128/25", "fd00::/8"], id="a part of it, and one of another kind"),
    ],
)
def test_a_slot_whose_subnets_somebody_else_has_is_passed_over(taken: list[str]) -> None:
    slot = slots.lease(taken)
    assert slot.number == 2
    slot.release()


def test_with_every_subnet_taken_it_says_so() -> None:
    with pytest.raises(ClusterError, match=r"^all 97 subnets for Docker clusters are taken; end other runs"):
        slots.lease(["10.0.0.0/8"])


def test_only_one_is_attached_to_the_sim_at_a_time() -> None:
    slot = slots.attach()
    assert slot.number == 0 and slot.project == "crosswind"
    with pytest.raises(ClusterError, match="another run is attached to the cluster of `make sim-up`"):
        slots.attach()
    assert slots.lease([]).number == 1
    slot.release()
    slots.attach().release()
