"""Dagster resources: what holds state outside the code, each in its own module."""
