"""What every asset shows beside what its own module says: columns, their lineage, and where to read on."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BetaWarning,
    CodeReferencesMetadataValue,
    LocalFileCodeReference,
    MetadataValue,
    TableColumn,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
)

from pipelines.checks.suites import EXPECTATIONS_DIR
from pipelines.columns import Column, described_columns, read_lineage
from pipelines.feeds.contract import load_contracts
from pipelines.settings import PROJECT_DIR, Settings

DOCS_DIR = PROJECT_DIR / "docs"

_PAGES = {
    "raw": "data-engineer.md",
    "policy": "marketer.md",
    "staging": "data-engineer.md",
    "identity": "identity.md",
    "core": "data-dictionary.md",
    "dormancy": "dormancy.md",
    "marts": "data-dictionary.md",
    "activation": "policy.md",
    "audiences": "exports.md",
    "kpi": "measurement.md",
    "published": "analyst.md",
    "reports": "report.md",
    "privacy": "privacy.md",
}
_OWN_PAGES = {
    "policy/reason": "reasons.md",
    "policy/reason_rule": "reasons.md",
    "policy/survey_answer": "reasons.md",
    "policy/survivorship": "identity.md",
    "marts/customer_dormancy": "dormancy.md",
    "marts/dormancy_model": "dormancy.md",
    "marts/dormancy_model_calibration": "dormancy.md",
    "marts/dormancy_model_evaluation": "dormancy.md",
    "marts/dormancy_reason": "reasons.md",
    "marts/recommendation": "recommendations.md",
    "audiences/scrub": "scrub.md",
    "reports/run_summary": "operations.md",
}
_INDEX = "README.md"


def table_columns(settings: Settings, manifest: Path) -> dict[str, list[Column]]:
    """The columns of every table, by `schema.table`, described."""
    feeds = {
        feed: {column.name: column.description for column in contract.columns}
        for feed, contract in load_contracts().items()
    }
    project = json.loads(manifest.read_text(encoding="utf-8"))
    return described_columns(project, feeds, read_lineage(settings.dbt_dir))


def documented(
    settings: Settings, columns: Mapping[str, Sequence[Column]], *assets: AssetsDefinition
) -> list[AssetsDefinition]:
    """The assets with a link to their page and, where they are tables, with columns and their lineage.

    Args:
        settings: where the dbt project is, and where the documents are served.
        columns: as `table_columns` gives them.
        assets: the assets; the key of a table is its name in the warehouse.
    """
    # A click in the UI opens the file; beta for long, and the test of the definitions watches it.
    warnings.filterwarnings("ignore", category=BetaWarning, message=".*CodeReference.*")
    models = {file.stem: file for file in sorted((settings.dbt_dir / "models").rglob("*.sql"))}

    def with_metadata(spec: AssetSpec) -> AssetSpec:
        table = ".".join(spec.key.path)
        page = _page(spec)
        files = {f"docs/{page}": DOCS_DIR / page}
        if spec.key.path[-1] in models and "dagster_dbt/unique_id" in spec.metadata:
            model = models[spec.key.path[-1]]
            files[str(model.relative_to(settings.dbt_dir))] = model
        suite = EXPECTATIONS_DIR / Path(*spec.key.path).with_suffix(".yaml")
        if suite.exists():
            files[f"expectations/{'/'.join(spec.key.path)}.yaml"] = suite
        return spec.merge_attributes(
            metadata={
                "docs": _link(page, settings.docs_url),
                "dagster/code_references": CodeReferencesMetadataValue(
                    code_references=[
                        LocalFileCodeReference(file_path=str(file), label=label)
                        for label, file in files.items()
                    ]
                ),
                **(column_metadata(columns[table], _types(spec)) if table in columns else {}),
            }
        )

    return [each.map_asset_specs(with_metadata) for each in assets]


def column_metadata(columns: Sequence[Column], types: Mapping[str, str]) -> dict[str, Any]:
    """Schema and lineage of a table as Dagster shows them.

    Args:
        columns: of the table.
        types: DuckDB types by column, as far as they are known before the table is made.
    """
    metadata: dict[str, Any] = {
        "dagster/column_schema": TableSchema(
            columns=[
                TableColumn(each.name, types.get(each.name, "?"), description=each.description)
                for each in columns
            ]
        )
    }
    lineage = {
        each.name: [
            TableColumnDep(asset_key=AssetKey(parent.split(".")[:2]), column_name=parent.split(".")[2])
            for parent in each.parents
        ]
        for each in columns
        if each.parents
    }
    if lineage:
        metadata["dagster/column_lineage"] = TableColumnLineage(lineage)
    return metadata


def _page(spec: AssetSpec) -> str:
    page = _OWN_PAGES.get(spec.key.to_user_string()) or _PAGES.get(spec.group_name or "", _INDEX)
    return page if (DOCS_DIR / page).exists() else _INDEX


def _link(page: str, docs_url: str | None) -> MetadataValue:
    return (
        MetadataValue.path(DOCS_DIR / page) if docs_url is None else MetadataValue.url(f"{docs_url}/{page}")
    )


def _types(spec: AssetSpec) -> dict[str, str]:
    schema = spec.metadata.get("dagster/column_schema")
    return {} if schema is None else {column.name: column.type for column in schema.columns}
