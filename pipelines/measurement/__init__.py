"""Judging effects: what a recall brought beyond what would have come anyway. No Dagster here."""
