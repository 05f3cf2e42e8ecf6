"""`python -m system.worker`; configured by environment, see config.py."""

import os
import sys

# gRPC's C core writes its own, unstructured lines to stderr; what they tell, our log lines tell too.
# It reads this while it is imported, so this comes first.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from system.worker.main import main

sys.exit(main(os.environ))
