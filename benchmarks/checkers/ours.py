"""What our checkers say of columns, on the shortest way that they have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.checkers.histories import History, Lists, Registers
from checkers.linear.depth_first_layout import BLOCKED, DONE
from checkers.linear.operations import Limits
from checkers.linear.register_kernels import search_register
from checkers.linear.search import search as search_any
from checkers.linear.witness import explained_by_log
from checkers.linear.zones_kernels import REPEATED, YES, decide
from checkers.models.register import CAS_REGISTER
from checkers.verdict import Validity

LONGEST_S = 10.0
SOON = 100_000  # configurations in all


def judge(history: History) -> str:
    """yes, no or no answer."""
    if isinstance(history, Lists):
        return lists(history)
    return zones(history) if history.unique else search(history)


def zones(history: Registers, *, certify: bool = False) -> str:
    status, _ = decide(history.calls, np.full(4, -1, np.int64), certify)
    return "yes" if status == YES else "no answer" if status == REPEATED else "no"


def search(history: Registers) -> str:
    """At once where that is soon done; else as any history is searched, whose operations are at hand too."""
    status = search_register(*history.calls[:5], len(history.calls.key_of), SOON)
    if status in (DONE, BLOCKED):
        return "yes" if status == DONE else "no"
    found = search_any(CAS_REGISTER, history.operations, Limits.of(LONGEST_S)).validity
    return f"no answer in {LONGEST_S:g} s" if found is Validity.UNKNOWN else found.value


def lists(history: Lists) -> str:
    parts: Sequence[object] = (history.calls,)
    found = explained_by_log(lambda: parts, history.keys, history.elements)
    return found.validity.value if found.validity is not None else "no answer"
