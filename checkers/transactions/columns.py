"""Transactions as columns: flat arrays, without a Python object for a transaction or a micro-operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["list-append", "rw-register"]
KINDS: tuple[Kind, ...] = ("list-append", "rw-register")

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TransactionColumns:
    """n transactions in order of invocation, of m micro-operations in all.

    Keys are numbered from 0; versions number the pairs of a key and a value that was written to it or read
    from it, from 0 over all keys.

    status, process: (n,) OK, INFO or FAIL; a number a process
    invoked, returned: (n,) positions in the history, unique over both and below `events`; invoked is -1
        where the history has completions only, returned is NEVER of an INFO
    first:         (n + 1,) transaction t has the micro-operations first[t] to first[t + 1]
    f, key:        (m,) READ or WRITE, and of which key
    version:       (m,) what a WRITE wrote, or a register's READ returned; -1: nil
    element_first: (m + 1,) and elements: what a list's READ returned, as versions
    index, completed: (n,) Op.index of the invocation and of the completion; -1 where there is none
    key_names, value_names: what the numbers stand for; empty: the numbers themselves
    """

    kind: Kind
    status: Bytes
    process: Longs
    invoked: Longs
    returned: Longs
    first: Longs
    f: Bytes
    key: Ints
    version: Ints
    element_first: Longs
    elements: Ints
    index: Longs
    completed: Longs
    keys: int
    versions: int
    events: int
    key_names: Sequence[Any] = field(default=(), repr=False)
    value_names: Sequence[Any] = field(default=(), repr=False)

    @property
    def transactions(self) -> int:
        return len(self.status)

    @property
    def micro_operations(self) -> int:
        return len(self.f)

    @property
    def nbytes(self) -> int:
        """The arrays' size."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))

    def key_name(self, key: int) -> Any:
        return self.key_names[key] if self.key_names else key

    def value_name(self, version: int) -> Any:
        return None if version < 0 else self.value_names[version] if self.value_names else version

    def micro_ops(self, transaction: int) -> range:
        return range(int(self.first[transaction]), int(self.first[transaction + 1]))

    def transaction_of(self, micro_op: int) -> int:
        return int(np.searchsorted(self.first, micro_op, "right")) - 1

    def read(self, micro_op: int) -> Ints:
        """A list read's elements."""
        return self.elements[self.element_first[micro_op] : self.element_first[micro_op + 1]]
