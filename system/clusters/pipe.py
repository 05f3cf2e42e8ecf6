"""How one process asks another over its stdin and stdout: JSON lines, answered in any order.

{"id", "verb", and its arguments} is answered by {"id", "ok": its result} or {"id", "error": one line}; a line
without an id is news.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from system.clusters.errors import ClusterError

LINE_BYTES = 2**22
# The last line of somebody who is done.
GOODBYE = b"goodbye\n"

Message = dict[str, Any]
Tell = Callable[[Message], None]


class Pipe:
    """The asking end, to a process whose stdin and stdout are pipes (with LINE_BYTES as their limit).

    who: what errors call it. news(message): hears the lines that answer nothing. last_words(): what goes
    after an error that says it has ended
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        who: str,
        *,
        news: Tell = lambda message: None,
        last_words: Callable[[], str] = lambda: "",
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._who = who
        self._news = news
        self._last_words = last_words
        self._asked = 0
        self._noise = ""
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._listening = asyncio.create_task(self._listen())

    async def ask(self, verb: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        """Raises ClusterError where the other end refuses, ended, or does not answer in time."""
        if self._listening.done():
            raise self._gone()
        assert self._process.stdin is not None
        self._asked += 1
        number = self._asked
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        request = {"id": number, "verb": verb, **arguments}
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise ClusterError(f"{self._who} did not answer `{verb}` within {timeout_s:g} s") from None
        finally:
            del self._waiting[number]

    async def close(self, ended_within_s: float) -> None:
        """Says goodbye; kills a process that does not end by that within the time."""
        assert self._process.stdin is not None
        self._process.stdin.write(GOODBYE)
        self._process.stdin.close()
        try:
            async with asyncio.timeout(ended_within_s):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._listening

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            try:
                message = json.loads(line)
            except ValueError:  # not it, but what was to start it, has something to say
                self._noise = line.decode("utf-8", "replace").strip()
                continue
            if "id" not in message:
                self._news(message)
                continue
            waiting = self._waiting.get(message["id"])
            if waiting is None or waiting.done():
                continue
            if "error" in message:
                waiting.set_exception(ClusterError(message["error"]))
            else:
                waiting.set_result(message["ok"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._gone())

    def _gone(self) -> ClusterError:
        said = f": {self._noise}" if self._noise else ""
        return ClusterError(f"{self._who} (pid {self.pid}) has ended{said}{self._last_words()}")


async def serve(requests: asyncio.StreamReader, verbs: object, tell: Tell) -> bool:
    """The answering end: every request's verb is a coroutine of `verbs`. Returns when there are no more
    requests: whether the other end said goodbye."""
    answering: dict[asyncio.Task[None], None] = {}
    try:
        # The last line of somebody who was killed may be a part of one.
        while (line := await requests.readline()).endswith(b"\n") and line != GOODBYE:
            request = json.loads(line)
            number, verb = request.pop("id"), getattr(verbs, request.pop("verb"))
            task = asyncio.create_task(_answer(number, verb(**request), tell))
            answering[task] = None
            task.add_done_callback(answering.pop)
        return line == GOODBYE
    finally:
        for task in list(answering):
            task.cancel()


async def _answer(number: int, work: Awaitable[Any], tell: Tell) -> None:
    try:
        tell({"id": number, "ok": await work})
    except (ClusterError, OSError) as error:
        tell({"id": number, "error": str(error)})


async def standard_streams() -> tuple[asyncio.StreamReader, Tell]:
    """This process' stdin, and what writes a message to its stdout."""
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin.buffer)
    answers, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout.buffer)
    return requests, lambda message: answers.write(json.dumps(message).encode() + b"\n")
