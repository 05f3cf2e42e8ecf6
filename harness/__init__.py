"""One run, from its plan to its report. The only room that knows every other room."""

import os

# gRPC's own library writes to stderr whenever a connection breaks, which is what the harness is for.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
