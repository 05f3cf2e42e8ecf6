"""What would make one seed two runs does not stand in what the simulator runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for pattern in (
        *("system/simulation/*.py", "system/clusters/sim.py", "system/raft/*.py", "nemesis/*.py"),
        *("system/control_plane/replica.py", "system/control_plane/state_machine.py", "checkers/inside.py"),
        *("harness/load.py", "harness/harm.py", "harness/watch.py", "workloads/*.py"),
        *("system/client.py", "system/worker/agent.py", "system/worker/registry.py"),
    )
    for path in ROOT.glob(pattern)
)
# What is banned, and what to take instead.
MODULES = {
    "time": "the running loop's time, or the cluster's clock",
    "uuid": "a name made of the seed and a number",
    "secrets": "a stream of the seed",
    "threading": "an event of the loop",
    "datetime": "the running loop's time",
}
CALLS = {
    "hash": "checkers and draws use digests: hashes of text differ between processes",
    "id": "a number of one's own: addresses differ between processes",
    "asyncio.wait": "asyncio.gather: wait returns sets",
    "os.urandom": "a stream of the seed",
    "random.random": "Random(f'{seed}/name')",
    "random.choice": "Random(f'{seed}/name')",
    "random.randint": "Random(f'{seed}/name')",
    "random.seed": "Random(f'{seed}/name')",
    "SystemRandom": "Random(f'{seed}/name')",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_depends_on_the_process(path: Path) -> None:
    assert list(complaints(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from datetime import datetime",
        "order = hash(name)",
        "for node in {a, b}: pass",
        "names = [n for n in set(nodes)]",
        "done, _ = asyncio.wait(tasks)",
        "pick = random.choice(nodes)",
        "for x in {n for n in nodes}: pass",
        "Random()",
    ],
)
def test_the_lint_objects(source: str) -> None:
    assert list(complaints(ast.parse(source)))


def complaints(tree: ast.AST) -> Iterator[str]:
    # Waiting for something is well; asking which of several it was is not.
    unused = {
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Await)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"{a.name}: {MODULES[a.name]}" for a in node.names if a.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield f"{node.module}: {MODULES[node.module]}"
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS and not (name == "asyncio.wait" and node in unused):
                yield f"{name}: {CALLS[name]}"
            if name == "Random" and not node.args:
                yield "Random(): it needs a seed and a name"
        if isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
            yield f"an order of a set: {ast.unparse(node.iter)}"


def _is_set(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("set", "frozenset")
    return isinstance(node, ast.Set | ast.SetComp)
