"""Mutation of the judges: each is broken in a dozen ways, and the tests have to notice every one."""
