"""Programs that are not what their names say."""

from pathlib import Path


def pretend(folder: Path, program: str, script: str) -> None:
    """Puts a program of that name into the folder, which does what a shell makes of the script."""
    path = folder / program
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
