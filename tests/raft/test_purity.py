"""Core, replica and state machine have no clock, no chance and no I/O of their own, so that one code runs in
processes and in simulators."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = [
    *sorted((ROOT / "system/raft").glob("*.py")),
    *(ROOT / f"system/control_plane/{name}.py" for name in ("replica", "state_machine", "ports")),
]
# Everything they may import; what is not here needs a reason.
ALLOWED = {
    "__future__",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "enum",
    "hashlib",
    "json",
    "operator",
    "typing",
    "system.control_plane.ports",
    "system.control_plane.state_machine",
}
BANNED_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "hash", "id"}


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_imports_nothing_impure(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "relative import"
            modules = [node.module]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in BANNED_CALLS, f"line {node.lineno}"
        for module in modules:
            assert module in ALLOWED or module.startswith("system.raft."), module


def test_the_core_does_not_know_the_control_plane() -> None:
    for path in sorted((ROOT / "system/raft").glob("*.py")):
        assert "system.control_plane" not in path.read_text(encoding="utf-8"), path
