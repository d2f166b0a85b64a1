"""Rewrites of a graph into one that gives the same, one in each file."""
