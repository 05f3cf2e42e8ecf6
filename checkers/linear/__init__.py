"""Linearizability: what one object did, an order that explains it, and the proof that there is none."""
