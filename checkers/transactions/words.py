"""How transactions and what orders them are put into words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from checkers.transactions.codes import OK, PROCESS, READ, REALTIME, RW, WR, WRITE, WW
from checkers.transactions.columns import Ints, TransactionColumns
from checkers.transactions.list_append import Lists
from checkers.transactions.rw_register import Registers
from checkers.words import listed, shown

# Elements of a long list that are shown from either end.
_ENDS = 5
# Steps of a long circle that are told.
_STEPS = 20

# A relation between two transactions, and why it holds, with A and B for their names.
Reason = tuple[int, str]
A, B = "\ue000", "\ue001"


def op_of(c: TransactionColumns, transaction: int) -> int:
    """The index by which a transaction is known: its invocation's, or else its completion's."""
    return int(c.index[transaction] if c.index[transaction] >= 0 else c.completed[transaction])


def named(c: TransactionColumns, transaction: int) -> str:
    return f"op {op_of(c, transaction)}"


def listed_elements(c: TransactionColumns, versions: Ints) -> str:
    if len(versions) <= 2 * _ENDS + 1:
        return f"[{_elements(c, versions)}]"
    start, end = _elements(c, versions[:_ENDS]), _elements(c, versions[-_ENDS:])
    return f"[{start} … {len(versions) - 2 * _ENDS} more … {end}]"


def _elements(c: TransactionColumns, versions: Ints) -> str:
    return " ".join(shown(c.value_name(version)) for version in versions.tolist())


def list_reasons(lists: Lists, a: int, b: int) -> Iterator[Reason]:
    """Why a comes before b, by what the lists say."""
    c = lists.columns
    for j in c.micro_ops(b):
        key = int(c.key[j])
        order = lists.versions(key)
        name = shown(c.key_name(key))
        if c.f[j] == WRITE:
            place = int(lists.place[j])
            before = -1
            if place > 0 or (place < 0 and len(order)):
                before = int(order[place - 1] if place > 0 else order[-1])
            if before >= 0 and lists.writer[before] == a:
                value, earlier = shown(c.value_name(int(c.version[j]))), shown(c.value_name(before))
                if place >= 0:
                    text = f"{B} appended {value} to {name} right after {A} had appended {earlier}"
                else:
                    text = f"no read has {B}'s append of {value} to {name}: it came after {A}'s of {earlier}"
                yield WW, f"{text}: {_longest(lists, key)}"
        elif c.status[b] == OK and len(c.read(j)) and lists.writer[c.read(j)[-1]] == a:
            elements = c.read(j)
            last = shown(c.value_name(int(elements[-1])))
            yield WR, f"{B} read {name} as {listed_elements(c, elements)}, where {A} had appended {last}"
    yield from _overwritten_reads(lists, a, b)


def _overwritten_reads(lists: Lists, a: int, b: int) -> Iterator[Reason]:
    c = lists.columns
    if c.status[a] != OK:
        return
    reads = {(int(c.key[j]), int(lists.place[j])): j for j in c.micro_ops(a) if c.f[j] == READ}
    for j in c.micro_ops(b):
        if c.f[j] != WRITE:
            continue
        key, place = int(c.key[j]), int(lists.place[j])
        read = reads.get((key, place if place >= 0 else len(lists.versions(key))))
        if read is None:
            continue
        value, name = shown(c.value_name(int(c.version[j]))), shown(c.key_name(key))
        saw = f"{A} read {name} as {listed_elements(c, c.read(read))}"
        if place >= 0:
            yield RW, f"{saw}, before {B} appended {value}: {_longest(lists, key)}"
        else:
            yield RW, f"{saw}, without {B}'s append of {value}, which no read of {name} has"


def _longest(lists: Lists, key: int) -> str:
    c = lists.columns
    read = int(lists.longest[key])
    transaction = c.transaction_of(read)
    return f"{named(c, transaction)} read {listed_elements(c, c.read(read))}"


def register_reasons(registers: Registers, a: int, b: int) -> Iterator[Reason]:
    """Why a comes before b, by what the registers say."""
    c = registers.columns
    touched_a = [j for j in c.micro_ops(a) if registers.external[j]]
    touched_b = [j for j in c.micro_ops(b) if registers.external[j]]
    order = {tuple(pair) for pair in registers.order[_of(registers, a)].tolist()}
    for i in touched_a:
        for j in touched_b:
            if c.key[i] != c.key[j]:
                continue
            name = shown(c.key_name(int(c.key[i])))
            earlier, later = (shown(c.value_name(int(c.version[x]))) for x in (i, j))
            from_version = int(c.version[i]) if c.version[i] >= 0 else registers.nil(int(c.key[i]))
            follows = (from_version, int(c.version[j])) in order
            if c.f[i] == WRITE and c.f[j] == READ and c.version[i] == c.version[j]:
                yield WR, f"{B} read {name} = {later}, which {A} wrote"
            elif c.f[i] == WRITE and c.f[j] == WRITE and follows:
                yield WW, f"{A} wrote {name} = {earlier}, and {B} the later version {later}"
            elif c.f[i] == READ and c.f[j] == WRITE and follows:
                yield RW, f"{A} read {name} = {earlier}, and {B} wrote the later version {later}"


def _of(registers: Registers, transaction: int) -> Any:
    """The order's pairs whose first is a version that the transaction touched."""
    c = registers.columns
    versions = [
        int(c.version[j]) if c.version[j] >= 0 else registers.nil(int(c.key[j]))
        for j in c.micro_ops(transaction)
    ]
    low, high = (registers.order[:, 0].searchsorted(sorted(versions), side) for side in ("left", "right"))
    return [at for start, end in zip(low, high, strict=True) for at in range(start, end)]


def process_reasons(c: TransactionColumns, a: int, b: int) -> Iterator[Reason]:
    both_ok = c.status[a] == c.status[b] == OK
    if both_ok and c.process[a] == c.process[b] and c.returned[a] < c.returned[b]:
        yield PROCESS, f"process {c.process[a]} ran {A} before {B}"


def real_time_reasons(c: TransactionColumns, a: int, b: int) -> Iterator[Reason]:
    if c.returned[a] < c.invoked[b]:
        yield REALTIME, f"{A} had returned, op {c.completed[a]}, before {B} was invoked"


def circle_in_words(c: TransactionColumns, transactions: Sequence[int], reasons: Sequence[str]) -> str:
    """Such as "T1 (op 2) comes before T2 (op 4): …; T2 comes before T1: …. No order has both"."""
    names = [f"T{number}" for number in range(1, len(transactions) + 1)]
    who = listed(f"{name} is {named(c, t)}" for name, t in zip(names, transactions, strict=True))
    steps = []
    for at, reason in enumerate(reasons):
        a, b = names[at], names[(at + 1) % len(names)]
        steps.append(f"{a} comes before {b}: {reason.replace(A, a).replace(B, b)}")
    both = "both" if len(steps) == 2 else "all of these"
    if len(steps) > _STEPS:
        who = f"{len(names)} transactions, {named(c, transactions[0])} the first, come in a circle"
        steps = [*steps[: _STEPS - 2], f"and so on to {names[-1]}, {named(c, transactions[-1])}", steps[-1]]
    return f"{who}. {'; '.join(steps[:-1])}; but {steps[-1]}. No order has {both}"
