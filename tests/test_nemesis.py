"""The runs: every plan asked for on the command line, or the default matrix (`pytest -m nemesis`)."""

from collections.abc import Callable

import pytest

from harness.plan import Plan
from harness.run import Result


@pytest.mark.nemesis
def test_run(crosswind_plan: Plan, crosswind_run: Callable[[Plan], Result]) -> None:
    crosswind_run(crosswind_plan)
