"""A nine-container cluster of the tests' own, beside any that `make sim-up` started."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from compose.engine import ONE_BY_ONE, docker

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

COMPOSE = Path(__file__).parents[2] / "compose"
HOST_PORTS = ("MINIO_PORT", "MINIO_CONSOLE_PORT", "CP_AWS_PORT", "CP_GCP_PORT", "CP_AZURE_PORT")


@dataclass(frozen=True, slots=True)
class Cluster:
    subnet: int
    files: tuple[str, ...]
    up_s: float = 0.0

    @property
    def project(self) -> str:
        return f"crosswind-{self.subnet}"

    @property
    def prefix(self) -> str:
        return f"{self.project}-"

    @property
    def env(self) -> dict[str, str]:
        ports = dict.fromkeys(HOST_PORTS, "0")  # any that is free
        return {
            "SUBNET": str(self.subnet),
            "NAME_PREFIX": self.prefix,
            "CLUSTER_ID": "compose-tests",
            **ports,
        }

    def compose(self, *words: str) -> str:
        files = [f"--file={COMPOSE / name}" for name in self.files]
        command = ["compose", f"--env-file={os.devnull}", f"--project-name={self.project}", *files]
        return docker(*command, *words, env=self.env | (ONE_BY_ONE if "down" in words else {}))

    def address(self, octet: int, host: int) -> str:
        return f"10.{octet}.{self.subnet}.{host}"

    def run(self, name: str, *command: str, options: tuple[str, ...] = ()) -> str:
        return docker("exec", *options, self.prefix + name, *command)

    def enter(self, name: str, *command: str) -> None:
        """Runs it on this machine, with its rights, in the container's network."""
        pid = docker("inspect", "--format={{.State.Pid}}", self.prefix + name)
        subprocess.run(["nsenter", f"--target={pid}", "--net", *command], check=True)

    def inspect(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(docker("inspect", self.prefix + name))[0]
        return found

    def lost_percent(self, name: str, *ping: str, options: tuple[str, ...] = ()) -> int:
        """Of three pings. 100 where there is no way at all."""
        command = ["docker", "exec", *options, self.prefix + name, "ping", "-n", "-c3", "-i0.2", "-W1", *ping]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if "unreachable" in said.stderr.lower():
            return 100
        assert "packet loss" in said.stdout, said
        return round(float(said.stdout.split("% packet loss")[0].split()[-1]))

    def left(self) -> str:
        label = f"--filter=label=com.docker.compose.project={self.project}"
        return "".join(
            docker(*words, label)
            for words in (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"))
        )

    def store(self, user: str = "crosswind") -> S3Client:
        """A client of the object store on this machine, which reaches it by its published port."""
        port = docker("port", f"{self.prefix}gateway", "9000").splitlines()[0].rpartition(":")[2]
        return signing(f"http://127.0.0.1:{port}", user)


def signing(endpoint: str, user: str = "crosswind") -> S3Client:
    """With the cluster's default keys."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=user,
        aws_secret_access_key="crosswind-secret",
    )
