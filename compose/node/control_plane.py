"""How a control-plane node starts: routes and names, as root; then CP_COMMAND, as nobody in particular."""

from __future__ import annotations

import os
import shlex
import sys

from compose.node.hosts import name_homes
from compose.node.legs import CommandError
from compose.node.routes import keep_to_the_gateway
from compose.node.user import become

USER_ID = 10001


def main() -> None:
    try:
        keep_to_the_gateway(os.environ["CLOUD"])
        name_homes()
    except CommandError as error:
        sys.exit(f"control plane: {error}")
    become(USER_ID)
    command = shlex.split(os.environ.get("CP_COMMAND") or "python -m system.control_plane")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
