"""The system's client: carries one request, reports honestly what is known of its fate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from system.attempt import AttemptRefusedError, AttemptUnresolvedError, Conversation, Course
from system.pb import orchestrator_pb2 as pb
from system.pb import orchestrator_pb2_grpc

# How often one submit sends a command whose fate it does not know, and how many attempts' time it has in all.
ATTEMPTS = 3

# Who carries requests out: the control plane those below, workers those of system.object_client.
Service = Literal["control-plane", "workers"]


@dataclass(frozen=True, slots=True)
class Append:
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Put:
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class CompareAndSet:
    key: str
    expected: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Read:
    key: str


Request = Append | Put | CompareAndSet | Read


@dataclass(frozen=True, slots=True)
class Answer:
    """index: the log index a command took, or a read's applied index. swapped: of a CompareAndSet.
    items, value: of a Read."""

    node: str
    index: int
    swapped: bool = True
    items: tuple[str, ...] = ()
    value: str | None = None


class Refused(Exception):
    """The request definitely did not happen, at no attempt. node: the one asked last."""

    def __init__(self, message: str, node: str | None = None) -> None:
        super().__init__(message)
        self.node = node


class Unresolved(Exception):
    """At least one attempt may or may not have happened, whatever the last one said. node: the one asked
    last."""

    def __init__(self, message: str, node: str | None = None) -> None:
        super().__init__(message)
        self.node = node


class Client:
    """One logical client: one session, one outstanding request.

    addresses: {node id: "ip:port"} as dialled from where this client is
    client_id: the session's name, unique for each logical client of a run
    pinned:    send to this node only; None: follow the leader
    retry:     send a timed-out command again under the same (client, sequence), within the same submit
    converse:  (node, address) -> what carries requests there; None: gRPC

    A submit ends within attempt_timeout_s × 3 (× 6 with ask_twice).
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        *,
        cluster_id: str,
        client_id: str,
        pinned: str | None = None,
        retry: bool = False,
        attempt_timeout_s: float = 1.0,
        converse: Callable[[str, str], Conversation] | None = None,
    ) -> None:
        if not addresses or (pinned is not None and pinned not in addresses):
            known = ", ".join(addresses) or "none"
            raise ValueError(f"pinned to {pinned!r}, with addresses of: {known}")
        converse = converse or _over_grpc
        self._conversations = {node: converse(node, address) for node, address in addresses.items()}
        self._cluster_id = cluster_id
        self._client_id = client_id
        self._pinned = pinned
        self._retry = retry
        self._attempt_timeout_s = attempt_timeout_s
        self._sequence = 0
        self._next_node = pinned or next(iter(addresses))

    async def open(self, deadline_s: float) -> None:
        """Opens the session. Raises Unresolved where no leader took it in time, Refused where none ever will.

        Goes to whoever leads, even if the client is pinned: a session is the whole cluster's.
        """
        message = pb.OpenSessionRequest(cluster_id=self._cluster_id, client_id=self._client_id)
        until = _now_s() + deadline_s
        course = self._course()
        trouble = "no attempt was made"
        while _now_s() < until:
            try:
                await self._attempt(course.node, "OpenSession", message, until)
            except AttemptRefusedError as error:
                if error.permanent:
                    raise Refused(str(error), course.node) from None
                trouble = str(error)
                await course.turn(error.leader)
            except AttemptUnresolvedError as error:
                # Opened twice is opened once, so here asking on is safe.
                trouble = str(error)
                await course.turn()
            else:
                self._next_node = self._pinned or course.node
                return
        raise Unresolved(f"no session within {deadline_s:.3g} s; last: {trouble}", course.node)

    async def submit(self, request: Request, *, ask_twice: bool = False) -> Answer:
        """Raises Refused or Unresolved. After Unresolved the client must be closed and never used again.

        ask_twice: once answered, send the same (client, sequence) again, as if the first answer had been
        lost, and return the second answer. Means nothing for a Read.
        """
        until = self._until()
        if isinstance(request, Read):
            message = pb.ReadRequest(cluster_id=self._cluster_id, key=request.key)
            return await self._resolve("Read", message, until)
        self._sequence += 1
        method, command = self._command(request)
        try:
            answer = await self._resolve(method, command, until)
        except Unresolved as unresolved:
            if not self._retry:
                raise
            retried = await self._ask_again(method, command, until)
            raise Unresolved("; ".join([str(unresolved), *retried]), self._asked) from None
        if not ask_twice:
            return answer
        try:
            return await self._resolve(method, command, self._until())
        except Refused as refused:
            said = f"answered with index {answer.index} by {answer.node}; asked twice: {refused}"
            raise Unresolved(said, refused.node) from None

    async def close(self) -> None:
        for conversation in self._conversations.values():
            await conversation.close()

    def _command(self, request: Append | Put | CompareAndSet) -> tuple[str, Any]:
        """(method, message) under the current sequence."""
        common: dict[str, Any] = {
            "cluster_id": self._cluster_id,
            "command": pb.Command(client_id=self._client_id, sequence=self._sequence),
            "key": request.key,
            "value": request.value,
        }
        match request:
            case Append():
                return "Append", pb.AppendRequest(**common)
            case Put():
                return "Put", pb.PutRequest(**common)
            case CompareAndSet(expected=expected):
                return "CompareAndSet", pb.CompareAndSetRequest(**common, expected=expected)

    async def _resolve(self, method: str, message: Any, until: float) -> Answer:
        """Asks until somebody does it, for as long as everybody asked definitely did nothing."""
        course = self._course()
        while True:
            try:
                response = await self._attempt(course.node, method, message, until)
            except AttemptUnresolvedError as error:
                self._next_node = self._pinned or course.after()
                raise self.doubtful(str(error), course.node) from None
            except AttemptRefusedError as error:
                asked = course.node
                if not error.permanent and not self._pinned:
                    await course.turn(error.leader)
                    self._next_node = course.node
                    if _now_s() < until:
                        continue
                raise Refused(str(error), asked) from None
            self._next_node = course.node
            return _answer(course.node, response)

    async def _ask_again(self, method: str, message: Any, until: float) -> list[str]:
        """Sends a command of unknown fate again. Tells in words what came of it; whatever that is, the first
        attempt stays unresolved."""
        said: list[str] = []
        while len(said) < ATTEMPTS - 1 and _now_s() < until:
            try:
                answer = await self._resolve(method, message, until)
            except Refused as refused:
                return [*said, f"refused on retry: {refused}"]
            except Unresolved as unresolved:
                said.append(f"retried: {unresolved}")
            else:
                return [*said, f"answered on retry with index {answer.index}"]
        return said

    async def _attempt(self, node: str, method: str, message: Any, until: float) -> Any:
        self._asked = node
        timeout_s = max(0.0, min(self._attempt_timeout_s, until - _now_s()))
        return await self._conversations[node].ask(method, message, timeout_s)

    def doubtful(self, said: str, node: str) -> Exception:
        """What to raise of an attempt that may or may not have happened."""
        return Unresolved(said, node)

    def _until(self) -> float:
        return _now_s() + ATTEMPTS * self._attempt_timeout_s

    def _course(self) -> Course:
        return Course(tuple(self._conversations), self._next_node)


def _over_grpc(node: str, address: str) -> Conversation:
    return Conversation(node, address, orchestrator_pb2_grpc.OrchestratorServiceStub)


def _answer(node: str, response: Any) -> Answer:
    match response:
        case pb.ReadResponse():
            value = response.value if response.HasField("value") else None
            return Answer(node, response.applied_index, items=tuple(response.items), value=value)
        case pb.CompareAndSetResponse():
            return Answer(node, response.index, swapped=response.swapped)
    return Answer(node, response.index)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
