"""What a machine may lack: then a test is skipped, unless CROSSWIND_REQUIRE names it."""

import os
from typing import NoReturn

import pytest


def lacking(name: str, what: str, reason: object) -> NoReturn:
    """Skips the test, or fails it. name: as CROSSWIND_REQUIRE has it, with commas; what: in words."""
    if name in os.environ.get("CROSSWIND_REQUIRE", "").split(","):
        pytest.fail(f"CROSSWIND_REQUIRE asks for {what}; {reason}", pytrace=False)
    pytest.skip(str(reason))
