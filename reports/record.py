"""The run directory: everything a run leaves, so that it can be judged and looked at again, offline.

<root>/<UTC stamp>-<name>/
  run.json             what was run: plan, seed, command, schedule, host, facts of the run, status
  history.jsonl        operations, one a line; columns/ holds the same for machines
  observations.jsonl   what nodes answered to Status; worker_states.jsonl: what the leader said of the workers
  results.json         validity and verdicts
  nodes/               what the cluster left: <node>/ (logs, event logs, WAL, metrics), lag.jsonl, exits.jsonl
  report.html
<root>/latest          the newest run

Nothing is ever half-written under its own name: each file is written beside it and renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from checkers.events import load_events
from checkers.formats.columns import write_columns
from checkers.formats.jsonl import read_ops, read_records, write_ops
from checkers.history import History, HistoryError, Op
from checkers.verdict import Anomaly, Validity, Verdict, worst
from reports.host import host_facts

__all__ = ["SCHEMA", "VIRTUAL", "RecordError", "Run", "RunDirectory", "host_facts", "load"]

SCHEMA = 1
# The clock of a simulated run, in run.json.
VIRTUAL = "virtual"


class RecordError(Exception):
    """A run directory that cannot be read; one line that says which file, and what is wrong."""


@dataclass(frozen=True)
class Run:
    """A run as read back.

    path: its directory. meta: run.json. verdicts: None where it was not judged.
    """

    path: Path
    meta: dict[str, Any]
    history: History
    verdicts: tuple[Verdict, ...] | None = None

    @property
    def validity(self) -> Validity:
        """The worst of its verdicts; unknown where there are none."""
        return worst(self.verdicts or ())

    @property
    def is_simulated(self) -> bool:
        return self.meta.get("clock") == VIRTUAL


class RunDirectory:
    """Writes a run directory. Every write replaces the file whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, root: Path, name: str) -> RunDirectory:
        """Makes a new directory under `root`, and `latest` point to it. Two runs never share one, also when
        several processes create theirs in the same second."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        stem = f"{stamp}-{re.sub(r'[^A-Za-z0-9._+-]+', '-', name).strip('-') or 'run'}"
        root.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = root / (stem if number == 1 else f"{stem}.{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                break
        directory = cls(path)
        directory.mark_latest()
        return directory

    def mark_latest(self) -> None:
        """Makes `latest` beside it point to it, in one step."""
        new = self.path.parent / f".latest-{self.path.name}"
        new.unlink(missing_ok=True)
        new.symlink_to(self.path.name, target_is_directory=True)
        new.replace(self.path.parent / "latest")

    def write_run(self, meta: dict[str, Any]) -> None:
        """run.json; the schema is added. Written when the run begins (status "running") and when it ends
        ("done", or "crashed: <why>")."""
        self._write_json("run.json", {"schema": SCHEMA} | meta)

    def write_history(self, ops: Sequence[Op]) -> None:
        """history.jsonl and columns/."""
        self._write("history.jsonl", lambda path: write_ops(path, ops))
        self._write("columns", lambda path: write_columns(path, ops))

    def write_observations(self, observations: Iterable[dict[str, Any]]) -> None:
        """observations.jsonl."""
        self._write_lines("observations.jsonl", observations)

    def write_worker_states(self, states: Iterable[dict[str, Any]]) -> None:
        """worker_states.jsonl."""
        self._write_lines("worker_states.jsonl", states)

    def write_results(self, verdicts: Sequence[Verdict]) -> None:
        """results.json: the run's validity and each checker's verdict."""
        said = [asdict(verdict) | {"valid": verdict.valid.value} for verdict in verdicts]
        self._write_json("results.json", {"schema": SCHEMA, "valid": worst(verdicts).value, "verdicts": said})

    def write_report(self, page: str) -> Path:
        """report.html; returns its path."""
        return self._write("report.html", lambda path: _write_text(path, page))

    def _write_json(self, name: str, value: Any) -> None:
        self._write(
            name, lambda path: _write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
        )

    def _write_lines(self, name: str, values: Iterable[Any]) -> None:
        lines = "".join(
            json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n" for value in values
        )
        self._write(name, lambda path: _write_text(path, lines))

    def _write(self, name: str, write: Callable[[Path], object]) -> Path:
        """Has `write` make the file or directory under another name, then gives it its own."""
        final, part = self.path / name, self.path / f".{name}.{os.getpid()}.part"
        try:
            write(part)
            if final.is_dir():  # a directory cannot be replaced in one step
                shutil.rmtree(final)
            return part.replace(final)
        finally:
            if part.is_dir():
                shutil.rmtree(part)
            part.unlink(missing_ok=True)


def _write_text(path: Path, text: str) -> None:
    # Undecodable bytes of a node's log travel as surrogates; they must not keep a record from being written.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def load(path: Path) -> Run:
    """Reads a run back, whole or cut short by a crash: what is not there is empty, and what is there must be
    sound. Raises RecordError."""
    meta = _read_meta(path)
    try:
        history = History(
            ops=_read_history(path),
            events=load_events(path / "nodes") if (path / "nodes").is_dir() else {},
            observations=_read_dicts(path / "observations.jsonl"),
            worker_states=_read_dicts(path / "worker_states.jsonl"),
            lag=_read_lag(path / "nodes" / "lag.jsonl"),
            facts=meta.get("facts") or {},
        )
    except HistoryError as error:
        raise RecordError(str(error)) from None
    except OSError as error:
        raise RecordError(f"{error.filename}: {error.strerror}") from None
    return Run(path, meta, history, _read_results(path / "results.json"))


def _read_meta(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        found = "not a directory" if path.exists() else "no such directory"
        raise RecordError(f"{path}: {found}; expected a run directory, such as reports/runs/latest")
    if not (path / "run.json").exists():
        raise RecordError(f"{path}: not a run directory: it has no run.json")
    meta = _read_object(path / "run.json")
    if not isinstance(meta.get("facts", {}), dict):
        raise RecordError(f"{path / 'run.json'}: facts is {meta['facts']!r}; expected an object")
    return meta


def _read_history(path: Path) -> list[Op]:
    """A history cut off between two lines still reads well, so its length is held against the columns'."""
    file, columns = path / "history.jsonl", path / "columns" / "columns.json"
    ops = read_ops(file) if file.exists() else []
    promised = _read_object(columns).get("count") if columns.exists() else None
    if promised is not None and promised != len(ops):
        raise RecordError(
            f"{file}: {len(ops)} operations; expected {promised} as in columns/: was it cut short?"
        )
    return ops


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object of this schema."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise RecordError(f"{path}: not JSON, or cut short ({error})") from None
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else None
        raise RecordError(f"{path}: written with schema {found!r}; this version reads schema {SCHEMA}")
    return value


def _read_dicts(path: Path) -> list[dict[str, Any]]:
    records = read_records(path) if path.exists() else []
    for number, record in records:
        if not isinstance(record, dict) or not isinstance(record.get("time_ns"), int):
            raise RecordError(f"{path}:{number}: expected a JSON object with a time_ns")
    return [record for _, record in records]


def _read_lag(path: Path) -> list[tuple[int, int]]:
    lags = []
    for number, record in read_records(path) if path.exists() else []:
        match record:
            case [int(time_ns), int(lag_ns)]:
                lags.append((time_ns, lag_ns))
            case _:
                raise RecordError(f"{path}:{number}: expected [time_ns, lag_ns]")
    return lags


def _read_results(path: Path) -> tuple[Verdict, ...] | None:
    if not path.exists():
        return None
    results = _read_object(path)
    try:
        return tuple(_verdict(said) for said in results["verdicts"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path}: not verdicts as this version writes them ({error!r})") from None


def _verdict(said: dict[str, Any]) -> Verdict:
    anomalies = [
        Anomaly(a["kind"], a["message"], tuple(a["ops"]), tuple(a["events"]), a["time_ns"])
        for a in said["anomalies"]
    ]
    return Verdict(
        said["checker"], Validity(said["valid"]), said["summary"], tuple(anomalies), said["evidence"]
    )
