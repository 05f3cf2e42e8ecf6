"""Docker, as the commands of this room use it: by its command line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
WITHOUT_DOCKER = "`make nemesis` runs everything but this without Docker"
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
REALTIME_US = 400_000
# For what takes a moment. An engine that has locked itself up still tells its version, and nothing else.
ANSWERS_WITHIN_S = 30.0
# Containers that leave their networks at once can lock Docker 20.10 up (system/clusters/leftovers.py).
ONE_BY_ONE = {"COMPOSE_PARALLEL_LIMIT": "1"}


class Trouble(Exception):
    """One line for a person: what was wrong, and what to do."""


def docker(*words: str, env: dict[str, str] | None = None, timeout_s: float | None = None) -> str:
    """What the command printed, without the last newline. Raises Trouble."""
    done = _run(words, env, timeout_s)
    if done.returncode != 0:
        raise Trouble(f"docker {words[0]} failed: {last_line(done.stderr or done.stdout)}")
    return done.stdout.strip()


def succeeds(*words: str, timeout_s: float | None = None) -> bool:
    return _run(words, None, timeout_s).returncode == 0


def _run(
    words: tuple[str, ...], env: dict[str, str] | None, timeout_s: float | None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", *words],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise Trouble(
            f"the command docker is missing: see scripts/docker-engine.sh; {WITHOUT_DOCKER}"
        ) from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"no answer within {timeout_s:g} s")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"


def require_engine() -> None:
    """Raises Trouble where no engine answers, or compose is missing."""
    asked = _run(("info", "--format", "{{.ServerVersion}}"), None, ANSWERS_WITHIN_S)
    if asked.returncode != 0:
        socket = os.environ.get("DOCKER_HOST", DEFAULT_SOCKET)
        raise Trouble(
            f"no Docker engine answers at {socket}: {last_line(asked.stderr)}; "
            f"start one (on Debian, as root: scripts/docker-engine.sh); {WITHOUT_DOCKER}"
        )
    if not succeeds("compose", "version"):
        raise Trouble("docker has no compose plugin (v2): see scripts/docker-engine.sh")


def realtime_allowed(image: str) -> bool:
    """Whether a container may have a share of real-time scheduling: on cgroup v1, if the daemon has some."""
    if docker("info", "--format", "{{.CgroupVersion}}", timeout_s=ANSWERS_WITHIN_S) != "1":
        return False
    share = f"--cpu-rt-runtime={REALTIME_US}"
    trial = docker("create", "--network=none", share, image, "true", timeout_s=ANSWERS_WITHIN_S)
    try:
        return succeeds("start", trial, timeout_s=ANSWERS_WITHIN_S)
    finally:
        docker("rm", "--force", trial, timeout_s=ANSWERS_WITHIN_S)


def image_label(name: str, label: str) -> str:
    """ "" where there is no such image, or no such label."""
    shown = _run(
        ("image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', name), None, None
    )
    return shown.stdout.strip() if shown.returncode == 0 else ""


def image_exists(name: str) -> bool:
    return succeeds("image", "inspect", name)
