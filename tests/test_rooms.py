"""The table of rooms in ARCHITECTURE.md, held by walking every import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("checkers", "nemesis", "system", "workloads", "reports", "harness")
ALLOWED: dict[str, tuple[str, ...]] = {
    "checkers": (),
    "nemesis": (),
    "system": (),
    "workloads": ("checkers", "system.client", "system.object_client"),
    "reports": ("checkers", "nemesis"),
    "harness": ROOMS,
}
# The deterministic core and what drives it: no I/O, no clock, no randomness, no tasks.
PURE = ("system/raft", "system/control_plane/replica.py", "system/control_plane/state_machine.py")
IMPURE = ("asyncio", "grpc", "os", "random", "secrets", "socket", "subprocess", "threading", "time", "uuid")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; rooms are imported by their full names"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(room: str) -> list[Path]:
    found = sorted(path for path in (ROOT / room).rglob("*.py") if "pb" not in path.parts)
    assert found, f"{room}: no modules found; is the test looking in the right place?"
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    allowed = (room, *ALLOWED[room])
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imports(path)
        if name.split(".")[0] in ROOMS and not any(name == a or name.startswith(a + ".") for a in allowed)
    ]
    assert strays == []


def test_the_core_is_pure() -> None:
    files = [path for place in PURE for path in ([ROOT / place] if place.endswith(".py") else modules(place))]
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imports(path)
        if name.split(".")[0] in IMPURE
    ]
    assert strays == []
