"""The client of objects: has workers put and get them, and reports honestly what is known of their fate."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from system.attempt import AttemptRefusedError, AttemptUnresolvedError, Conversation, Course
from system.client import Refused, Unresolved
from system.object_content import content, md5
from system.pb import worker_pb2, worker_pb2_grpc

BUCKET = "pipeline-data"
# How many attempts' time one submit has in all.
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class PutObject:
    """Puts content(number, size_bytes), whatever is there."""

    key: str
    number: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ReplaceObject:
    """Puts content(number, size_bytes) only where the object's ETag is `expected`; None: where there is no
    object."""

    key: str
    expected: str | None
    number: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GetObject:
    key: str


ObjectRequest = PutObject | ReplaceObject | GetObject


@dataclass(frozen=True, slots=True)
class ObjectAnswer:
    """etag: what the store says it is, without quotes; None: there is no such object, or the ETag was not the
    expected one and nothing was put. md5: of the body, as the worker read it; of a GetObject.

    index: no log orders what happens to objects.
    """

    node: str
    etag: str | None = None
    md5: str | None = None
    index: ClassVar[None] = None


class ObjectClient:
    """One logical client: one outstanding request.

    addresses: {worker: "ip:port"} as dialled from where this client is
    client_id: its name; decides which worker it begins with
    pinned:    ask this worker only; None: another one every time
    prefix:    before every key, so that one run's objects are not another's

    A submit ends within attempt_timeout_s × 2.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        *,
        cluster_id: str,
        client_id: str,
        pinned: str | None = None,
        prefix: str = "",
        attempt_timeout_s: float = 2.0,
    ) -> None:
        if not addresses or (pinned is not None and pinned not in addresses):
            known = ", ".join(addresses) or "none"
            raise ValueError(f"pinned to {pinned!r}, with addresses of: {known}")
        self._conversations = {
            worker: Conversation(worker, address, worker_pb2_grpc.TaskServiceStub)
            for worker, address in addresses.items()
        }
        self._cluster_id = cluster_id
        self._pinned = pinned
        self._prefix = prefix
        self._attempt_timeout_s = attempt_timeout_s
        self._next_worker = pinned or Random(client_id).choice(list(addresses))

    async def open(self, deadline_s: float) -> None:
        """There is no session to open."""

    async def submit(self, request: ObjectRequest, *, ask_twice: bool = False) -> ObjectAnswer:
        """Raises Refused or Unresolved. Asks on, one worker after the other, for as long as everybody asked
        definitely did nothing.

        ask_twice means nothing here: no session makes the second of two puts the same as the first.
        """
        now_s = asyncio.get_running_loop().time
        until_s = now_s() + ATTEMPTS * self._attempt_timeout_s
        course = Course(tuple(self._conversations), self._next_worker)
        self._next_worker = self._pinned or course.after()
        message = self._message(request)
        while True:
            worker = course.node
            timeout_s = max(0.0, min(self._attempt_timeout_s, until_s - now_s()))
            try:
                response = await self._conversations[worker].ask("RunTask", message, timeout_s)
            except AttemptUnresolvedError as error:
                raise Unresolved(str(error), worker) from None
            except AttemptRefusedError as error:
                if not error.permanent and not self._pinned:
                    await course.turn()
                    if now_s() < until_s:
                        continue
                raise Refused(str(error), worker) from None
            return _answer(worker, response.result)

    async def close(self) -> None:
        for conversation in self._conversations.values():
            await conversation.close()

    def _message(self, request: ObjectRequest) -> worker_pb2.RunTaskRequest:
        arguments = {"bucket": BUCKET, "key": self._prefix + request.key}
        if isinstance(request, GetObject):
            return worker_pb2.RunTaskRequest(
                cluster_id=self._cluster_id, task="get-object", arguments=arguments
            )
        arguments |= {"number": str(request.number), "size_bytes": str(request.size_bytes)}
        if isinstance(request, ReplaceObject):
            expected = request.expected
            arguments |= {"if_none_match": "*"} if expected is None else {"if_match": f'"{expected}"'}
        return worker_pb2.RunTaskRequest(cluster_id=self._cluster_id, task="put-object", arguments=arguments)


def expected_etag(request: PutObject | ReplaceObject) -> str:
    """What a store that keeps its promises says of the object once it is put."""
    return md5(content(request.number, request.size_bytes))


def _answer(worker: str, result: Mapping[str, str]) -> ObjectAnswer:
    etag = result.get("etag")
    return ObjectAnswer(worker, None if etag is None else etag.strip('"'), result.get("md5"))
