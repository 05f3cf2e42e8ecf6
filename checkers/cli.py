"""The judges on the command line: a line a file, and an exit code that says it all."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from checkers.history import NEMESIS, Call, History, HistoryError
from checkers.linear.operations import Model
from checkers.verdict import Anomaly, Validity, Verdict

EXIT_CODES = {Validity.YES: 0, Validity.NO: 1, Validity.UNKNOWN: 2, Validity.VACUOUS: 3}
EXIT_BAD_INPUT = 64
BAD_INPUT = "bad input"
_OWN = "module:NAME"
# Of several files the exit code is the first of these that any of them has.
_WORST_FIRST = (1, EXIT_BAD_INPUT, 2, 3, 0)
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class OptionError(Exception):
    """An option that makes no sense; one line."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one file. operations: invocations of clients. verdict None: bad input, for `reason`."""

    path: Path
    seconds: float
    operations: int = 0
    verdict: Verdict | None = None
    reason: str = ""
    history: History | None = None

    @property
    def word(self) -> str:
        return self.verdict.valid.value if self.verdict is not None else BAD_INPUT

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict.valid] if self.verdict is not None else EXIT_BAD_INPUT


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 yes, 1 no, 2 unknown, 3 vacuous, 64 bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m checkers", description="Judges histories, in whatever format they were recorded."
    )
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except SystemExit as stop:  # argparse has said what was wrong
        return EXIT_BAD_INPUT if stop.code else 0
    except OptionError as error:
        print(f"{parser.prog}: {printable(str(error))}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stdout = None  # nobody listens; the interpreter must not try once more at its end
        return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `run` understands; also a text after the options, which lists the models."""
    from checkers.formats.reading import FORMATS
    from checkers.judging import JUDGES

    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a history, or a run's directory")
    parser.add_argument("--model", metavar="NAME", help="what it is a history of, as listed below")
    parser.add_argument("--input", choices=list(FORMATS), help="the files' format (found by their content)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of what is printed")
    parser.add_argument(
        "--certificate", action="store_true", help="with --format json: also the order that explains a yes"
    )
    parser.add_argument("--explain", action="store_true", help="say why, and show the operations concerned")
    parser.add_argument(
        "--budget",
        type=duration_s,
        default=30.0,
        metavar="TIME",
        help="a file, such as 30s (default), 500ms, 2m",
    )
    parser.add_argument(
        "--memory", type=_size_bytes, default=2 * 10**9, metavar="SIZE", help="such as 2GB (default) or 512MB"
    )
    parser.add_argument(
        "--initial", type=_json, metavar="JSON", help="the object's first state (the model's own)"
    )
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument(
        "--keyed",
        action="store_true",
        default=None,
        help="values are [key, …] of independent objects (default: as the history looks)",
    )
    keys.add_argument("--unkeyed", action="store_false", dest="keyed", help="there is one object")
    parser.add_argument(
        "--consistency-model", metavar="NAME", help="what transactions must satisfy, such as serializable"
    )
    width = max(map(len, [*JUDGES, _OWN]))
    models = "\n".join(f"  {name:<{width}}  {judge.summary}" for name, judge in JUDGES.items())
    parser.epilog = (
        f"models:\n{models}\n  {_OWN:<{width}}  a checkers.linear.operations.Model of your own\n\n"
        "exit code: 0 yes, 1 no, 2 unknown, 3 vacuous, 64 bad input; of several files the worst, in the\n"
        "order no, bad input, unknown, vacuous, yes"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(options: argparse.Namespace) -> int:
    """Judges every file, prints a line each, and returns the exit code. Raises OptionError."""
    model = _model(options.model)
    codes = set()
    for path in options.files:
        judged = _judge_file(path, model, options)
        codes.add(judged.exit_code)
        if options.format == "json":
            print(json.dumps(_as_json(judged, certificate=options.certificate), default=str), flush=True)
        elif judged.verdict is None:
            print(printable(judged.reason), file=sys.stderr, flush=True)
        else:
            print("\n".join(printable(line) for line in _lines(judged, explain=options.explain)), flush=True)
    return worst_code(codes)


def worst_code(codes: Collection[int]) -> int:
    """The exit code of several files."""
    return next(code for code in _WORST_FIRST if code in codes)


def _judge_file(path: Path, model: str | Model, options: argparse.Namespace) -> Judged:
    from checkers.formats.reading import read_history
    from checkers.judging import judge

    began = time.perf_counter()
    history = None
    try:
        history = read_history(path, options.input)
        verdict = judge(
            history,
            model,
            budget_s=options.budget,
            memory_bytes=options.memory,
            initial=options.initial,
            keyed=options.keyed,
            consistency=options.consistency_model,
        )
    except HistoryError as error:
        reason = str(error) if str(error).startswith(str(path)) else f"{path}: {error}"
        return Judged(path, time.perf_counter() - began, reason=reason)
    except Exception as error:  # a judge that fails has not judged, but the other files still can be
        name = model if isinstance(model, str) else model.name
        failed = f"the judge itself failed: {type(error).__name__}: {error}"
        verdict = Verdict(name, Validity.UNKNOWN, failed)
    operations = sum(op.type == "invoke" and op.process != NEMESIS for op in history.ops) if history else 0
    return Judged(path, time.perf_counter() - began, operations, verdict, history=history)


def _model(name: str | None) -> str | Model:
    from checkers.judging import JUDGES

    if name is None:
        raise OptionError(
            f"--model is missing: what should the history be judged as? One of {', '.join(JUDGES)}"
        )
    if name in JUDGES:
        return name
    module, colon, attribute = name.partition(":")
    if not colon:
        raise OptionError(
            f"no model {name!r}; expected one of {', '.join(JUDGES)}, or your own as module:NAME"
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        model = getattr(import_module(module), attribute)
    except Exception as error:  # a stranger's module may raise anything
        raise OptionError(f"--model {name}: {type(error).__name__}: {error}") from None
    if not isinstance(model, Model):
        raise OptionError(
            f"--model {name}: {type(model).__name__}; expected a checkers.linear.operations.Model"
        )
    return model


def _lines(judged: Judged, *, explain: bool) -> Iterator[str]:
    assert judged.verdict is not None
    yield f"{judged.path}  {judged.word}  {judged.operations} operations  {judged.seconds:.3f} s"
    if explain:
        if not judged.verdict.anomalies:
            yield f"  {judged.verdict.summary}"
        calls = {call.invoke.index: call for call in judged.history.calls()} if judged.history else {}
        for anomaly in judged.verdict.anomalies:
            yield from _explained(anomaly, calls)


def _explained(anomaly: Anomaly, calls: dict[int, Call]) -> Iterator[str]:
    yield f"  {anomaly.kind}: {anomaly.message}"
    for call in sorted({id(call): call for call in map(calls.get, anomaly.ops) if call}.values(), key=_began):
        yield f"    {_call_in_words(call)}"


def _began(call: Call) -> int:
    return call.invoke.index


def _call_in_words(call: Call) -> str:
    """Such as "12 to 15  process 3  read null: ok 4"."""
    invoke, completion = call.invoke, call.completion
    until = completion.index if completion is not None and completion.type != "info" else "…"
    value = json.dumps(invoke.value, default=str, ensure_ascii=False)
    words = f"{invoke.index} to {until}  process {invoke.process}  {invoke.f} {value}: {call.type}"
    if completion is not None and completion.type == "ok" and completion.value != invoke.value:
        words += f" {json.dumps(completion.value, default=str, ensure_ascii=False)}"
    return words + (f" ({completion.error})" if completion is not None and completion.error else "")


def _as_json(judged: Judged, *, certificate: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "path": str(judged.path),
        "valid": judged.word,
        "seconds": round(judged.seconds, 6),
    }
    if judged.verdict is None:
        return said | {"error": judged.reason}
    verdict = judged.verdict
    if certificate:
        said["certificate"] = verdict.certificate
    return said | {
        "operations": judged.operations,
        "checker": verdict.checker,
        "summary": verdict.summary,
        "anomalies": [asdict(anomaly) for anomaly in verdict.anomalies],
        "evidence": verdict.evidence,
    }


def printable(text: str) -> str:
    """On one line, without what a terminal would obey."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def duration_s(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a time such as 30s, 500ms or 2m")
    return float(found[1]) * _SECONDS[found[2]]


def _size_bytes(text: str) -> int:
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*([KMG]I?B|B|)", text.upper())
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a size such as 2GB or 512MB")
    return int(float(found[1]) * _BYTES[found[2]])


def _json(text: str) -> Any:
    from checkers.formats.json_text import parse

    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON ({error})") from None
