"""A control-plane node with the bug that the first argument names."""

from __future__ import annotations

import sys

from system.mutants import MUTANTS, plant, resolve


def main() -> int:
    mutant = resolve(sys.argv[1]) if len(sys.argv) > 1 else None
    if mutant is None or mutant.only_simulated:
        real = ", ".join(name for name, other in MUTANTS.items() if not other.only_simulated)
        print(f"system.mutants: no mutant {' '.join(sys.argv[1:2])!r}; there are: {real}", file=sys.stderr)
        return 2
    plant(mutant.name)
    from system.control_plane.node_process import (
        main as control_plane,
    )  # after planting: it builds on what it finds

    return control_plane()


if __name__ == "__main__":
    sys.exit(main())
