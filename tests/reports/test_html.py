"""The page itself, read as a parser reads it; tests.reports.test_browser opens it in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from checkers.history import History, Op, OpType
from checkers.verdict import Anomaly, Validity, Verdict
from reports.html import render, write_report
from reports.record import Run
from reports.text import verdict_lines
from tests.reports.synthetic import HOSTILE, NODES, WORKERS, at

VOID = ("meta", "link", "img", "br", "hr", "input")


class Page(HTMLParser):
    """A page's elements as (tag, attributes), and its text by the section (an id) that it stands in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {"": ""}
        self.titles: list[str] = []
        self._open: list[str] = []
        self._section = ""
        self.feed(page)
        assert self._open == [], "every element that is opened is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "section":
            self._section = str(dict(attrs)["id"])
            self.sections[self._section] = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self.sections[self._section] += "|"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["title"]:
            self.titles.append(data)
        elif self._open[-1:] not in (["style"], ["script"]):
            self.sections[self._section] += data

    def count(self, class_: str) -> int:
        """How many elements have a class."""
        return sum(class_ in (attributes.get("class") or "").split() for _, attributes in self.elements)


@pytest.fixture(scope="module")
def page(saved: Callable[[str], Run]) -> Callable[[str], Page]:
    return cache(lambda kind: Page(render(saved(kind))))


KINDS = ("good", "stale-read", "two-leaders", "unknown", "vacuous", "crashed", "hostile")


@pytest.mark.parametrize(
    ("kind", "outcome", "said"),
    [
        (
            "good",
            "PASS",
            "No contradiction found: all 7 checkers say yes over 1,749 operations, 3 faults that took",
        ),
        ("stale-read", "FAIL", "returned a list without"),
        ("two-leaders", "FAIL", "cp-gcp-1 and cp-azure-1 both became leader of term 2, 20 ms apart."),
        ("unknown", "UNKNOWN", "recovery could not decide: the host was 2.1 s late"),
        ("vacuous", "VACUOUS", "linearizability shows nothing"),
        ("crashed", "UNKNOWN", "The run was not judged: ClusterError: cp-gcp-1 did not answer within 15 s."),
    ],
)
def test_the_banner_says_how_it_ended(
    page: Callable[[str], Page], kind: str, outcome: str, said: str
) -> None:
    banner = page(kind).sections[""]
    assert outcome in banner
    assert said in banner
    assert "11e1b58c0d" in banner
    assert page(kind).titles[0].startswith(outcome)


def test_sections_come_in_the_order_of_what_matters(page: Callable[[str], Page]) -> None:
    order = ["", "reproduce", "what-happened", "checkers", "cluster", "operations", "environment", "files"]
    assert list(page("stale-read").sections) == order
    assert list(page("good").sections) == [name for name in order if name != "what-happened"]


def test_the_line_that_runs_it_again(page: Callable[[str], Page]) -> None:
    text = page("stale-read").sections["reproduce"]
    assert "pytest --workload=append --nemesis=partition,pause,kill,latency --seed=7" in text
    assert "may take several tries (local)" in text


def test_an_anomaly_is_told_with_what_it_concerns(page: Callable[[str], Page]) -> None:
    stale = page("stale-read")
    text = " ".join(stale.sections["what-happened"].split())
    assert "stale-read found by linearizability, at 7.068 s" in text
    assert "acknowledged before it was invoked" in text
    assert "became leader of term 2 (was candidate)" in text
    assert "490–493|6.771 s|process 4 · cp-gcp-1|append [2, 251]|ok, log index 251|109 ms" in text
    assert stale.count("interval") == 4
    assert stale.count("mark") == 3  # in the cluster's lanes, in latency, in throughput


@pytest.mark.parametrize("kind", ["unknown", "vacuous"])
def test_what_keeps_a_run_from_passing_is_told(page: Callable[[str], Page], kind: str) -> None:
    assert kind in page(kind).sections["what-happened"]


def test_lanes_show_faults_roles_and_workers(page: Callable[[str], Page]) -> None:
    good = page("good")
    text, titles = good.sections["cluster"], "\n".join(good.titles)
    for name in (
        *NODES,
        *WORKERS,
        "partition",
        "pause",
        "kill",
        "latency",
        "term 1",
        "term 2",
        "term 4",
        "down",
    ):
        assert name in text
    assert "leader of term 2, 6.500 s to 21.000 s" in titles
    assert "partition isolate-leader on cp-aws-1, 6.000 s to 12.080 s" in titles
    assert "cp-azure-1 paused by a fault, 15.080 s to 18.280 s" in titles
    assert "worker-gcp-1 offline, 14.000 s to 20.500 s" in titles
    assert "no proof that it took effect" in titles
    assert "held back 41,812 bytes on 4 links; none passed" in text
    assert good.count("rival") == 0


def test_two_leaders_of_one_term_are_marked(page: Callable[[str], Page]) -> None:
    rivals = page("two-leaders")
    assert rivals.count("rival") == 2
    assert sum("another node was leader of the same term" in title for title in rivals.titles) == 2


def test_latency_and_throughput_have_the_faults_through_both(page: Callable[[str], Page]) -> None:
    good = page("good")
    assert good.count("band") == 8
    assert good.count("percentile") == 3 + 3  # drawn, and in the legend
    assert any("p50" in title and "p99" in title for title in good.titles)
    dots = {
        a["class"]: (a["d"] or "").count("M")
        for tag, a in good.elements
        if tag == "path" and "dots" in str(a["class"])
    }
    assert dots == {"dots ok": 1, "dots fail": 1, "dots info": 1}  # the legend's come last
    first = next(a["d"] for tag, a in good.elements if tag == "path" and a["class"] == "dots ok")
    assert (first or "").count("M") == 1700


def test_the_environment_is_told(page: Callable[[str], Page]) -> None:
    text = page("good").sections["environment"]
    for said in ("Example CPU @ 2.40GHz, 8 cores, 2 usable", "grpcio 1.85.1", "2 moments over 5 ms",
                 "cut, delay, kill, pause", "CLOCK_MONOTONIC", "16.0 GiB", "nodes 3"):  # fmt: skip
        assert said in text


def test_a_simulated_run_says_what_took_no_part(saved: Callable[[str], Run]) -> None:
    run = saved("good")
    simulated = Page(render(replace(run, meta=run.meta | {"clock": "virtual"}))).sections
    for section in ("", "environment"):
        assert "gRPC, fsync and processes took no part" in simulated[section]
    assert "over 5 ms" not in simulated["environment"]
    assert "took no part" not in Page(render(run)).sections[""]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_asks_for_nothing(page: Callable[[str], Page], kind: str) -> None:
    """No element that loads anything, no link but to the run's own files, a policy that allows no other."""
    for tag, attributes in page(kind).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "image", "use"), tag
        assert "src" not in attributes
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        href = attributes.get("href")
        assert href is None or (tag == "a" and not href.startswith(("/", "..")) and ":" not in href)
    policies = [
        a["content"] or "" for _, a in page(kind).elements if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; ")
    assert "unsafe" not in policies[0]


def test_hostile_text_stays_text(page: Callable[[str], Page], saved: Callable[[str], Run]) -> None:
    raw = render(saved("hostile"))
    assert HOSTILE not in raw
    assert "<img" not in raw
    assert raw.count("<script>") == raw.count("</script>") == 1
    hostile = page("hostile")
    for section in ("", "reproduce", "what-happened", "checkers", "environment"):
        assert HOSTILE in hostile.sections[section]


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"status": "running"},
        {"plan": None, "host": None, "facts": None, "time_zero": None},
        {"host": {"cpu": None, "commit": {}, "packages": None}, "time_zero": {}, "facts": {"phases": {}}},
    ],
)
def test_however_little_there_is_it_renders(tmp_path: Path, meta: dict[str, object]) -> None:
    text = Page(render(Run(tmp_path, meta, History(facts=meta.get("facts") or {})))).sections  # type: ignore[arg-type]
    assert "UNKNOWN" in text[""]
    assert "No operation completed." in text["operations"]


def test_parts_that_are_missing_leave_the_others(saved: Callable[[str], Run]) -> None:
    run = saved("good")
    for history in (
        History(ops=run.history.ops),
        History(events=run.history.events),
        History(worker_states=run.history.worker_states, facts={"phases": {"load": None}}),
        History(ops=[op for op in run.history.ops if op.process == "nemesis"][:1]),
        History(ops=run.history.ops[:1]),
        History(ops=[Op(0, 5, 1, "ok", "append", None)]),
    ):
        Page(render(Run(run.path, run.meta, history, run.verdicts)))


def test_of_many_anomalies_of_a_kind_the_first_is_told_in_full(saved: Callable[[str], Run]) -> None:
    run = saved("good")
    lost = [Anomaly("lost", f"append {i} is lost", tuple(range(40)), (), at(8 + i)) for i in range(60)]
    stale = Anomaly("stale", "a stale read", (), (), at(8.1))
    verdict = Verdict("linearizability", Validity.NO, "61 anomalies", (*lost, stale))
    page = Page(render(Run(run.path, run.meta, run.history, (verdict,))))
    text = page.sections["what-happened"]
    assert page.count("anomaly") == 2
    assert page.count("mark") == 3 * 2
    assert "append 0 is lost" in text
    assert "59 more of this kind" in text
    assert "12.000 s append 4 is lost" in text
    assert "the others stand in results.json" in text
    assert "more, named in results.json" in text
    terminal = verdict_lines([verdict]).splitlines()
    assert terminal[1:] == [
        "    lost: append 0 is lost (and 59 more of this kind)",
        "    stale: a stale read",
    ]


def _many(how_many: int) -> list[Op]:
    """Operations one after the other, each of another length."""
    found = []
    for i in range(how_many):
        began, took = at(3) + i * 250_000, 1_000_000 + i * 7_919 % 90_000_000
        kind: OpType = "info" if i % 97 == 0 else "fail" if i % 89 == 0 else "ok"
        found.append(Op(2 * i, began, i, "invoke", "append", [1, i]))
        found.append(Op(2 * i + 1, began + took, i, kind, "append", [1, i]))
    return found


def test_a_hundred_thousand_operations_stay_small_and_quick(saved: Callable[[str], Run]) -> None:
    run = saved("good")
    nemesis = [op for op in run.history.ops if op.process == "nemesis"]
    history = History(ops=[*_many(100_000), *nemesis], events=run.history.events, facts=run.history.facts)
    began = time.process_time()  # the host's other work is not ours
    page = render(Run(run.path, run.meta, history, run.verdicts))
    took_s = time.process_time() - began
    assert "100,000" in page
    assert len(page.encode()) < 500_000
    assert took_s < 5, f"took {took_s:.1f} s"


def test_the_report_lies_with_its_run(saved: Callable[[str], Run]) -> None:
    run = saved("good")
    path = write_report(run.path)
    assert path == run.path / "report.html"
    text = Page(path.read_text(encoding="utf-8")).sections["files"]
    assert "history.jsonl" in text
    assert "events-0002.jsonl" in text
