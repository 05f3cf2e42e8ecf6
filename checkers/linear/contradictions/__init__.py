"""Contradictions that can be told in a sentence or two, by kind of object."""
