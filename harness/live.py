"""Shows runs while they go on: one changing line on a terminal, a line now and then elsewhere.

Whoever carries out a run (this process, or one of pytest-xdist's) publishes a line of text into a folder;
the one process that owns the terminal reads the folder and shows what is there.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TextIO

from harness.trial import Progress

TERMINAL_INTERVAL_S = 1.0
PLAIN_INTERVAL_S = 30.0
BETWEEN = "  |  "
CLEAR = "\r\x1b[2K"


def describe(progress: Progress) -> str:
    """Elapsed, operations a second, ok/fail/info, leader@term, the faults at work."""
    elapsed_s = (progress.now_ns() - progress.began_ns) / 1e9
    parts = [progress.plan.id, f"{elapsed_s:.0f}s", progress.phase]
    if progress.recorder is not None:
        ops = progress.recorder.ops
        since = progress.now_ns() - 1_000_000_000
        recent = 0
        for op in reversed(ops):
            if op.time_ns < since:
                break
            recent += op.type == "invoke" and op.process != "nemesis"
        counts = progress.recorder.counts
        parts.append(f"{recent} op/s ok {counts['ok']} fail {counts['fail']} info {counts['info']}")
    leader = progress.watch.leader if progress.watch is not None else None
    parts.append(f"{leader[0]}@{leader[1]}" if leader else "no leader")
    if progress.harm is not None and progress.harm.now:
        parts.append("fault: " + ", ".join(progress.harm.now))
    return " · ".join(parts)


class Publisher:
    """Tells the folder how this process' run is doing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}.txt"

    def show(self, progress: Progress) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(describe(progress), encoding="utf-8")
        draft.replace(self._path)

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


class Board:
    """Shows a folder's lines on a stream from a thread of its own, until closed."""

    def __init__(self, folder: Path, stream: TextIO, *, is_terminal: bool) -> None:
        self._folder = folder
        self._stream = stream
        self._is_terminal = is_terminal
        self._closing = threading.Event()
        self._shown = False
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()

    def clear(self) -> bool:
        """Takes the changing line off the terminal; whether there was one."""
        was = self._shown
        if was:
            self._stream.write(CLEAR)
            self._stream.flush()
            self._shown = False
        return was

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self.clear()

    def _run(self) -> None:
        interval_s = TERMINAL_INTERVAL_S if self._is_terminal else PLAIN_INTERVAL_S
        while not self._closing.wait(interval_s):
            lines = [text for path in sorted(self._folder.glob("*.txt")) if (text := _read(path))]
            if lines and self._is_terminal:
                self._stream.write(CLEAR + abreast(lines, shutil.get_terminal_size().columns - 1))
                self._shown = True
            elif lines:
                self._stream.write("\n" + "\n".join(lines) + "\n")
            self._stream.flush()


def abreast(lines: list[str], width: int) -> str:
    """Several runs on one line, each with its share of the width."""
    share = (width - len(BETWEEN) * (len(lines) - 1)) // len(lines)
    return BETWEEN.join(line if len(line) <= share else line[: max(0, share - 1)] + "…" for line in lines)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:  # that run has just ended
        return ""
