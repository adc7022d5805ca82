"""Writes what is told of the warehouse's columns: the lineage that the assets show, and the data dictionary.

`make dictionary` runs it after a change of a model; a test makes both anew and compares.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipelines import control
from pipelines.activation.emission import ASSIGNMENT_COLUMNS, DECISION_COLUMNS, TOUCH_COLUMNS
from pipelines.activation.suppressions import SUPPRESSION_COLUMNS
from pipelines.assets.dbt import INTERMEDIATES
from pipelines.assets.publish import QUALITY_TABLES, published_tables
from pipelines.columns import LINEAGE_FILE, lineage_text, seen_from, trace
from pipelines.dormancy.store import KINDS
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.lake import Lake
from pipelines.feeds.raw import raw_columns
from pipelines.feeds.superseded import refresh_superseded
from pipelines.history import MOVEMENT_COLUMNS
from pipelines.identity.forms import FORM_COLUMNS, spelling_columns
from pipelines.measurement.cells import CELLS, RESULT
from pipelines.publication.publish import PublishedTable
from pipelines.resources.dbt import asset_manifest, compiled_models, ensure_manifest
from pipelines.settings import PROJECT_DIR, Profile, load_settings

DICTIONARY = Path("docs") / "data-dictionary.md"
"""Below the project's folder."""

_NOT_FITTED = {"model_version", "fitted_on", "fit_number", "backfilled", "theta"}

_HEAD = """\
# Data dictionary

The analysts' copy, `published/winback_analytics.duckdb` in the data home, table by table. `make
dictionary` writes this page from the models; the same words stand in the file itself (`select * from
duckdb_columns()`) and on the assets in the Dagster UI, there with the lineage of every table in between.
How to connect and what to ask is in [analyst.md](analyst.md).

No table holds clear personal data: names, addresses, phone numbers, birth dates, account names of
platforms and free text stay in the private warehouse. `customer_id` is an id of ours.

Money is in the shop's currency, dates are days in its time zone.
"""

_SCHEMAS = {
    "core": "What is known now: customers, their accounts, purchases, visits, tickets and messages.",
    "marts": "What was known at the end of each as-of date: classes, sleep, its reasons, recommendations.",
    "activation": "What was decided for each customer and date, and who was drawn into which arm.",
    "kpi": "What it brought.",
    "quality": "What was taken in, and what the gates said.",
}


def main() -> None:
    """Write both files, and say where."""
    settings = load_settings()
    lineage, dictionary = settings.dbt_dir / LINEAGE_FILE, PROJECT_DIR / DICTIONARY
    lineage.write_text(lineage_text(project_lineage(settings.dbt_dir, settings.profile)), encoding="utf-8")
    dictionary.write_text(dictionary_text(settings.dbt_dir), encoding="utf-8")
    print(f"written: {lineage}\nwritten: {dictionary}")


def project_lineage(dbt_dir: Path, profile: Profile) -> dict[str, dict[str, list[str]]]:
    """The lineage of the columns of all assets that are tables, by `schema.table`.

    Args:
        dbt_dir: folder of `dbt_project.yml`.
        profile: any; it says which columns the models find in the schema `control`.
    """
    path = ensure_manifest(dbt_dir)
    nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    compiled = compiled_models(dbt_dir)
    tables = {unique_id: f"{node['schema']}.{node['name']}" for unique_id, node in nodes.items()}
    queries = {
        tables[unique_id]: compiled[unique_id] for unique_id in _in_order(nodes) if unique_id in compiled
    }
    known = {
        **_control_columns(profile),
        **{f"raw.{feed}": [*raw_columns(contract)] for feed, contract in load_contracts().items()},
        **{f"superseded.{feed}": [*contract.key, "_source"] for feed, contract in load_contracts().items()},
        **_source_columns(path),
        **{
            tables[unique_id]: _header(dbt_dir / node["original_file_path"])
            for unique_id, node in nodes.items()
            if node["resource_type"] == "seed"
        },
        # The one model in Python.
        "kpi.int_measured_effect": [*RESULT],
    }
    shown = {
        tables[unique_id]
        for unique_id, node in asset_manifest(path, INTERMEDIATES)["nodes"].items()
        if node["resource_type"] in ("model", "seed") and node["config"]["materialized"] != "ephemeral"
    }
    by_python = _by_python()
    shown |= {table for table in known if table.startswith("raw.")}
    shown |= {table for table in by_python if table.startswith("identity.")} | {"control.dormancy_fit"}
    return seen_from({**trace(queries, known), **by_python}, shown)


def dictionary_text(dbt_dir: Path) -> str:
    """The data dictionary of the published copy, as Markdown."""
    path = ensure_manifest(dbt_dir)
    tables = [*published_tables(path), *QUALITY_TABLES]
    lines = [_HEAD]
    for schema, about in _SCHEMAS.items():
        lines.append(f"## {schema}\n\n{about}\n")
        lines += [_section(table) for table in tables if table.schema == schema]
    return "\n".join(lines)


def _section(table: PublishedTable) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    dated = f" By date: `{table.date_column}`." if table.date_column else ""
    rows = [
        f"| `{column.name}` | {column.type.upper()} | {_cell(column.comment)} |" for column in table.columns
    ]
    return "\n".join(
        [
            f"### {table.full_name}\n",
            f"{' '.join(table.comment.split())}" + (f" One row per {key}." if key else "") + f"{dated}\n",
            "| column | type | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _in_order(nodes: Mapping[str, Any]) -> Iterator[str]:
    """Models, each after those that it reads."""
    seen: set[str] = set()

    def visit(unique_id: str) -> Iterator[str]:
        node = nodes.get(unique_id)
        if node is None or node["resource_type"] != "model" or unique_id in seen:
            return
        seen.add(unique_id)
        for parent in node["depends_on"]["nodes"]:
            yield from visit(parent)
        yield unique_id

    for unique_id in nodes:
        yield from visit(unique_id)


def _source_columns(manifest: Path) -> dict[str, list[str]]:
    sources = json.loads(manifest.read_text(encoding="utf-8"))["sources"].values()
    return {f"{each['schema']}.{each['name']}": [*each["columns"]] for each in sources if each["columns"]}


def _header(file: Path) -> list[str]:
    with file.open(encoding="utf-8", newline="") as opened:
        return next(csv.reader(opened))


def _control_columns(profile: Profile) -> dict[str, list[str]]:
    """What the steps write for the models, found by writing it."""
    views = {
        **{kind.view: kind.columns for kind in KINDS},
        "recall_touch": TOUCH_COLUMNS,
        "arm_assignment": ASSIGNMENT_COLUMNS,
        "frozen_decision": DECISION_COLUMNS,
        "suppression": SUPPRESSION_COLUMNS,
        "lost_movement": MOVEMENT_COLUMNS,
    }
    day = date(2000, 1, 1)
    with duckdb.connect() as con:
        control.write_profile(con, profile, "any")
        control.write_as_of_window(con, [day])
        control.write_decision_dates(con, [control.DecisionDate(day, False, True, None, control.UNLIMITED)])
        control.write_measured_until(con, day, control.UNLIMITED)
        refresh_superseded(con, Lake(PROJECT_DIR), [], {})
        for name, columns in views.items():
            control.write_parquet_view(con, name, [], columns)
        found = con.execute(
            "select 'control.' || table_name, list(column_name order by column_index) from duckdb_columns() "
            "where schema_name = 'control' group by all"
        ).fetchall()
    return {**dict(found), "control.contact_unit": ["customer_id", "unit_id"]}


def _by_python() -> dict[str, dict[str, list[str]]]:
    """What Python makes of what. The identity graph and the fits look at all that is there at once."""
    fact, told = "identity.account_fact", "identity.identifier"
    person = [f"{fact}.{name}" for name in ("birth_date", "email_form", "name", "phone_form", "sex")]
    carried = [f"{told}.{name}" for name in ("is_verified", "kind", "value")]
    accounts = [f"{fact}.account_id", *person, *carried]
    bought = [
        f"core.int_kept_category_day.{name}"
        for name in ("category", "customer_id", "emptied_on", "purchased_on")
    ]
    earned = [f"core.int_revenue_day.{name}" for name in ("booked_on", "margin_amount")]
    cells = [name for name in CELLS if name in RESULT]
    sums = [name for name in CELLS if name not in ("variant", "kind", "looks")]
    return {
        **{
            f"identity.{table}": dict.fromkeys(names, spelling_columns(table))
            for table, names in FORM_COLUMNS.items()
        },
        "identity.account": {
            **{
                name: [f"{fact}.{name}"]
                for name in ("account_id", "source", "account_key", "opened_at", "is_contact")
            },
            "fact_hash": person,
            "block": [f"{fact}.account_id", *carried],
            "customer_id": accounts,
        },
        "identity.alias": {"alias_id": accounts, "customer_id": accounts, "merged_at": []},
        "identity.link": {
            **{name: [f"{fact}.account_id"] for name in ("account_a", "account_b")},
            **{name: [*person, *carried] for name in ("rule", "kinds", "evidence", "is_applied")},
        },
        "identity.shared_identifier": {
            "kind": [f"{told}.kind"],
            "value": [f"{told}.value"],
            "accounts": [f"{told}.account_id"],
        },
        "control.dormancy_fit": {
            name: [*bought, *earned] if name.startswith("value_") else [] if name in _NOT_FITTED else bought
            for name in KINDS[0].columns
        },
        # Written by the same step from the same purchases.
        **{
            f"control.{kind.view}": {name: [] if name in _NOT_FITTED else bought for name in kind.columns}
            for kind in KINDS[1:]
        },
        "kpi.int_measured_effect": {
            name: [f"kpi.int_experiment_cell.{each}" for each in ([name] if name in cells else sums)]
            for name in RESULT
        },
    }


if __name__ == "__main__":
    main()
