"""Random registers, judged by us and by Porcupine, which shares no line with us: no verdict may differ."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

from benchmarks.checkers import histories as of
from benchmarks.checkers.peers import Porcupine
from checkers.linear.certificate import verify
from checkers.linear.operations import Limits
from checkers.linear.zones_kernels import CAS, NEVER, READ, WRITE
from checkers.linearizability import decide
from checkers.models.register import CAS_REGISTER
from checkers.verdict import Validity

HISTORIES = 300
TIMEOUT_S = 2.0


def drawn(rng: Random) -> of.Registers:
    """Mostly with one or two reads of what somebody else wrote at about that time."""
    history = of.registers(
        rng.randint(2, 8),
        rng.choice((20, 40, 80, 150, 250)),
        values=rng.choice((0, 0, 2, 3, 5, 20)),
        reads=rng.choice((0.3, 0.5, 0.7)),
        swaps=rng.choice((0.0, 0.0, 0.2, 0.4)),
        crashed=rng.choice((0.0, 0.02, 0.1)),
        seed=rng.getrandbits(31),
    )
    for _ in range(rng.randint(0, 2)):
        history = misread(history, rng)
    return history


def misread(history: of.Registers, rng: Random) -> of.Registers:
    calls, a = history.calls, history.calls.a.copy()
    reads = np.nonzero((calls.kind == READ) & (calls.returned < NEVER))[0].tolist()
    if not reads:
        return history
    at = rng.choice(reads)
    near = [n for n in range(max(0, at - 25), min(len(a), at + 25)) if calls.kind[n] in (WRITE, CAS)]
    if near:
        other = rng.choice(near)
        a[at] = calls.a[other] if calls.kind[other] == WRITE else calls.b[other]
    return of.Registers(history.name, calls._replace(a=a), history.unique)


@pytest.mark.skipif(not Porcupine.is_possible(), reason="needs Go")
def test_the_same_verdicts(tmp_path: Path) -> None:
    rng, verdicts = Random(20), Counter[str]()
    with Porcupine(tmp_path) as porcupine:
        for number in range(HISTORIES):
            history = drawn(rng)
            said, _ = porcupine.judge(history, TIMEOUT_S)
            theirs = said if said in ("yes", "no") else "none in time"
            for short in (True, False):
                ours = decide(CAS_REGISTER, history.operations, Limits.of(10), short=short)
                assert ours.validity in (Validity.YES, Validity.NO), (number, history)
                if ours.validity is Validity.YES:
                    assert verify(CAS_REGISTER, history.operations, ours.order or ()) is None
                assert theirs in (ours.validity.value, "none in time"), (number, short, history)
            verdicts[theirs] += 1
    assert min(verdicts["yes"], verdicts["no"]) > HISTORIES // 5, verdicts
