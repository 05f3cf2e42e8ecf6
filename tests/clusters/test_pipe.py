"""Asking another process over its stdin and stdout: out of order, refused, too late, and gone."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from system.clusters.errors import ClusterError
from system.clusters.pipe import LINE_BYTES, Pipe
from tests.clusters.lab import finish

ANSWERER = """
import asyncio, os, sys
from pathlib import Path
from system.clusters import pipe
from system.clusters.errors import ClusterError

class Verbs:
    def __init__(self, tell):
        self.tell, self.released = tell, asyncio.Event()
    async def echo(self, **what): return what
    async def refuse(self): raise ClusterError("not today")
    async def fail(self): raise OSError(28, "disk full")
    async def wait(self):
        try:
            await self.released.wait()
            return "released"
        finally:
            print("let go", file=sys.stderr, flush=True)
    async def release(self): self.released.set()
    async def cry(self): self.tell({"news": "wolf"})
    async def die(self): os._exit(3)

async def main():
    requests, tell = await pipe.standard_streams()
    said_goodbye = await pipe.serve(requests, Verbs(tell), tell)
    print("goodbye" if said_goodbye else "hung up", file=sys.stderr, flush=True)

asyncio.run(main())
"""


async def answerer(log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ANSWERER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=LINE_BYTES,
        )


@asynccontextmanager
async def piped(log: Path, **how: Any) -> AsyncIterator[Pipe]:
    pipe = Pipe(await answerer(log), "the answerer", **how)
    try:
        yield pipe
    finally:
        await pipe.close(ended_within_s=10)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_requests_are_answered_in_any_order(log: Path) -> None:
    async def test() -> None:
        async with piped(log) as pipe:
            waiting = asyncio.create_task(pipe.ask("wait"))
            what: dict[str, Any] = {"text": "ünï \n", "links": [["a", "b"]], "none": None}
            assert await pipe.ask("echo", **what) == what
            assert not waiting.done()
            await pipe.ask("release")
            assert await waiting == "released"

    finish(test())
    assert log.read_text().splitlines() == ["let go", "goodbye"]


def test_a_long_line_arrives_whole(log: Path) -> None:
    async def test() -> None:
        async with piped(log) as pipe:
            text = "x" * (LINE_BYTES // 2)
            assert await pipe.ask("echo", text=text) == {"text": text}

    finish(test())


def test_refusals_and_failures_are_the_askers_errors(log: Path) -> None:
    async def test() -> None:
        async with piped(log) as pipe:
            with pytest.raises(ClusterError, match=r"^not today$"):
                await pipe.ask("refuse")
            with pytest.raises(ClusterError, match="disk full"):
                await pipe.ask("fail")
            assert await pipe.ask("echo", still="here") == {"still": "here"}

    finish(test())


def test_who_does_not_answer_in_time_is_named_and_its_late_answer_ignored(log: Path) -> None:
    async def test() -> None:
        async with piped(log) as pipe:
            with pytest.raises(ClusterError, match=r"^the answerer did not answer `wait` within 0\.1 s$"):
                await pipe.ask("wait", timeout_s=0.1)
            await pipe.ask("release")
            assert await pipe.ask("echo", a=1) == {"a": 1}

    finish(test())


def test_news_is_told(log: Path) -> None:
    heard: list[dict[str, Any]] = []

    async def test() -> None:
        async with piped(log, news=heard.append) as pipe:
            await pipe.ask("cry")

    finish(test())
    assert heard == [{"news": "wolf"}]


def test_who_ends_fails_what_was_asked_and_what_will_be(log: Path) -> None:
    async def test() -> None:
        async with piped(log, last_words=lambda: "; it said why") as pipe:
            waiting = asyncio.create_task(pipe.ask("wait"))
            for ask in (pipe.ask("die"), waiting, pipe.ask("echo")):
                with pytest.raises(ClusterError) as gone:
                    await ask
                assert str(gone.value) == f"the answerer (pid {pipe.pid}) has ended; it said why"

    finish(test())


def test_who_does_not_end_when_told_goodbye_is_killed() -> None:
    async def test() -> None:
        process = await asyncio.create_subprocess_exec(
            *("sleep", "100"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        await Pipe(process, "the sleeper").close(ended_within_s=0.1)
        assert process.returncode == -9

    finish(test())


@pytest.mark.parametrize(
    ("last_line", "ends"),
    [
        (b"goodbye\n", "goodbye"),
        (b"", "hung up"),
        (b'{"id": 2, "verb": "ec', "hung up"),
    ],
)
def test_an_answerer_tells_a_goodbye_from_an_asker_that_is_gone(
    log: Path, last_line: bytes, ends: str
) -> None:
    """And lets go of what it had in hand."""

    async def test() -> None:
        process = await answerer(log)
        assert process.stdin is not None and process.stdout is not None
        for number, verb in enumerate(("wait", "echo")):
            process.stdin.write(json.dumps({"id": number, "verb": verb}).encode() + b"\n")
        assert json.loads(await process.stdout.readline()) == {"id": 1, "ok": {}}
        process.stdin.write(last_line)
        process.stdin.close()
        assert await process.wait() == 0

    finish(test())
    assert sorted(log.read_text().splitlines()) == sorted([ends, "let go"])
