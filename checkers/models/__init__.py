"""What an object may do: one model a file, by the name that the command line knows it by."""

from __future__ import annotations

from checkers.linear.operations import Model
from checkers.models.append import APPEND
from checkers.models.counter import COUNTER, FETCH_ADD
from checkers.models.kv import KV
from checkers.models.mutex import FENCED_MUTEX, MUTEX
from checkers.models.queue import QUEUE
from checkers.models.register import CAS_REGISTER, REGISTER
from checkers.models.sets import SET
from checkers.models.stack import STACK

LINEAR_MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        REGISTER,
        CAS_REGISTER,
        KV,
        APPEND,
        COUNTER,
        FETCH_ADD,
        SET,
        QUEUE,
        STACK,
        MUTEX,
        FENCED_MUTEX,
    )
}
