"""What is made of the engine's answers; and what is said where there is no engine."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
import requests

from system.clusters import compose, engine
from system.clusters.engine import Engine
from system.clusters.errors import ClusterError
from tests.pretended import pretend


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def folder(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE
    return member


@pytest.mark.parametrize(
    ("text", "moment", "nanoseconds"),
    [
        ("2026-03-01T12:00:05.123456789Z", datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), 123_456_789),
        ("2026-03-01T12:00:05.5Z", datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), 500_000_000),
        ("2026-03-01T12:00:05Z", datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), 0),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC), 0),
    ],
)
def test_times_keep_their_nanoseconds(text: str, moment: datetime, nanoseconds: int) -> None:
    assert engine._wall_ns(text) == int(moment.timestamp()) * 10**9 + nanoseconds


@pytest.mark.parametrize(
    ("said", "state", "runs"),
    [
        ({"Running": True, "Paused": False, "Status": "running", "Pid": 7}, "running", True),
        ({"Running": True, "Paused": True, "Status": "paused", "Pid": 7}, "frozen", True),
        ({"Running": False, "Paused": False, "Status": "exited", "Pid": 0}, "exited", False),
        ({"Running": False, "Paused": False, "Status": "created", "Pid": 0}, "created", False),
    ],
)
def test_conditions(said: dict[str, Any], state: str, runs: bool) -> None:
    attrs = {"State": said | {"ExitCode": 137, "FinishedAt": "2026-03-01T12:00:05Z"}}
    condition: Any = engine._condition(SimpleNamespace(id="abc", attrs=attrs))  # type: ignore[arg-type]
    assert (condition.id, condition.state, condition.runs, condition.exit_code) == ("abc", state, runs, 137)


class Freezing:
    """A container that freezes at the second attempt only, if ever."""

    def __init__(self, *errors: str) -> None:
        self.id = "abc"
        self.attrs: dict[str, Any] = {"State": RUNNING}
        self._errors = list(errors)

    def pause(self) -> None:
        if self._errors:
            raise docker.errors.APIError(self._errors.pop(0))
        self.attrs = {"State": RUNNING | {"Paused": True}}

    def reload(self) -> None:
        pass


RUNNING = {
    "Running": True,
    "Paused": False,
    "Status": "running",
    "Pid": 7,
    "ExitCode": 0,
    "FinishedAt": "2026-03-01T12:00:05Z",
}


def engine_with(container: Freezing) -> Engine:
    made = object.__new__(Engine)
    containers = SimpleNamespace(get=lambda name: container)
    made._client = SimpleNamespace(containers=containers)  # type: ignore[assignment]
    return made


def test_a_freezer_that_gave_up_is_asked_again() -> None:
    container = Freezing("OCI runtime pause failed: unable to freeze: unknown")
    assert asyncio.run(engine_with(container).pause("it")).state == "frozen"


def test_what_cannot_be_paused_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match=r"^cannot pause it: it is not running"):
        asyncio.run(engine_with(Freezing("it is not running", "never seen")).pause("it"))
    monkeypatch.setattr(engine, "FROZEN_WITHIN_S", 0.0)
    with pytest.raises(ClusterError, match=r"^cannot pause it: .*unable to freeze"):
        asyncio.run(engine_with(Freezing(*["unable to freeze"] * 5)).pause("it"))


def test_files_are_the_plain_ones_by_their_own_names() -> None:
    link = tarfile.TarInfo("data/link")
    link.type, link.linkname = tarfile.SYMTYPE, "wal.jsonl"
    found = engine._files(
        archive(
            (folder("data"), b""),
            (tarfile.TarInfo("data/wal.jsonl"), b"one\n"),
            (tarfile.TarInfo("data/empty"), b""),
            (link, b""),
        )
    )
    assert found == {"wal.jsonl": b"one\n", "empty": b""}


@pytest.mark.parametrize("content", [b"", b"short", b"much longer than what was there" * 100])
def test_a_replaced_file_keeps_its_owner_and_its_mode(content: bytes) -> None:
    member = tarfile.TarInfo("wal.jsonl")
    member.uid, member.gid, member.mode, member.mtime = 10001, 10002, 0o640, 1234
    made = engine._replaced(archive((member, b"what was there")), content)
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        (one,) = tar.getmembers()
        assert (one.name, one.uid, one.gid, one.mode, one.mtime) == ("wal.jsonl", 10001, 10002, 0o640, 1234)
        file = tar.extractfile(one)
        assert file is not None and file.read() == content


def test_an_absent_engine_is_one_line_with_the_socket_and_the_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    with pytest.raises(ClusterError) as refusal:
        Engine()
    assert str(refusal.value) == (
        f"no Docker engine answers at unix://{tmp_path}/absent.sock: [Errno 2] No such file or directory"
    )


def test_what_listens_but_is_no_engine_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(ClusterError, match=r"^no Docker engine answers at tcp://127\.0\.0\.1:1: .*refused$"):
        Engine()


def test_an_engine_that_has_locked_itself_up_is_told_from_one_that_refuses() -> None:
    said = pytest.raises(ClusterError, match=r"cannot list networks: .* no answer within 60 s; .* restart")
    with said, engine._explained("list networks"):
        raise requests.ReadTimeout("HTTPConnectionPool: Read timed out.")


def test_compose_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, "docker", "exec sleep 1000")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(compose, "ANSWERS_WITHIN_S", 0.3)
    with pytest.raises(ClusterError, match=r"`docker compose .* create` came to no end within 0\.3 s"):
        asyncio.run(compose.create("crosswind-9", {}, realtime=False))
