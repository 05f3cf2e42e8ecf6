"""Where the system runs. registry.py lists the clusters there are.

The list is not here, because the supervisor and the ticker live in this package too, start with every
cluster, and must not load gRPC for it.
"""
