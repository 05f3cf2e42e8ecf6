"""`make build`: the images, from a base that can be had here."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import time
from collections.abc import Mapping

from compose.engine import ROOT, Trouble, docker, image_exists, image_label, last_line
from compose.settings import settings

ROLES = ("gateway", "control-plane", "worker", "clients")
NAMES = {role: f"crosswind/{role}" for role in (*ROLES, "minio")}
DEFAULT_BASE = "debian:bookworm-slim"
DEFAULT_STORE = "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"
PULL_TIMEOUT_S = 300
SOURCES_LABEL = "crosswind.sources"
SOURCES = (".py", ".sh")


def build() -> None:
    """Raises Trouble."""
    chosen = settings()
    base = _base_image(chosen)
    for role in ROLES:
        _build_stage(role, NAMES[role], base)
    _provide_store(chosen, base)


def stale() -> list[str]:
    """Images that are not there, or were made from other sources than these."""
    sources = _sources()
    made_of = {role: image_label(NAMES[role], SOURCES_LABEL) for role in ROLES}
    old = [NAMES[role] for role in ROLES if made_of[role] != sources]
    return old if image_exists(NAMES["minio"]) else [*old, NAMES["minio"]]


def _sources() -> str:
    """A digest of all that goes into the images but the base."""
    digest = hashlib.sha256()
    paths = [ROOT / name for name in ("pyproject.toml", "constraints.txt")]
    for room in ("compose", "system"):
        paths += sorted(path for path in (ROOT / room).rglob("*") if path.suffix in SOURCES)
    for path in [*paths, ROOT / "compose" / "Dockerfile"]:
        digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _base_image(chosen: Mapping[str, str]) -> str:
    base = chosen.get("BASE_IMAGE")
    if base is None and _can_have(DEFAULT_BASE):
        base = DEFAULT_BASE
    if base is None:
        print(f"{DEFAULT_BASE} cannot be pulled: using a base made here")
        made = subprocess.run(
            ["sh", str(ROOT / "scripts" / "base-image.sh")], stdout=subprocess.PIPE, text=True, check=False
        )
        if made.returncode != 0:
            raise Trouble("there is no base image; name one that can be pulled: make build BASE_IMAGE=…")
        base = made.stdout.strip()
    return base


def _can_have(image: str) -> bool:
    """Whether it is here, or could be pulled just now."""
    if image_exists(image):
        return True
    try:
        docker("pull", "--quiet", image, timeout_s=PULL_TIMEOUT_S)
    except Trouble:
        return False
    return True


def _build_stage(stage: str, name: str, base: str) -> None:
    began = time.monotonic()
    words = ["build", "--file=compose/Dockerfile", f"--build-arg=BASE_IMAGE={base}", f"--target={stage}"]
    words.append(f"--label={SOURCES_LABEL}={_sources()}")
    done = subprocess.run(
        ["docker", *words, f"--tag={name}", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
        raise Trouble(f"the image {name} could not be built (above: why): {last_line(done.stderr)}")
    print(f"{name} built in {time.monotonic() - began:.1f} s")


def _provide_store(chosen: Mapping[str, str], base: str) -> None:
    """Under one name, whichever store it is."""
    wanted = chosen.get("MINIO_IMAGE", DEFAULT_STORE)
    if wanted != "seaweedfs" and _can_have(wanted):
        docker("tag", wanted, NAMES["minio"])
        print(f"{NAMES['minio']} is {wanted}")
        return
    if wanted not in ("seaweedfs", DEFAULT_STORE):
        raise Trouble(f"MINIO_IMAGE={wanted} cannot be pulled; MINIO_IMAGE=seaweedfs needs no registry")
    if wanted != "seaweedfs":
        print(f"{wanted} cannot be pulled: the object store is SeaweedFS, which speaks S3 too")
    _build_stage("store", NAMES["minio"], base)


def print_sizes() -> None:
    """Compressed, with the base: what a registry would keep, roughly. Raises Trouble."""
    for name in NAMES.values():
        if not image_exists(name):
            raise Trouble(f"{name} is not there: make build")
        print(f"{name:<24}{_compressed_bytes(name) / 1e6:6.1f} MB compressed")


def _compressed_bytes(name: str) -> int:
    with subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        counter = _Counter()
        with gzip.GzipFile(fileobj=counter, mode="wb", compresslevel=6) as packed:
            while chunk := saving.stdout.read(1 << 20):
                packed.write(chunk)
    if saving.returncode != 0:
        raise Trouble(f"docker save {name} failed")
    return counter.count_bytes


class _Counter:
    """A file that only counts."""

    count_bytes = 0

    def write(self, data: bytes) -> int:
        self.count_bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""
