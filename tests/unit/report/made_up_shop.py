"""The published database of a made-up shop, and one without any rows."""

from pathlib import Path

import duckdb
import yaml

from pipelines.checks.verdicts import COLUMNS
from pipelines.feeds.raw import INGESTION_COLUMNS
from pipelines.settings import PROJECT_DIR

HERE = Path(__file__).parent
SCHEMAS = ("core", "marts", "activation", "kpi", "quality")


def create(file: Path, *, is_empty: bool = False) -> None:
    """An empty published database with the columns that the dbt contracts promise, and the shop's rows."""
    with duckdb.connect(file) as con:
        for schema in SCHEMAS:
            con.execute(f"create schema {schema}")
        for yml in sorted((PROJECT_DIR / "dbt_project" / "models").glob("*/_*__models.yml")):
            for model in yaml.safe_load(yml.read_text(encoding="utf-8"))["models"]:
                columns = [
                    f'"{column["name"]}" {column["data_type"]}'
                    for column in model.get("columns", [])
                    if "data_type" in column
                ]
                if columns and yml.parent.name in SCHEMAS:
                    con.execute(f"create table {yml.parent.name}.{model['name']} ({', '.join(columns)})")
        for table, columns_of in (("gate_results", COLUMNS), ("ingestions", INGESTION_COLUMNS)):
            columns = [f"{name} {kind}" for name, (kind, _) in columns_of.items()]
            con.execute(f"create table quality.{table} ({', '.join(columns)})")
        if not is_empty:
            con.execute((HERE / "published.sql").read_text(encoding="utf-8"))
