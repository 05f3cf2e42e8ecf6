"""A plan: everything that decides a run, as data."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any

from harness.errors import PlanError
from nemesis import NEMESES
from nemesis.schedule import lacking, offers
from system.clusters.registry import CLUSTERS
from system.mutants import MUTANTS
from workloads import WORKLOADS

TIME_LIMIT_S = 12.0
RATE = 80.0
CONCURRENCY = 12
NODES = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """One run's options.

    nemeses:      names, all at work in the one run
    time_limit_s: how long load and faults last
    rate:         operations a second, of all processes together
    concurrency:  processes at a time
    nodes:        control-plane nodes: 1, 3 or 5
    attach:       use the Docker cluster that is already up
    mutant:       a planted bug's name (system.mutants), or None for the correct system
    """

    workload: str
    nemeses: tuple[str, ...]
    seed: int
    cluster: str = "local"
    time_limit_s: float = TIME_LIMIT_S
    rate: float = RATE
    concurrency: int = CONCURRENCY
    nodes: int = NODES
    mutant: str | None = None
    attach: bool = False

    def __post_init__(self) -> None:
        known("workload", self.workload, WORKLOADS)
        known("cluster", self.cluster, CLUSTERS)
        for name in self.nemeses:
            known("nemesis", name, NEMESES)
        if not self.nemeses or len(self.nemeses) != len(dict.fromkeys(self.nemeses)):
            raise PlanError(f"--nemesis={','.join(self.nemeses)}: name one nemesis or several different ones")
        if "none" in self.nemeses and len(self.nemeses) > 1:
            raise PlanError(f"--nemesis={','.join(self.nemeses)}: 'none' goes with no other nemesis")
        if self.mutant is not None:
            _check_mutant(self.mutant, self.cluster)
        if self.attach and self.cluster != "docker":
            raise PlanError(f"--attach --cluster={self.cluster}: only the docker cluster can be attached to")
        if self.attach and self.mutant is not None:
            raise PlanError(f"--attach --mutant={self.mutant}: a cluster that is up has no bug planted")
        counts = CLUSTERS[self.cluster].node_counts
        if self.nodes not in counts:
            raise PlanError(
                f"--nodes={self.nodes} --cluster={self.cluster}: its control plane has "
                f"{' or '.join(map(str, counts))} nodes"
            )
        _check_workload(self.workload, self.cluster)
        for name in self.nemeses:
            least_nodes = NEMESES[name].min_nodes
            if self.nodes < least_nodes:
                raise PlanError(
                    f"--nemesis={name} --nodes={self.nodes}: {name} needs at least {least_nodes} nodes"
                )
            _check_cluster(name, self.cluster)
        for flag, value, least, most in (
            ("seed", self.seed, 0, 2**63 - 1),
            ("time-limit", self.time_limit_s, 3, 86_400),
            ("rate", self.rate, 0.1, 100_000),
            ("concurrency", self.concurrency, 1, 1_000),
        ):
            if not least <= value <= most:
                raise PlanError(f"--{flag}={_text(value)}: expected a number from {least} to {most}")

    @property
    def id(self) -> str:
        """Such as append-partition-local-s7; options other than the usual ones follow."""
        parts = [self.workload, "+".join(self.nemeses), self.cluster, f"s{self.seed}"]
        if self.nodes != NODES:
            parts.append(f"n{self.nodes}")
        if self.mutant is not None:
            parts.append(self.mutant)
        return "-".join(parts)

    @property
    def length_s(self) -> float:
        """How long load and faults last: as long as asked for, or as the nemeses need."""
        return max([self.time_limit_s, *(NEMESES[name].min_time_s for name in self.nemeses)])

    @property
    def needs_store(self) -> bool:
        """Whether the cluster must run an object store."""
        needs = [WORKLOADS[self.workload].needs, *(NEMESES[name].needs for name in self.nemeses)]
        return any("minio" in needed for needed in needs)

    @property
    def command(self) -> str:
        """The line that carries this plan out again."""
        words = ["pytest", f"--workload={self.workload}", f"--nemesis={','.join(self.nemeses)}"]
        for field in fields(self)[2:]:
            value = getattr(self, field.name)
            if field.name == "attach":
                words += ["--attach"] * value
            elif field.name == "seed" or value != field.default:
                flag = {"time_limit_s": "time-limit"}.get(field.name, field.name)
                words.append(f"--{flag}={_text(value)}")
        return shlex.join(words)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"nemeses": list(self.nemeses)}


def _check_workload(workload: str, cluster: str) -> None:
    """Raises PlanError unless the cluster has the services that the workload needs."""
    if missing := sorted(WORKLOADS[workload].needs - CLUSTERS[cluster].capabilities):
        raise PlanError(
            f"--workload={workload} --cluster={cluster}: {workload} needs a cluster that {offers(missing)};"
            f" {cluster} does not"
        )


def _check_mutant(mutant: str, cluster: str) -> None:
    """Raises PlanError unless there is such a bug and the cluster's nodes can have it."""
    known("mutant", mutant, MUTANTS)
    if MUTANTS[mutant].only_simulated and cluster != "sim":
        raise PlanError(
            f"--mutant={mutant} --cluster={cluster}: only simulated nodes can have this bug;"
            " add --cluster=sim"
        )


def _check_cluster(nemesis: str, cluster: str) -> None:
    """Raises PlanError unless the cluster can do what the nemesis needs."""
    able = CLUSTERS[cluster].capabilities
    missing = lacking(NEMESES[nemesis], able)
    if missing:
        others = [
            name for name, other in CLUSTERS.items() if not lacking(NEMESES[nemesis], other.capabilities)
        ]
        raise PlanError(
            f"--nemesis={nemesis} --cluster={cluster}: {nemesis} needs a cluster that {offers(missing)};"
            f" {cluster} {offers(sorted(able))}; clusters that can: {', '.join(others) or 'none'}"
        )


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def known(what: str, name: str, registry: dict[str, Any]) -> None:
    """Raises PlanError unless the registry has the name."""
    if name not in registry:
        close = get_close_matches(name, registry, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise PlanError(f"--{what}={name}: no such {what}; there are: {', '.join(registry)}{hint}")
