"""The product's own decisions, made in a database that has what they read: date by date, as the runs do."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection
from datetime import date, datetime
from pathlib import Path

import duckdb
import yaml
from model_sql import PROJECT, Models

from pipelines import control
from pipelines.activation.emission import ASSIGNMENT_COLUMNS, DECISION_COLUMNS, TOUCH_COLUMNS
from pipelines.activation.units import write_contact_units
from pipelines.privacy.erasure import ERASED_UNIT_COLUMNS

POLICY = PROJECT / "dbt_project" / "seeds" / "policy"

CORE_MODELS = (
    "core/int_subject",
    "core/touch",
    "core/int_permission",
    "core/int_suppressed_address",
    "core/int_suppression",
)
"""What of `core` changes with the answers to our messages."""

MODELS = (
    "activation/int_open_decision_date",
    "activation/int_contact_address",
    "activation/int_own_touch",
    "activation/int_decision_trigger",
    "activation/int_send_slot",
    "activation/int_contact_history",
    "activation/int_decision_journey",
    "activation/int_learned_arm",
    "activation/int_decision_channel",
    "activation/int_decision_arm",
    "activation/int_recall_decision",
    "activation/recall_decision",
    "activation/assignment",
    "activation/offer_audit",
)
"""In the order in which they need each other."""


def load_policy(con: duckdb.DuckDBPyConnection, schema: str, policy_dir: Path = POLICY) -> None:
    """Replace the policy's tables in a schema by the seeds of a folder, typed as dbt types them."""
    described = yaml.safe_load((POLICY.parent / "_seeds.yml").read_text(encoding="utf-8"))["seeds"]
    types = {seed["name"]: seed.get("config", {}).get("column_types", {}) for seed in described}
    for file in sorted(policy_dir.glob("*.csv")):
        with file.open(encoding="utf-8-sig", newline="") as handle:
            columns = next(csv.reader(handle))
        typed = ", ".join(
            f'cast("{name}" as {types.get(file.stem, {}).get(name, "varchar")}) as "{name}"'
            for name in columns
        )
        con.execute(
            f"create or replace table {schema}.{file.stem} as "
            f"select {typed} from read_csv(?, header = true, all_varchar = true)",
            [str(file)],
        )


def create_history(con: duckdb.DuckDBPyConnection) -> None:
    """Replace what a lake would hold of earlier dates by nothing, in tables that `emit` fills."""
    con.execute("create schema if not exists control")
    for name, columns in {
        "recall_touch": TOUCH_COLUMNS,
        "arm_assignment": ASSIGNMENT_COLUMNS,
        "erased_unit": ERASED_UNIT_COLUMNS,
        "frozen_decision": DECISION_COLUMNS,
    }.items():
        typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        con.execute(f"create or replace table control.{name} ({typed})")


def decide(
    con: duckdb.DuckDBPyConnection,
    models: Models,
    as_of_date: date,
    *,
    known_until: datetime = control.UNLIMITED,
    without: Collection[str] = (),
    progress: Callable[[str], None] | None = None,
) -> None:
    """Make the decisions of a date for real, in `<schema>.recall_decision` and the tables around it.

    Args:
        con: where the schema of `models` is, with `core` and `marts` as they stand on the date.
        models: the product's SQL.
        as_of_date: the date.
        known_until: up to when purchases, tickets and answers after the date are looked at.
        without: models that stay as they are, of those in `MODELS`.
        progress: told the name of each model when it is made.
    """
    control.write_decision_dates(
        con, [control.DecisionDate(as_of_date, False, False, "simulation", known_until)]
    )
    write_contact_units(con, f"{models.schema}.int_address")
    for model in (each for each in MODELS if each not in without):
        models.make(con, model)
        if progress:
            progress(model)


def emit(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Make the date's touches and draws history, as an emission does in the lake."""
    columns = {name: name for name in TOUCH_COLUMNS} | {"send_on": "cast(send_after as date)"}
    con.execute(
        f"""
        insert into control.recall_touch by name
        select {", ".join(f"{value} as {name}" for name, value in columns.items())}
        from {schema}.recall_decision where decision in ('send', 'holdout');
        create or replace table control.arm_assignment as
        select {", ".join(ASSIGNMENT_COLUMNS)} from {schema}.assignment;
        """
    )
