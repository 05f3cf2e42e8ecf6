"""docs/baseline.md, from what was measured; its words are in baseline_template.md."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.histogram import Histogram, quantile

QUANTILES = (0.5, 0.9, 0.99)
ROWS, BAR = 10, 24
# An election's histogram, seconds.
_ELECTION_BOUNDS_S = (*(i / 10 for i in range(1, 31)), math.inf)

_ABOUT = Path(__file__).with_name("baseline_template.md")


@dataclass(frozen=True, slots=True)
class Kill:
    """Seconds: until the kill was confirmed, and until a command was acknowledged, since it was asked for;
    the winner's silence, and of that its election."""

    killed_s: float
    acknowledged_s: float
    silence_s: float
    election_s: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What was seen at one distance. clients_s, nodes_s: of appends."""

    round_trip_ms: float
    kills: Sequence[Kill]
    clients_s: Sequence[float]
    nodes_s: Histogram


@dataclass(frozen=True, slots=True)
class Measured:
    cluster: str
    settings: Sequence[Setting]


@dataclass(frozen=True, slots=True)
class Method:
    """rate: appends a second. linger_s: how long a node lets a command wait for others."""

    clients: int
    rate: float
    kills: int
    ask_again_s: float
    linger_s: float


@dataclass(frozen=True, slots=True)
class Conditions:
    date: str
    cpus: int
    kernel: str
    python: str
    load: float

    @classmethod
    def now(cls) -> Conditions:
        return cls(
            date=datetime.now(UTC).date().isoformat(),
            cpus=os.cpu_count() or 1,
            kernel=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            load=round(os.getloadavg()[0], 1),
        )


def page(conditions: Conditions, method: Method, measured: Sequence[Measured], took_s: float) -> str:
    about = _ABOUT.read_text(encoding="utf-8").format(
        date=conditions.date,
        minutes=took_s / 60,
        cpus=conditions.cpus,
        kernel=conditions.kernel,
        python=conditions.python,
        load=conditions.load,
        names=", ".join(one.cluster for one in measured),
        rate=method.rate,
        clients=method.clients,
        kills=method.kills,
        ask_again_ms=1e3 * method.ask_again_s,
        linger_ms=1e3 * method.linger_s,
    )
    return "\n".join([about, *(line for one in measured for line in _cluster(one))])


def write(path: Path, text: str) -> None:
    """All of it or nothing."""
    whole = path.with_name(f".{path.name}.new")
    whole.write_text(text, encoding="utf-8")
    whole.replace(path)


def _cluster(measured: Measured) -> list[str]:
    name, settings = measured.cluster.capitalize(), measured.settings
    quantiles = [f"p{100 * q:g}" for q in QUANTILES]
    return [
        f"## {name} cluster: replication latency, ms",
        "",
        *_table(["between clouds", "seen by", "n", "mean", *quantiles]),
        *(row for setting in settings for row in _replication(setting)),
        "",
        f"## {name} cluster: election after a kill, ms",
        "",
        *_table(["between clouds", "what", "n", *quantiles]),
        *(row for setting in settings for row in _election(setting)),
        "",
        f"## {name} cluster: histograms",
        "",
        *(line for setting in settings for line in _histograms(setting)),
    ]


def _table(head: Sequence[str]) -> list[str]:
    return [_row(head), _row(["---"] * 2 + ["---:"] * (len(head) - 2))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _replication(setting: Setting) -> list[str]:
    nodes, clients = setting.nodes_s, setting.clients_s
    return [
        _row(
            [f"{setting.round_trip_ms:g} ms", "nodes", str(nodes.count), _ms(nodes.mean)]
            + [_ms(nodes.quantile(q)) for q in QUANTILES]
        ),
        _row(
            ["", "clients", str(len(clients)), _ms(math.fsum(clients) / len(clients))]
            + [_ms(quantile(clients, q)) for q in QUANTILES]
        ),
    ]


def _election(setting: Setting) -> list[str]:
    kills = setting.kills
    what = {
        "clients: until a command is acknowledged": [kill.acknowledged_s for kill in kills],
        "harness: until the kill was confirmed": [kill.killed_s for kill in kills],
        "nodes: silence until there is a leader": [kill.silence_s for kill in kills],
        "of that: until the winner noticed": [kill.silence_s - kill.election_s for kill in kills],
        "of that: the election": [kill.election_s for kill in kills],
    }
    where = [f"{setting.round_trip_ms:g} ms", *[""] * (len(what) - 1)]
    return [
        _row([at, name, str(len(kills)), *(_ms(quantile(samples_s, q), 0) for q in QUANTILES)])
        for at, (name, samples_s) in zip(where, what.items(), strict=True)
    ]


def _histograms(setting: Setting) -> list[str]:
    bounds = setting.nodes_s.bounds
    replication = {"nodes": setting.nodes_s, "clients": Histogram.of(setting.clients_s, bounds)}
    election = {
        "nodes (silence)": Histogram.of([kill.silence_s for kill in setting.kills], _ELECTION_BOUNDS_S),
        "clients": Histogram.of([kill.acknowledged_s for kill in setting.kills], _ELECTION_BOUNDS_S),
    }
    distance = f"{setting.round_trip_ms:g} ms between clouds"
    return [
        *("```text", f"{distance}: replication, ms", *bars(replication), ""),
        *(f"{distance}: election after a kill, ms", *bars(election), "```", ""),
    ]


def bars(histograms: Mapping[str, Histogram]) -> list[str]:
    """Histograms of the same bounds (seconds), side by side, in milliseconds; {label: histogram}. From the
    lowest bucket in use to the one that holds p95, at most ROWS of them or of neighbours taken together;
    what lies above is one row."""
    bounds = next(iter(histograms.values())).bounds
    first = min(_bucket(histogram, 0.0) for histogram in histograms.values())
    last = max(_bucket(histogram, 0.95) for histogram in histograms.values())
    together = math.ceil((last + 1 - first) / ROWS)
    rows = [range(i, min(i + together, last + 1)) for i in range(first, last + 1, together)]
    if any(any(histogram.counts[last + 1 :]) for histogram in histograms.values()):
        rows.append(range(last + 1, len(bounds)))
    most = {
        label: max(sum(histogram.counts[i] for i in row) for row in rows)
        for label, histogram in histograms.items()
    }
    lines = [f"{'':>15}" + "".join(f"{label:<{BAR + 6}}" for label in histograms)]
    for row in rows:
        line = f"{_span(bounds, row):>13}  "
        for label, histogram in histograms.items():
            count = sum(histogram.counts[i] for i in row)
            line += f"{count:>4} {'█' * math.ceil(BAR * count / most[label]):<{BAR + 1}}"
        lines.append(line.rstrip())
    return [line.rstrip() for line in lines]


def _bucket(histogram: Histogram, q: float) -> int:
    """The one that holds the quantile."""
    wanted, below = max(1, math.ceil(q * histogram.count)), 0
    for i, count in enumerate(histogram.counts):
        below += count
        if below >= wanted:
            return i
    raise ValueError("no observations, no quantiles")


def _span(bounds: Sequence[float], row: range) -> str:
    low_ms = 1e3 * bounds[row[0] - 1] if row[0] else 0.0
    high_ms = 1e3 * bounds[row[-1]]
    return f"> {low_ms:g}" if math.isinf(high_ms) else f"{low_ms:g} – {high_ms:g}"


def _ms(duration_s: float, digits: int = 1) -> str:
    return f"{1e3 * duration_s:.{digits}f}"
