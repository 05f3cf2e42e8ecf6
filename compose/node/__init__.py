"""How a container of the cluster starts: its routes, its user, and what has to be there first."""
