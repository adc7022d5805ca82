"""The code location that Dagster loads."""

from pipelines.build import build_definitions

defs = build_definitions()
