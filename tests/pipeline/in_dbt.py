"""dbt in this process, on a warehouse that a test has to itself."""

from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

from pipelines.resources.dbt import PARSED, ensure_manifest
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import PROJECT_DIR

DBT_DIR = PROJECT_DIR / "dbt_project"


def dbt(warehouse: Warehouse, target: Path, *arguments: str) -> dbtRunnerResult:
    """dbt in this process on a warehouse; its result."""
    manifest = Manifest.from_msgpack(ensure_manifest(DBT_DIR).with_name(PARSED).read_bytes())
    manifest.build_flat_graph()
    places = {"--project-dir": DBT_DIR, "--profiles-dir": DBT_DIR}
    places |= {"--target-path": target, "--log-path": target}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in warehouse.environment().items():
            patch.setenv(name, value)
        return dbtRunner(manifest=manifest).invoke(
            [*arguments, "--quiet", *(str(part) for place in places.items() for part in place)]
        )
