"""The Docker engine, spoken to through its SDK, each call in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from system.clusters import leftovers
from system.clusters.errors import ClusterError
from system.clusters.leftovers import PROJECT_LABEL

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

T = TypeVar("T")
SERVICE_LABEL = "com.docker.compose.service"
TIMEOUT_S = 60
FROZEN_WITHIN_S = 5.0
UNABLE = "unable to freeze"


@dataclass(frozen=True, slots=True)
class Condition:
    """How a container is. pid: of its first process on the engine's host, 0 where none runs. state: "frozen",
    "running", or the engine's word for what is not running. ended_ns: wall clock, of the last end."""

    id: str
    pid: int
    state: str
    exit_code: int
    ended_ns: int

    @property
    def runs(self) -> bool:
        return self.pid != 0


class Engine:
    """Raises ClusterError where the engine does not answer, or refuses: one line that says which and why."""

    def __init__(self) -> None:
        import docker  # takes a third of a second, and only this cluster needs it

        where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        try:
            self._client: DockerClient = docker.from_env(timeout=TIMEOUT_S)
        except docker.errors.DockerException as error:
            raise ClusterError(f"no Docker engine answers at {where}: {_root(error)}") from None
        with _explained(f"use the Docker engine at {where}"):
            self._client.ping()

    def close(self) -> None:
        self._client.close()

    async def condition(self, name: str) -> Condition:
        return await self._do(name, "inspect", _condition)

    async def pause(self, name: str) -> Condition:
        """Asks again where the freezer of cgroup v1 gave up because processes came and went meanwhile."""
        import docker

        def pause(container: Container) -> None:
            deadline_s = time.monotonic() + FROZEN_WITHIN_S
            while True:
                try:
                    return container.pause()
                except docker.errors.APIError as error:
                    if UNABLE not in str(error) or time.monotonic() > deadline_s:
                        raise

        return await self._change(name, "pause", pause)

    async def resume(self, name: str) -> Condition:
        return await self._change(name, "unpause", lambda container: container.unpause())

    async def kill(self, name: str) -> Condition:
        """Returns when it is gone. The engine thaws a frozen one to die."""

        def kill(container: Container) -> None:
            container.kill("SIGKILL")
            container.wait(timeout=TIMEOUT_S)

        return await self._change(name, "kill", kill)

    async def stop(self, name: str, timeout_s: int) -> Condition:
        """SIGTERM, and SIGKILL for what has not ended in time."""
        return await self._change(name, "stop", lambda container: container.stop(timeout=timeout_s))

    async def start(self, name: str) -> Condition:
        return await self._change(name, "start", lambda container: container.start())

    async def run(self, name: str, argv: Sequence[str]) -> str:
        """Carries out a command as root, who may change its network, in a container; returns its output."""

        def run(container: Container) -> str:
            may = "NET_ADMIN" in (container.attrs["HostConfig"]["CapAdd"] or ())
            result = container.exec_run(list(argv), privileged=not may, user="root")
            code, output = result.exit_code, result.output
            text = (output if isinstance(output, bytes) else b"".join(output)).decode("utf-8", "replace")
            if code != 0:
                raise ClusterError(f"`{' '.join(argv)}` in {name} ended with code {code}: {text.strip()}")
            return text

        return await self._do(name, "run a command in", run)

    async def logs(self, name: str) -> tuple[bytes, bytes]:
        """(stdout, stderr) of all its starts."""
        return await self._do(
            name,
            "read the logs of",
            lambda container: (
                container.logs(stdout=True, stderr=False),
                container.logs(stdout=False, stderr=True),
            ),
        )

    async def read(self, name: str, directory: str) -> dict[str, bytes]:
        """{file name: content} of the plain files in a container's directory, running or not; {} where there
        is no such directory."""

        def read(container: Container) -> dict[str, bytes]:
            import docker

            try:
                stream, _ = container.get_archive(directory)
            except docker.errors.NotFound:
                return {}
            return _files(b"".join(stream))

        return await self._do(name, "read files of", read)

    async def write(self, name: str, directory: str, file: str, content: bytes) -> None:
        """Replaces a file in a container's directory; owner and mode stay."""

        def write(container: Container) -> None:
            stream, _ = container.get_archive(f"{directory}/{file}")
            container.put_archive(directory, _replaced(b"".join(stream), content))

        await self._do(name, "write files of", write)

    async def wipe(self, name: str, directory: str) -> None:
        """Empties a directory on a volume of a container that does not run."""

        def wipe(container: Container) -> None:
            self._client.containers.run(
                container.attrs["Image"],
                ["sh", "-c", f"rm -rf {directory}/*"],
                volumes_from=[str(container.id)],
                network_mode="none",
                user="root",
                entrypoint=[],
                remove=True,
            )

        await self._do(name, "wipe the data of", wipe)

    async def remove(self, name: str) -> None:
        await self._do(name, "remove", lambda container: container.remove(force=True, v=True))

    async def variable(self, name: str, variable: str) -> str:
        """Of a container's environment; "" where it has none of that name."""

        def read(container: Container) -> str:
            pairs = dict(pair.partition("=")[::2] for pair in container.attrs["Config"]["Env"])
            return str(pairs.get(variable, ""))

        return await self._do(name, "inspect", read)

    async def is_current(self, name: str) -> bool:
        """Whether a container was made from what its image's name means now."""

        def compare(container: Container) -> bool:
            now = self._client.images.get(container.attrs["Config"]["Image"])
            return bool(container.attrs["Image"] == now.id)

        return await self._do(name, "inspect the image of", compare)

    async def has_realtime(self, image: str, share: int) -> bool:
        """Whether a container gets so much real-time scheduling (µs of each second) by asking for it, as on
        cgroup v1 it must. Tried, since no answer of the engine's says so."""
        import docker

        def try_it() -> bool:
            if str(self._client.info().get("CgroupVersion")) != "1":
                return False
            try:
                trial = self._client.containers.create(
                    image, ["true"], network_mode="none", cpu_rt_runtime=share
                )
            except docker.errors.DockerException:
                return False
            try:
                trial.start()
            except docker.errors.DockerException:
                return False
            finally:
                trial.remove(force=True)
            return True

        return await asyncio.to_thread(try_it)

    def remove_project(self, project: str) -> list[str]:
        """Removes a compose project's containers, networks and volumes, frozen and stopped ones too; returns
        the names of the containers that were there."""
        with _explained(f"remove what is left of {project}"):
            return leftovers.remove_project(self._client, project)

    async def services(self, project: str) -> dict[str, str]:
        """{service: container name} of a compose project, running or not."""

        def services() -> dict[str, str]:
            found = self._client.containers.list(
                all=True, filters={"label": f"{PROJECT_LABEL}={project}"}, ignore_removed=True
            )
            return {container.labels[SERVICE_LABEL]: str(container.name) for container in found}

        with _explained(f"list the containers of {project}"):
            return await asyncio.to_thread(services)

    def subnets_of_others(self, prefix: str) -> list[str]:
        """Such as "10.10.0.0/24", of all networks but those of compose projects whose name begins so."""
        with _explained("list networks"):
            return [
                config["Subnet"]
                for network in self._client.networks.list()
                if not (network.attrs.get("Labels") or {}).get(PROJECT_LABEL, "").startswith(prefix)
                for config in (network.attrs.get("IPAM") or {}).get("Config") or []
                if "Subnet" in config
            ]

    async def _change(self, name: str, verb: str, act: Callable[[Container], Any]) -> Condition:
        def change(container: Container) -> Condition:
            act(container)
            container.reload()
            return _condition(container)

        return await self._do(name, verb, change)

    async def _do(self, name: str, verb: str, act: Callable[[Container], T]) -> T:
        def do() -> T:
            with _explained(f"{verb} {name}"):
                return act(self._client.containers.get(name))

        return await asyncio.to_thread(do)


@contextlib.contextmanager
def _explained(doing: str) -> Iterator[None]:
    import docker
    import requests

    try:
        yield
    except requests.ReadTimeout:
        raise ClusterError(
            f"cannot {doing}: the Docker engine gave no answer within {TIMEOUT_S} s; where `docker info`"
            " gives none either, it has locked itself up, and only a restart helps"
        ) from None
    except (docker.errors.DockerException, requests.RequestException) as error:
        said = getattr(error, "explanation", None) or error
        raise ClusterError(f"cannot {doing}: {str(said).strip()}") from None


def _root(error: BaseException) -> BaseException:
    """What the SDK wraps in several of its own."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error


def _condition(container: Container) -> Condition:
    state = container.attrs["State"]
    runs = bool(state["Running"])
    return Condition(
        id=str(container.id),
        pid=int(state["Pid"]),
        state="frozen" if state["Paused"] else "running" if runs else str(state["Status"]),
        exit_code=int(state["ExitCode"]),
        ended_ns=_wall_ns(state["FinishedAt"]),
    )


def _wall_ns(text: str) -> int:
    """Docker's times have nanoseconds, which datetime does not; before the first end it is the year 1."""
    moment = datetime.fromisoformat(text[:19] + "+00:00")
    fraction = text[20:].rstrip("Z").ljust(9, "0")[:9]
    return int(moment.timestamp()) * 10**9 + (int(fraction) if fraction.isdigit() else 0)


def _files(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {}
        for member in tar.getmembers():
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                found[member.name.rsplit("/", 1)[-1]] = content.read()
        return found


def _replaced(archive: bytes, content: bytes) -> bytes:
    """The archive of one file, with other content."""
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar, tarfile.open(fileobj=made, mode="w") as new:
        member = tar.getmembers()[0]
        member.size = len(content)
        new.addfile(member, io.BytesIO(content))
    return made.getvalue()
