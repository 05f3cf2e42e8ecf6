"""What all tests need."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """Whom a shell starts in the background ignores SIGINT, and so do its children; some tests send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
