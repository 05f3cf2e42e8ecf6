"""python -m system.control_plane: one control-plane node, configured by its environment."""

import sys

from system.control_plane.node_process import main

if __name__ == "__main__":
    sys.exit(main())
