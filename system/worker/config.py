"""A worker's settings, from its environment.

| variable | meaning | default |
|---|---|---|
| WORKER_ID | this worker's name, such as worker-aws-1 | required |
| CLUSTER_ID | the cluster it belongs to; requests for another are refused | required |
| CLOUD | where it runs, such as aws | required |
| LISTEN_ADDR | host:port of its gRPC services | required |
| HTTP_ADDR | host:port of /health | required |
| ORCHESTRATOR_ADDR | the control plane's nodes: "id=host:port,…" or "host:port,…" | required |
| ADVERTISE_ADDR | host:port it registers, where others dial it | LISTEN_ADDR |
| HEARTBEAT_INTERVAL_S | seconds between heartbeats, unless the leader wants them more often | 5 |
| WORKER_SEED | seed of the retries' jitter, a whole number | the system's randomness |
| MINIO_ENDPOINT | URL of the object store; wins over AWS_ENDPOINT_URL | AWS itself |
| LOG_LEVEL | DEBUG, INFO, WARNING or ERROR | INFO |

AWS credentials and region come from where boto3 looks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from system import settings


@dataclass(frozen=True, slots=True)
class AddressBook:
    """The control plane's nodes as dialled from here, in order. by_id is empty where no ids were given."""

    addresses: tuple[str, ...]
    by_id: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    worker_id: str
    cluster_id: str
    cloud: str
    listen_address: str
    http_address: str
    advertise_address: str
    orchestrator: AddressBook
    heartbeat_interval_s: float
    seed: int | None
    store_endpoint: str | None
    log_level: str


def from_environment(env: Mapping[str, str]) -> Config:
    """Raises settings.SettingError for the first setting that is missing or wrong."""
    listen_address = settings.read(env, "LISTEN_ADDR", settings.address)
    store = "MINIO_ENDPOINT" if env.get("MINIO_ENDPOINT") else "AWS_ENDPOINT_URL"
    return Config(
        worker_id=settings.read(env, "WORKER_ID", settings.name),
        cluster_id=settings.read(env, "CLUSTER_ID", settings.name),
        cloud=settings.read(env, "CLOUD", settings.name),
        listen_address=listen_address,
        http_address=settings.read(env, "HTTP_ADDR", settings.address),
        advertise_address=settings.read(env, "ADVERTISE_ADDR", _dialable, default=listen_address),
        orchestrator=settings.read(env, "ORCHESTRATOR_ADDR", parse_address_book),
        heartbeat_interval_s=settings.read(env, "HEARTBEAT_INTERVAL_S", settings.seconds, default="5"),
        seed=settings.read(env, "WORKER_SEED", _whole_number) if env.get("WORKER_SEED") else None,
        store_endpoint=settings.read(env, store, settings.url) if env.get(store) else None,
        log_level=settings.read(env, "LOG_LEVEL", settings.log_level, default="INFO"),
    )


def parse_address_book(text: str) -> AddressBook:
    """ "a=host:port,b=host:port" or "host:port,host:port". Raises ValueError (what was expected)."""
    expected = "expected id=host:port,id=host:port or host:port,host:port, each node once"
    by_id: dict[str, str] = {}
    addresses: list[str] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        node_id, equals, address = item.rpartition("=")
        try:
            addresses.append(settings.address(address))
            if equals:
                by_id[settings.name(node_id)] = address
        except ValueError:
            raise ValueError(f"{expected}; {item!r} does not fit") from None
    # With some ids missing, whether a redirect can be followed would depend on who leads.
    if not addresses or len(set(addresses)) < len(addresses) or len(by_id) not in (0, len(addresses)):
        raise ValueError(expected)
    return AddressBook(tuple(addresses), by_id)


def _dialable(text: str) -> str:
    host, _ = settings.split_address(text)
    if host in ("0.0.0.0", "::"):
        raise ValueError(
            "nobody can dial that: set ADVERTISE_ADDR to the host:port where others reach this worker"
        )
    return text


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("expected a whole number") from None
