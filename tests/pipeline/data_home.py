"""A shop and a data home, and how a test or a person runs them."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterInstance
from small_shop import SmallShop

from pipelines.build import build_definitions
from pipelines.cli import main
from pipelines.resources.instance import prepare_home
from pipelines.settings import PROJECT_DIR, Settings, load_settings

JOURNAL_TABLES = {"quality.gate_results"}
"""Tables that tell of runs, not of the shop: equal runs differ in them by run id and time."""


@dataclass
class Home:
    """A shop and a data home."""

    shop: SmallShop
    path: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a person would export before the command."""
        return {
            "WINBACK_PROFILE": str(self.shop.profile),
            "WINBACK_DATA_DIR": str(self.path),
            "WINBACK_THREADS": "2",
            "WINBACK_MEMORY_LIMIT": "1GB",
            # What the tests write, they have finished writing.
            "WINBACK_SETTLE_SECONDS": "0",
            # Two homes that did the same have the same keys.
            "WINBACK_PRIVATE_KEY": "0" * 64,
        }

    @property
    def settings(self) -> Settings:
        return load_settings(self.environment)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pipelines.cli", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command in a process of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=PROJECT_DIR,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> int:
        """`winback run` in this process, which has paid for the imports already; its exit status."""
        return self.winback("run", *arguments)

    def winback(self, *arguments: str) -> int:
        """The command in this process; its exit status."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setenv("DAGSTER_HOME", "")
            return main(list(arguments))

    def build(self, *groups: str, day: date | None = None) -> None:
        """Materialise the assets of these groups, without their gates; those of dates for this one."""
        prepare_home(self.settings)
        definitions = build_definitions(self.settings)
        nodes = definitions.resolve_asset_graph().asset_nodes
        job = definitions.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection={node.key for node in nodes if node.group_name in groups},
            asset_check_selection=set(),
        )
        with DagsterInstance.ephemeral() as instance:
            tags = {} if day is None else {"dagster/partition": str(day)}
            job.execute_in_process(instance=instance, tags=tags, run_config={"loggers": {"console": {}}})

    def core(self) -> dict[str, list[tuple]]:
        """All rows of the core tables, in a stable order."""
        with duckdb.connect(str(self.settings.warehouse_file), read_only=True) as con:
            names = con.execute(
                "select table_name from duckdb_tables() where schema_name = 'core' order by all"
            ).fetchall()
            return {
                name: con.execute(f"select * from core.{name} order by all").fetchall() for (name,) in names
            }

    def copy(self, path: Path) -> "Home":
        """The same shop with a copy of the data home."""
        shutil.copytree(self.path, path)
        return Home(self.shop, path)

    def published(self) -> duckdb.DuckDBPyConnection:
        """A plain client's read-only connection to the published copy."""
        return duckdb.connect(str(self.settings.published_file), read_only=True)

    def tables(self) -> dict[str, list[tuple]]:
        """All rows of all published tables that tell of the shop, in a stable order."""
        with self.published() as con:
            names = [
                f"{schema}.{table}"
                for schema, table in con.execute(
                    "select schema_name, table_name from duckdb_tables() order by all"
                ).fetchall()
            ]
            return {
                name: con.execute(f"select * from {name} order by all").fetchall()
                for name in names
                if name not in JOURNAL_TABLES
            }

    def work(self) -> dict[str, list[tuple]]:
        """As `tables`, without what differs between two homes that did the same: run ids, and when."""
        with self.published() as con:
            return {
                name: con.execute(
                    f"select columns(name -> name not in ('run_id', 'ingested_at')) from {name} order by all"
                ).fetchall()
                for name in self.tables()
            }

    def exports(self) -> dict[str, bytes]:
        """All exported files, byte by byte."""
        folder = self.settings.audiences_dir
        return {
            str(file.relative_to(folder)): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
