"""What a checker concludes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Validity(Enum):
    """Only YES passes.

    VACUOUS means the evidence could not have shown a violation, so it shows nothing; UNKNOWN means the
    checker could not decide.
    """

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    VACUOUS = "vacuous"


# Worst first: the validity of several verdicts together is the first of these that any of them has.
_WORST_FIRST = (Validity.NO, Validity.UNKNOWN, Validity.VACUOUS, Validity.YES)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One violation, named and explained.

    kind:    a short stable name, such as "two-leaders" or "stale-read"
    message: what happened and why it is impossible, in plain English, with the operations' indices
    ops:     indices (Op.index) of the operations concerned
    events:  the node events concerned, as they stand in the event logs
    time_ns: where on the run's clock to look; None where it has no single moment
    """

    kind: str
    message: str
    ops: tuple[int, ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    time_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A checker's conclusion.

    checker:  the checker's name in checkers.CHECKERS
    summary:  one line: what was checked and how much of it, or what is wrong
    evidence: figures that show how much was covered (JSON values)
    certificate: of a yes that rests on an order, that order, verified: {object: indices of invocations}
    """

    checker: str
    valid: Validity
    summary: str
    anomalies: tuple[Anomaly, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, tuple[int, ...]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.valid is Validity.NO) != bool(self.anomalies):
            raise ValueError(f"{self.checker}: a verdict has anomalies exactly when it is 'no': {self!r}")


def worst(verdicts: Iterable[Verdict]) -> Validity:
    """The validity of a run: the worst of its verdicts; UNKNOWN of none at all, never YES."""
    seen = {verdict.valid for verdict in verdicts}
    return next((validity for validity in _WORST_FIRST if validity in seen), Validity.UNKNOWN)


# A broken system breaks the same rule a thousand times; the first few tell the story.
ANOMALIES_NAMED = 20


def conclude(
    checker: str,
    summary: str,
    *,
    anomalies: Sequence[Anomaly] = (),
    unknown: Sequence[str] = (),
    vacuous: Sequence[str] = (),
    evidence: dict[str, Any] | None = None,
) -> Verdict:
    """The worst that the arguments allow: `no` for any anomaly, then `unknown`, then `vacuous`, each for the
    reasons given, and `yes` with `summary` only where there are none of these."""
    evidence = dict(evidence or {})
    if anomalies:
        evidence["anomalies"] = dict(sorted(Counter(anomaly.kind for anomaly in anomalies).items()))
        more = f" ({len(anomalies) - 1} more)" if len(anomalies) > 1 else ""
        first = f"{anomalies[0].kind}: {anomalies[0].message}{more}"
        return Verdict(checker, Validity.NO, first, tuple(anomalies[:ANOMALIES_NAMED]), evidence)
    for validity, reasons in ((Validity.UNKNOWN, unknown), (Validity.VACUOUS, vacuous)):
        if reasons:
            evidence["reasons"] = list(reasons)
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            return Verdict(checker, validity, f"{reasons[0]}{more}", evidence=evidence)
    return Verdict(checker, Validity.YES, summary, evidence=evidence)
