"""What the compose files, .env.example and the commands say of each other; and what the commands say.

Needs no Docker."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from compose import engine, images, sim
from compose.engine import Trouble
from compose.settings import parse_env
from tests.pretended import pretend

COMPOSE = Path(__file__).parents[2] / "compose"
YAML = "".join(path.read_text(encoding="utf-8") for path in sorted(COMPOSE.glob("docker-compose*.yml")))
EXAMPLE = parse_env((COMPOSE / ".env.example").read_text(encoding="utf-8"))
# Read when the images are built.
BUILD = {"BASE_IMAGE": "", "MINIO_IMAGE": images.DEFAULT_STORE}


def variables() -> dict[str, set[str]]:
    """{name: its defaults} of the compose files."""
    found: dict[str, set[str]] = {}
    for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", YAML):
        found.setdefault(name, set()).add(default)
    return found


def test_every_variable_has_a_default() -> None:
    assert re.findall(r"\$(?!\{[A-Z_]+:-[^}]*\})", YAML) == []


def test_the_example_has_every_variable_with_its_default() -> None:
    defaults = {name: default for name, (default,) in variables().items()}
    assert defaults | BUILD == EXAMPLE


def test_every_variable_of_the_example_is_explained() -> None:
    """By a comment before it, or before the group of assignments that it is in."""
    text = (COMPOSE / ".env.example").read_text(encoding="utf-8")
    unexplained = re.sub(r"^# .*\n(?:[A-Z_]+=.*\n)+", "", text, flags=re.MULTILINE)
    assert parse_env(unexplained) == {}


def test_published_ports_are_the_ones_the_commands_print() -> None:
    published = dict(re.findall(r"127\.0\.0\.1:\$\{([A-Z_]+):-([0-9]+)\}:\2", YAML))
    assert published == {name: str(port) for name, (port, _) in sim.PORTS.items()}
    assert "0.0.0.0:$" not in YAML


def test_an_assignment_may_be_quoted_and_commented() -> None:
    assert parse_env("# A=1\nB=2 # two\nexport C='3 # three'\n\nD=\n") == {
        "B": "2",
        "C": "3 # three",
        "D": "",
    }


def run(command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compose.sim", command],
        cwd=COMPOSE.parent,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["build", "up", "down", "ping"])
def test_without_an_engine_one_line_says_what_to_do(command: str, tmp_path: Path) -> None:
    pretend(tmp_path, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    done = run(command, {"PATH": str(tmp_path), "DOCKER_HOST": "unix:///nowhere.sock"})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    for part in ("unix:///nowhere.sock", "Cannot connect to the Docker daemon", "make nemesis"):
        assert part in done.stderr


def test_without_docker_one_line_says_what_to_do(tmp_path: Path) -> None:
    done = run("up", {"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "docker-engine.sh" in done.stderr
    assert "make nemesis" in done.stderr


def test_a_port_that_is_taken_is_named_with_its_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Trouble, match=f"port {port} .*MINIO_CONSOLE_PORT="):
            sim.require_free({"MINIO_CONSOLE_PORT": port})
    sim.require_free({"MINIO_CONSOLE_PORT": port})


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(Trouble, match="MINIO_PORT=ninety"):
        sim.chosen_ports({"MINIO_PORT": "ninety"})


def test_an_unknown_command_is_answered_with_the_known() -> None:
    done = run("upp", {})
    assert done.returncode == 2
    assert all(name in done.stderr for name in sim.COMMANDS)


def test_an_engine_that_gives_no_answer_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has locked itself up still tells its version."""
    pretend(tmp_path, "docker", 'case "$1" in version) echo 20.10 ;; *) exec sleep 1000 ;; esac')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(engine, "ANSWERS_WITHIN_S", 0.3)
    with pytest.raises(Trouble, match=r"no Docker engine answers at .*: no answer within 0\.3 s"):
        engine.require_engine()
    with pytest.raises(Trouble, match=r"docker info failed: no answer within 0\.3 s"):
        engine.realtime_allowed("any")


def test_containers_go_down_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once can lock the engine up (system/clusters/leftovers.py)."""
    said = tmp_path / "said"
    script = f'case "$*" in *" down "*) echo "$COMPOSE_PARALLEL_LIMIT" >{said} ;; esac'
    pretend(tmp_path, "docker", script)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    sim.down()
    assert said.read_text() == "1\n"
