"""Crosswind as a pytest plugin: options, the runs as tests, the live line and the summary."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest

from harness.live import Board, Publisher
from harness.options import add_options, asked, draw_seed, plans
from harness.plan import Plan
from harness.run import RUNS, Result, carry_out
from reports.text import failure, run_table
from system.clusters.errors import ClusterError
from system.clusters.registry import CLUSTERS

_PLANS = pytest.StashKey[list[Plan]]()
_LIVE = pytest.StashKey[Path]()
_SEED = pytest.StashKey[int]()
_PROPERTY = "crosswind"


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "nemesis: a run of a workload against a cluster under faults")
    given = getattr(config, "workerinput", {})
    config.stash[_SEED] = given.get("crosswind_seed") or draw_seed()
    config.stash[_PLANS] = plans(config, config.stash[_SEED])
    if asked(config) and not config.option.markexpr:
        config.option.markexpr = "nemesis"
    if config.option.markexpr and not given:
        _check_clusters(config.stash[_PLANS])
    live = given.get("crosswind_live")
    config.stash[_LIVE] = Path(live or tempfile.mkdtemp(prefix="crosswind-live-"))
    if live is None:
        config.add_cleanup(lambda: shutil.rmtree(config.stash[_LIVE], ignore_errors=True))


def _check_clusters(chosen: list[Plan]) -> None:
    """Raises pytest.UsageError for a cluster that cannot run here."""
    for name in dict.fromkeys(plan.cluster for plan in chosen):
        try:
            CLUSTERS[name].check()
        except ClusterError as error:
            others = "" if name == "local" else "; --cluster=local needs no Docker"
            raise pytest.UsageError(f"--cluster={name}: {error}{others}") from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The controller draws; xdist's processes take what it drew."""
    node.workerinput["crosswind_seed"] = node.config.stash[_SEED]
    node.workerinput["crosswind_live"] = str(node.config.stash[_LIVE])


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """To import a project's other tests can take longer than a run. Where only runs are asked for, a file
    that names neither the mark nor a fixture of ours is left alone."""
    if config.option.markexpr != "nemesis" or collection_path.suffix != ".py":
        return None
    with contextlib.suppress(OSError):
        text = collection_path.read_bytes()
        return None if b"mark.nemesis" in text or b"crosswind_" in text else True
    return None


def pytest_report_header(config: pytest.Config) -> list[str]:
    chosen = config.stash[_PLANS]
    clusters = list(dict.fromkeys(plan.cluster for plan in chosen))
    seeds = list(dict.fromkeys(str(plan.seed) for plan in chosen))
    return [
        f"crosswind: seed {', '.join(seeds)}; "
        + "; ".join(
            f"cluster {name} can {', '.join(sorted(CLUSTERS[name].capabilities))}" for name in clusters
        )
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "crosswind_plan" in metafunc.fixturenames:
        chosen = metafunc.config.stash[_PLANS]
        metafunc.parametrize("crosswind_plan", chosen, ids=[plan.id for plan in chosen])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Runs take minutes: without a word that asks for them (-m, one of our flags, their file) they are not
    tests of the project itself."""
    if config.option.markexpr:
        return
    named = [Path(arg.split("::")[0]).resolve() for arg in config.args]
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        is_run = item.get_closest_marker("nemesis") is not None
        (dropped if is_run and item.path not in named else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Terminal(config, reporter), "crosswind-terminal")


class _Terminal:
    """Keeps the live line and pytest's own output out of each other's way."""

    def __init__(self, config: pytest.Config, reporter: Any) -> None:
        self._reporter = reporter
        self._stream = _terminal(config)
        self._board = Board(config.stash[_LIVE], self._stream, is_terminal=reporter._tw.hasmarkup)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        if self._board.clear():
            self._reporter.currentfspath = None  # pytest names the file again, on the line that we cleared

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._board.close()
        self._stream.close()


def _terminal(config: pytest.Config) -> TextIO:
    """Where pytest's own output goes. While a test runs, its capture has its hands on stdout, and keeps the
    real one aside."""
    capture = getattr(config.pluginmanager.get_plugin("capturemanager"), "_global_capturing", None)
    aside = getattr(getattr(capture, "out", None), "targetfd_save", None)
    return os.fdopen(os.dup(aside if isinstance(aside, int) else 1), "w", encoding="utf-8", errors="replace")


@pytest.fixture
def crosswind_run(request: pytest.FixtureRequest) -> Callable[[Plan], Result]:
    """Carries out a plan; fails the test unless the verdict is yes."""
    publisher = Publisher(request.config.stash[_LIVE])

    def run(plan: Plan) -> Result:
        try:
            result = carry_out(plan, request.config.rootpath / RUNS, publisher.show)
        finally:
            publisher.clear()
        request.node.user_properties.append((_PROPERTY, _row(result, request.config.rootpath)))
        if result.validity.value != "yes":
            pytest.fail(failure(result.directory), pytrace=False)
        return result

    return run


def _row(result: Result, root: Path) -> dict[str, Any]:
    report = result.directory / "report.html"
    return {
        "run": result.plan.id,
        "verdict": result.validity.value,
        **result.counts,
        "leader_changes": result.leader_changes,
        "duration_s": result.duration_s,
        "report": str(report.relative_to(root) if report.is_relative_to(root) else report),
    }


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for key, value in report.user_properties
        if key == _PROPERTY
    ]
    if rows:
        terminalreporter.section("crosswind")
        terminalreporter.write_line(run_table(rows))
