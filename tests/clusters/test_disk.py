"""What was never synced is lost with the machine, and nothing else is."""

from __future__ import annotations

from pathlib import Path

from system.clusters.disk import lose_unsynced, save_node


def wal(directory: Path, content: bytes, synced: int | None) -> Path:
    path = directory / "wal.jsonl"
    path.write_bytes(content)
    if synced is not None:
        (directory / "wal.synced").write_bytes(synced.to_bytes(8, "little"))
    return path


def test_the_unsynced_tail_is_lost(tmp_path: Path) -> None:
    path = wal(tmp_path, b"synced\nnot synced\n", 7)
    assert lose_unsynced(tmp_path) == 11
    assert path.read_bytes() == b"synced\n"
    assert lose_unsynced(tmp_path) == 0


def test_what_was_synced_stays(tmp_path: Path) -> None:
    path = wal(tmp_path, b"synced\n", 7)
    assert lose_unsynced(tmp_path) == 0
    assert path.read_bytes() == b"synced\n"


def test_without_a_wal_there_is_nothing_to_lose(tmp_path: Path) -> None:
    assert lose_unsynced(tmp_path) == 0
    wal(tmp_path, b"first bytes", None)
    assert lose_unsynced(tmp_path) == 0


def test_logs_are_saved_and_nothing_else(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.mkdir()
    for name in ("stdout.log", "wal.jsonl", "events-0001.jsonl", "events-0002.jsonl", "core"):
        (node / name).write_text(name)
    save_node(node, tmp_path / "saved", b"raft_term 3\n")
    saved = {path.name: path.read_text() for path in (tmp_path / "saved").iterdir()}
    assert saved == {
        "stdout.log": "stdout.log",
        "wal.jsonl": "wal.jsonl",
        "events-0001.jsonl": "events-0001.jsonl",
        "events-0002.jsonl": "events-0002.jsonl",
        "metrics.prom": "raft_term 3\n",
    }
