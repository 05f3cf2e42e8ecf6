"""Histories in files: ours, as columns and as JSON lines, and other projects'."""
