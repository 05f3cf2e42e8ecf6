"""The nine-container cluster, and what only it needs."""
