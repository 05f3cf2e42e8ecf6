"""A worker: registers with the control plane's leader, keeps saying that it lives, runs tasks by RPC."""
