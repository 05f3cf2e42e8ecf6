"""Transfers between accounts move money and make none: every read of all balances has the same sum.

After Jepsen's bank test. A read is an object from account to balance; a transfer's value names `from` and
`to`. A read that leaves an account out is judged by its sum alone: some systems forget accounts that are
empty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from checkers.classics.calls import acknowledged, is_recorded, named, number
from checkers.history import Call, History, HistoryError, Op
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import listed

NAME = "bank"
Sum = int | Fraction


def bank(
    history: History,
    *,
    total: int | float | None = None,
    accounts: Collection[Any] | None = None,
    negative_allowed: bool = False,
) -> Verdict:
    """total, accounts: where not given, those of the run's facts ("total_amount", "accounts"), or else what
    the first read that is whole shows, with the accounts that transfers name.

    Raises HistoryError where a read is no object, or a balance no number.
    """
    calls = list(history.calls())
    reads = [_Read.of(*pair) for pair in acknowledged(calls, "read") if is_recorded(history, pair[1])]
    books = _books(history, calls, reads, total, accounts)
    moved = [call for call in calls if call.invoke.f == "transfer" and call.type != "fail"]
    wrong = [anomaly for read in reads if (anomaly := _wrong(read, books, negative_allowed)) is not None]
    # What the sum is learned from cannot contradict it.
    enough = 1 if books.source is None else 2
    return conclude(
        NAME,
        f"{len(reads)} reads, each with {_shown(books.total)} in all, over {len(moved)} transfers",
        anomalies=wrong,
        vacuous=[
            *([f"{len(reads)} reads of the accounts, too few to compare"] if len(reads) < enough else []),
            *([] if moved else ["nothing was ever transferred"]),
        ],
        evidence={
            "total": books.total if isinstance(books.total, int) else _shown(books.total),
            "accounts": sorted(books.accounts),
            "reads": len(reads),
            "reads_without_some_account": sum(not books.accounts <= read.balances.keys() for read in reads),
            "transfers": len(moved),
            "transfers_acknowledged": sum(call.type == "ok" for call in moved),
        },
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """balances: by the account's name as a text, since JSON knows no other keys."""

    invoke: Op
    balances: dict[str, Sum | None]

    @classmethod
    def of(cls, invoke: Op, done: Op) -> _Read:
        if not isinstance(done.value, dict):
            raise HistoryError(
                f"op {done.index}: a read of the bank returned {done.value!r:.60}; expected an object from"
                " account to balance"
            )
        return cls(invoke, {str(name): _amount(done, balance) for name, balance in done.value.items()})

    @property
    def total(self) -> Sum:
        return sum((balance for balance in self.balances.values() if balance is not None), start=0)

    @property
    def nils(self) -> list[str]:
        return sorted(name for name, balance in self.balances.items() if balance is None)


@dataclass(frozen=True, slots=True)
class _Books:
    """source: the read that total was learned from; None where it was given, or no read is whole."""

    total: Sum | None
    accounts: frozenset[str]
    source: Op | None


def _amount(op: Op, balance: Any) -> Sum | None:
    return None if balance is None else _exact(number(op, balance))


def _exact(value: int | float) -> Sum:
    """Fractions of a unit add up as they are written: 0.1 and 0.2 are 0.3."""
    return value if isinstance(value, int) else Fraction(str(value))


def _shown(total: Sum | None) -> str:
    if isinstance(total, Fraction):
        return f"{(Decimal(total.numerator) / Decimal(total.denominator)).normalize():f}"
    return str(total)


def _books(
    history: History,
    calls: list[Call],
    reads: list[_Read],
    total: int | float | None,
    accounts: Collection[Any] | None,
) -> _Books:
    total = history.facts.get("total_amount") if total is None else total
    accounts = history.facts.get("accounts") if accounts is None else accounts
    known = frozenset(map(str, accounts) if accounts is not None else _in_use(calls, reads[:1]))
    if total is not None:
        return _Books(_exact(total), known, None)
    whole = next((read for read in reads if not read.nils), None)
    return _Books(None, known, None) if whole is None else _Books(whole.total, known, whole.invoke)


def _in_use(calls: list[Call], reads: list[_Read]) -> Iterator[str]:
    for read in reads:
        yield from read.balances
    for call in calls:
        value = call.invoke.value
        if call.invoke.f == "transfer" and isinstance(value, dict):
            yield from (str(value[end]) for end in ("from", "to") if end in value)


def _wrong(read: _Read, books: _Books, negative_allowed: bool) -> Anomaly | None:
    """The gravest thing wrong with a read, in Jepsen's order."""
    op = read.invoke
    strange = sorted(read.balances.keys() - books.accounts)
    below = sorted(name for name, balance in read.balances.items() if balance is not None and balance < 0)
    ops: tuple[int, ...] = (op.index,)
    if strange:
        kind, message = "unexpected-account", f"shows {_some(strange)}, which the bank does not have"
    elif read.nils:
        kind, message = "nil-balance", f"shows no balance for {_some(read.nils)}"
    elif read.total != books.total:
        kind = "wrong-total"
        message = f"shows {_shown(read.total)} in all; it should be {_shown(books.total)}"
        if books.source is not None:
            message += f", as in {named(books.source)}, the first: transfers move money, they make none"
            ops = (books.source.index, op.index)
    elif below and not negative_allowed:
        balances = listed(f"{name} at {_shown(read.balances[name])}" for name in below[:8])
        kind, message = "negative-balance", f"shows {balances}, below zero"
    else:
        return None
    return Anomaly(kind, f"{named(op)} (process {op.process}) {message}", ops, time_ns=op.time_ns)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"account{'s' if len(names) > 1 else ''} {listed(names[:8])}{more}"
