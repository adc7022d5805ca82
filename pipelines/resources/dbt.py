"""dbt, run inside this process.

A dbt subprocess per operation costs its start (imports, parsing) each time; in-process a whole run of 40
models took half the time. dagster-dbt runs subprocesses only, so its event classes are fed here with dbt's
own events. That way in is half-internal: `tests/unit/resources/test_dbt.py` pins it with a real project, and
`pyproject.toml` holds dagster-dbt to one series. dbt itself is imported only when it works (4 s).
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import duckdb
from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetExecutionContext,
    AssetMaterialization,
    AssetObservation,
    ConfigurableResource,
    Failure,
    MetadataValue,
    Output,
)
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import (
    DBT_INDIRECT_SELECTION_ENV,
    DbtCliInvocationPartialParams,
    get_updated_cli_invocation_params_for_context,
)
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from pydantic import Field

from pipelines.account import DBT, spending
from pipelines.checks import dbt_tests
from pipelines.resources.table_metadata import column_metadata, preview
from pipelines.resources.warehouse import Warehouse

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt_common.events.base_types import EventMsg

    from pipelines.settings import Settings

DagsterEvent = Output[Any] | AssetMaterialization | AssetObservation | AssetCheckResult | AssetCheckEvaluation

MANIFEST = "manifest.json"
PARSED = "partial_parse.msgpack"
FINGERPRINT = "winback_fingerprint"
TARGET = "duckdb"
LOG = "dbt.log"

INTERMEDIATE = "int_"
"""How the names of models begin that only other models read."""

_NO_ASSET = "ephemeral"
_SOURCE_SUFFIXES = {".py", ".sql", ".yml", ".yaml", ".csv", ".md"}
_RESULTS = {"LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult"}
_LOGGED = {"info", "warn", "error"}
_TABLES = {"table", "incremental", "seed", "snapshot"}

# Parsing must not depend on the data home, or each home would throw away the other's manifest. Nothing is
# opened while parsing; the file's name gives the database its name.
_PARSE_ENVIRONMENT = {
    "WINBACK_DBT_WAREHOUSE_FILE": "winback.duckdb",
    "WINBACK_DBT_MEMORY_LIMIT": "1GB",
    "WINBACK_DBT_THREADS": "1",
    "WINBACK_DBT_TEMP_DIRECTORY": "tmp",
    "WINBACK_DBT_TIME_ZONE": "UTC",
}

# dbt keeps its flags, adapters and events in globals, so one invocation runs at a time in a process.
_dbt_at_work = threading.Lock()


class DbtParseError(RuntimeError):
    """The dbt project cannot be parsed; the message is dbt's own."""


def ensure_manifest(dbt_dir: Path) -> Path:
    """Path of the project's manifest, parsed anew only when a file of the project has changed.

    The comparison is by content, so a fresh checkout with new file times costs nothing. Safe when two
    processes do it at once.

    Args:
        dbt_dir: folder of `dbt_project.yml`.

    Raises:
        DbtParseError: dbt cannot parse the project.
    """
    target = dbt_dir / "target"
    fingerprint = _fingerprint(dbt_dir)
    if _is_current(target, fingerprint):
        return target / MANIFEST
    target.mkdir(exist_ok=True)
    with (target / ".parse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fingerprint = _fingerprint(dbt_dir)
        if not _is_current(target, fingerprint):
            _parse(dbt_dir, target)
            _replace_text(target / FINGERPRINT, fingerprint)
    return target / MANIFEST


def asset_manifest(manifest: Path, folders: Collection[str]) -> dict[str, Any]:
    """The project as Dagster shows it: intermediates that only their own folder reads are no assets.

    Dagster pays for each asset with a handful of events, and people look for the tables that somebody reads.
    dagster-dbt passes through models that it takes for ephemeral, so that a table keeps the edges to what its
    intermediates read. dbt has the project itself and builds them as tables.

    Args:
        manifest: of the parsed project.
        folders: where intermediates are hidden. Their operations give them to `Dbt.build`, which builds them
            before the table that is materialised alone.
    """
    shown: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    nodes = shown["nodes"]
    readers: dict[str, list[str]] = {unique_id: [] for unique_id in nodes}
    for node in nodes.values():
        for parent in node["depends_on"]["nodes"] if node["resource_type"] == "model" else ():
            readers.setdefault(parent, []).append(node["fqn"][1])
    hidden = {
        unique_id
        for unique_id, node in nodes.items()
        if node["resource_type"] == "model"
        and node["name"].startswith(INTERMEDIATE)
        and node["fqn"][1] in folders
        and set(readers[unique_id]) == {node["fqn"][1]}
    }
    for unique_id in hidden:
        nodes[unique_id]["config"]["materialized"] = _NO_ASSET
    # A check says which assets it compares, and takes them from here.
    shown["parent_map"] = {
        unique_id: [parent for parent in parents if parent not in hidden]
        for unique_id, parents in shown["parent_map"].items()
    }
    return shown


def compiled_models(dbt_dir: Path) -> dict[str, str]:
    """The SQL of every model as it would run, by unique id, without a warehouse. Python models are left out.

    Args:
        dbt_dir: folder of `dbt_project.yml`.

    Raises:
        DbtParseError: dbt cannot parse or compile the project.
    """
    from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415 - see _invoke

    parsed = ensure_manifest(dbt_dir).with_name(PARSED)
    manifest: Any = Manifest.from_msgpack(parsed.read_bytes())
    manifest.build_flat_graph()
    with tempfile.TemporaryDirectory() as folder:
        nowhere = {"WINBACK_DBT_WAREHOUSE_FILE": str(Path(folder) / "winback.duckdb")}
        arguments = ["compile", "--select", "resource_type:model", "--no-write-json", "--no-introspect"]
        with _dbt_at_work, _environment(_PARSE_ENVIRONMENT | nowhere):
            result = _invoke([*arguments, *_arguments(dbt_dir, Path(folder) / "target")], manifest)
    if not result.success:
        raise DbtParseError(f"dbt cannot compile {dbt_dir}: {result.exception}")
    nodes = [each.node for each in _node_results(result)]
    return {node.unique_id: node.compiled_code for node in nodes if node.language == "sql"}


def _is_current(target: Path, fingerprint: str) -> bool:
    try:
        known = (target / FINGERPRINT).read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return known == fingerprint and (target / MANIFEST).is_file() and (target / PARSED).is_file()


def _fingerprint(dbt_dir: Path) -> str:
    digest = hashlib.sha256()
    for package in ("dbt-core", "dbt-duckdb"):
        digest.update(f"{package}={version(package)}\0".encode())
    for path in sorted(_project_files(dbt_dir)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(dbt_dir).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _project_files(dbt_dir: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(dbt_dir):
        top = Path(folder) == dbt_dir
        folders[:] = [f for f in folders if not f.startswith(".") and not (top and f in {"target", "logs"})]
        yield from (Path(folder, name) for name in names if Path(name).suffix in _SOURCE_SUFFIXES)


def _parse(dbt_dir: Path, target: Path) -> None:
    fresh = target / ".parsing"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    if (target / PARSED).exists():  # dbt then parses only what has changed
        shutil.copyfile(target / PARSED, fresh / PARSED)
    try:
        with _dbt_at_work, _environment(_PARSE_ENVIRONMENT):
            result = _invoke(["parse", *_arguments(dbt_dir, fresh)])
        if not result.success:
            raise DbtParseError(f"dbt cannot parse {dbt_dir}: {result.exception}")
        # The old fingerprint goes first: whoever looks between the two renames waits for the lock.
        (target / FINGERPRINT).unlink(missing_ok=True)
        for name in (PARSED, MANIFEST):
            (fresh / name).replace(target / name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _replace_text(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(text, encoding="ascii")
    temporary.replace(path)


def _arguments(dbt_dir: Path, target: Path, name: str = TARGET) -> list[str]:
    return [
        "--project-dir",
        str(dbt_dir),
        "--profiles-dir",
        str(dbt_dir),
        "--target",
        name,
        "--target-path",
        str(target),
        "--log-path",
        str(target),
        # The Dagster log gets the events; dbt's own output would say everything twice. Its file is written by
        # `_Invocation`: dbt composes a line for each of its thousands of events before it looks at the level.
        "--log-level",
        "none",
        "--log-level-file",
        "none",
        "--no-print",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
        "--no-use-colors",
    ]


def invoke_target(
    name: str, command: Sequence[str], dbt_dir: Path, folder: Path, manifest: Any = None
) -> dbtRunnerResult:
    """Run dbt on another target than the warehouse.

    Args:
        name: the target, one of `dbt_project/profiles.yml`.
        command: dbt's command with its own arguments.
        dbt_dir: folder of `dbt_project.yml`.
        folder: where dbt writes what it compiles; its parsed project must not be mixed with another target's.
        manifest: the parsed project, if it is known.
    """
    with _dbt_at_work:
        return _invoke([*command, *_arguments(dbt_dir, folder, name)], manifest)


def _invoke(
    arguments: list[str], manifest: Any = None, callbacks: list[Any] | None = None
) -> dbtRunnerResult:
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - 4 s, and not needed while the manifest is current

    return dbtRunner(manifest=manifest, callbacks=callbacks).invoke(arguments)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """dbt's profile reads the environment, and only that."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@dataclass(frozen=True)
class _Message:
    """What the Dagster side needs of one dbt event."""

    name: str
    level: str
    event: dict[str, Any]


class _Invocation:
    """One `dbt build` in a thread of its own, so that its results reach Dagster while it works."""

    def __init__(self, arguments: list[str], manifest: Any, log: Path) -> None:
        self._queue: SimpleQueue[_Message | None] = SimpleQueue()
        self._arguments = arguments
        self._manifest = manifest
        self._log = log
        self._result: dbtRunnerResult | BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="dbt", daemon=True)

    def messages(self) -> Iterator[_Message]:
        """Run dbt, hand out its results, warnings and errors as they come, and write its log."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        with spending(DBT):
            try:
                while (message := self._queue.get()) is not None:
                    yield message
                self._thread.join()
            finally:
                self._stop()

    def compiled(self, unique_id: str) -> str | None:
        """The SQL that a node ran, once it has run."""
        code: str | None = self._manifest.nodes[unique_id].compiled_code
        return code

    @property
    def result(self) -> dbtRunnerResult:
        """dbt's own result; call after the last message."""
        if self._result is None or isinstance(self._result, BaseException):
            raise Failure("dbt ended without a result") from self._result
        return self._result

    def _work(self) -> None:
        try:
            self._result = _invoke(self._arguments, self._manifest, [self._receive])
        except BaseException as error:  # raised again where the result is asked for
            self._result = error
        finally:
            self._queue.put(None)

    def _receive(self, message: EventMsg) -> None:
        from dbt_common.events.functions import msg_to_dict  # noqa: PLC0415 - see _invoke

        name, level = message.info.name, message.info.level
        if level in _LOGGED:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"{message.info.ts.ToJsonString()} [{level}] {message.info.msg}\n")
        if name in _RESULTS or level in {"warn", "error"}:
            self._queue.put(_Message(name, level, msg_to_dict(message)))

    def _stop(self) -> None:
        """End dbt early, as Ctrl-C does: no further node, and the running statement is interrupted."""
        if not self._thread.is_alive():
            return
        from dbt.adapters.factory import FACTORY  # noqa: PLC0415 - see _invoke

        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(KeyboardInterrupt)
        )
        while self._thread.is_alive():
            for adapter in list(FACTORY.adapters.values()):
                adapter.connections.cancel_open()
            self._thread.join(0.2)


class Dbt(ConfigurableResource):  # type: ignore[type-arg]
    """dbt on the run's warehouse.

    Example:
        >>> @dbt_assets(manifest=ensure_manifest(settings.dbt_dir), select="fqn:winback.core")
        ... def core(context: AssetExecutionContext, dbt: Dbt):
        ...     yield from dbt.build(context)
    """

    dbt_dir: str = Field(description="folder of dbt_project.yml")
    scratch_dir: str = Field(description="folder for the compiled models and logs of each run")
    warehouse: Warehouse = Field(description="the database")

    @classmethod
    def from_settings(cls, settings: Settings, warehouse: Warehouse) -> Dbt:
        """dbt for a data home."""
        return cls(
            dbt_dir=str(settings.dbt_dir), scratch_dir=str(settings.scratch_dir / "dbt"), warehouse=warehouse
        )

    def build(
        self, context: AssetExecutionContext, *, intermediates: str | None = None
    ) -> Iterator[DagsterEvent]:
        """Build what the `@dbt_assets` operation of `context` selects, or the part that the run asks for.

        Args:
            context: of the operation.
            intermediates: dbt selector of models that hold the dates of the last run only, or are no assets
                (see `asset_manifest`). Where a run asks for a part, those of them that the part reads are
                built anew before it, or one table materialised alone would be made of another run's dates.

        Yields each materialisation (with row count and the schema as it really is) and each check result as
        soon as dbt has it. dbt's unit tests belong to the test suite and are left out.

        Raises:
            Failure: a model or a test failed, or nothing was selected. The description names the nodes, dbt's
                messages and the compiled SQL.
        """
        target = Path(self.scratch_dir) / context.run_id / context.op_execution_context.op.name
        parameters = get_updated_cli_invocation_params_for_context(
            context, manifest={}, dagster_dbt_translator=DagsterDbtTranslator()
        )
        selection = [*parameters.selection_args]
        if intermediates and context.is_subset:
            selection = _with_upstream(selection, intermediates)
        arguments = ["build", *selection, "--exclude-resource-type", "unit_test"]
        # The project is parsed and the results come as events: nobody reads what dbt would write down.
        arguments.append("--no-write-json")
        # A test runs with the last of the tables it compares, when those before it are there.
        environment = {**self.warehouse.environment(), DBT_INDIRECT_SELECTION_ENV: "buildable"}
        if parameters.indirect_selection:
            environment[DBT_INDIRECT_SELECTION_ENV] = parameters.indirect_selection
        invocation = _Invocation(
            [*arguments, *_arguments(Path(self.dbt_dir), target)], self._parsed_manifest(), target / LOG
        )
        context.log.info(f"dbt {' '.join(arguments)}")
        # This connection has dbt's configuration and so shares its database. It counts rows, and as long as
        # it is open DuckDB does not close the file and write it out after each model (measured for 27 small
        # tables with 54 tests: 2.5 s instead of 4.0 s).
        built = 0
        with _dbt_at_work, _environment(environment), self.warehouse.connect() as connection:
            for message in invocation.messages():
                _report(context, message)
                if message.name == "LogModelResult" and not _is_asked_for(context, parameters, message):
                    continue
                event = DbtCoreCliEventMessage(raw_event=message.event, event_history_metadata={})
                for dagster_event in event.to_default_asset_events(
                    parameters.manifest, parameters.dagster_dbt_translator, context, target
                ):
                    built += 1
                    if _is_about_a_hidden_model(dagster_event, parameters):
                        continue
                    if isinstance(dagster_event, Output):
                        node = parameters.manifest["nodes"][message.event["data"]["node_info"]["unique_id"]]
                        yield _with_table_metadata(dagster_event, context, connection, node)
                    elif isinstance(dagster_event, AssetCheckResult) and not dagster_event.passed:
                        yield _with_failing_rows(
                            dagster_event, connection, parameters.manifest, invocation, message
                        )
                    else:
                        yield dagster_event
        _raise_on_failure(invocation.result, target)
        if not built:
            raise Failure(f"dbt found nothing to do for: dbt {' '.join(arguments)}")
        shutil.rmtree(target)
        with suppress(OSError):  # another operation of the run failed, and left its folder to be read
            target.parent.rmdir()

    def _parsed_manifest(self) -> Any:
        """The parsed project as dbt's own object: with it dbt neither parses nor compares anything.

        It is read anew for each invocation (.03 s), because dbt writes compiled code into it.
        """
        from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415 - see _invoke

        path = ensure_manifest(Path(self.dbt_dir)).with_name(PARSED)
        manifest: Any = Manifest.from_msgpack(path.read_bytes())
        manifest.build_flat_graph()
        return manifest


def _with_upstream(selection: Sequence[str], selector: str) -> list[str]:
    """The selection with whatever it reads of the selector's models.

    >>> _with_upstream(["--select", "fqn:winback.marts.a fqn:winback.marts.b"], "fqn:winback.marts.int_*")[1]
    'fqn:winback.marts.a fqn:winback.marts.b +fqn:winback.marts.a,fqn:winback.marts.int_* \
+fqn:winback.marts.b,fqn:winback.marts.int_*'
    """
    place = list(selection).index("--select") + 1
    chosen = selection[place].split(" ")
    upstream = [f"+{each},{selector}" for each in chosen]
    return [*selection[:place], " ".join([*chosen, *upstream]), *selection[place + 1 :]]


def _is_asked_for(
    context: AssetExecutionContext, parameters: DbtCliInvocationPartialParams, message: _Message
) -> bool:
    """Did the run ask for the asset, or was it only built because another one reads it?"""
    unique_id = message.event["data"]["node_info"]["unique_id"]
    if parameters.manifest["nodes"][unique_id]["config"]["materialized"] == _NO_ASSET:
        return False
    key = parameters.dagster_dbt_translator.get_asset_spec(parameters.manifest, unique_id, None).key
    return key in context.selected_asset_keys


def _is_about_a_hidden_model(event: DagsterEvent, parameters: DbtCliInvocationPartialParams) -> bool:
    """Is it what dagster-dbt observes of a test of a model that is no asset? The run fails by it anyway."""
    if not isinstance(event, AssetObservation):
        return False
    return event.asset_key in {
        parameters.dagster_dbt_translator.get_asset_key(node)
        for node in parameters.manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["materialized"] == _NO_ASSET
    }


def _report(context: AssetExecutionContext, message: _Message) -> None:
    text = message.event["info"]["msg"].strip()
    if message.level == "error":
        context.log.error(text)
    elif message.level == "warn":
        context.log.warning(text)
    elif message.name == "LogModelResult":
        context.log.info(text)


def _dates(context: AssetExecutionContext) -> Sequence[str]:
    return context.partition_keys if context.has_partition_key else ()


def _with_table_metadata(
    output: Output[Any],
    context: AssetExecutionContext,
    connection: duckdb.DuckDBPyConnection,
    node: Mapping[str, Any],
) -> Output[Any]:
    defined = context.assets_def.metadata_by_key[context.asset_key_for_output(output.output_name)]
    described = column_metadata(connection, node["schema"], node["alias"], defined)
    metadata: dict[str, Any] = {**output.metadata, **described}
    if node["config"]["materialized"] in _TABLES:
        metadata["dagster/row_count"] = _count(connection, node["relation_name"])
        # With several partitions in one run the count of their sum would be shown for each of them.
        dates, columns = _dates(context), described["dagster/column_schema"].columns
        if len(dates) == 1 and any(column.name == "as_of_date" for column in columns):
            metadata["dagster/partition_row_count"] = _count(connection, node["relation_name"], dates[0])
    if published := published_columns(node):
        rows = preview(
            connection, node["relation_name"], published, node["config"]["meta"].get("date_column")
        )
        metadata |= {} if rows is None else {"preview": rows}
    return output.with_metadata(metadata)


def published_columns(node: Mapping[str, Any]) -> list[str]:
    """The columns of a model that analysts get, who get nothing personal; none where they don't get it."""
    if not node["config"].get("meta", {}).get("published"):
        return []
    return [
        name
        for name, column in node["columns"].items()
        if column["config"].get("meta", {}).get("published", True)
    ]


def _with_failing_rows(
    result: AssetCheckResult,
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    invocation: _Invocation,
    message: _Message,
) -> AssetCheckResult:
    """The result of a failed test, with rows that fail it and what to do."""
    unique_id = message.event["data"]["node_info"]["unique_id"]
    test, remedy = manifest["nodes"][unique_id], dbt_tests.remedy(manifest["nodes"][unique_id])
    metadata: dict[str, Any] = {**result.metadata, "what_to_do": remedy}
    query = invocation.compiled(unique_id)
    # Of the tables it reads: what analysts get, and the policy, which holds nobody's data.
    open_columns = set(test["config"].get("meta", {}).get("shown", ()))
    for parent in test["depends_on"]["nodes"]:
        node = manifest["nodes"].get(parent)
        if node is not None:
            open_columns.update(
                node["columns"] if node["resource_type"] == "seed" else published_columns(node)
            )
    if query is not None and str(message.event["data"]["status"]) == "fail":
        rows = dbt_tests.failing_rows(connection, query, test, open_columns)
        metadata["failing_rows"] = MetadataValue.json(rows)
    return AssetCheckResult(
        passed=result.passed,
        asset_key=result.asset_key,
        check_name=result.check_name,
        severity=result.severity,
        metadata=metadata,
        description=f"{test['name']} failed: {dbt_tests.guards(test)} Remedy: {remedy}",
    )


def _count(connection: duckdb.DuckDBPyConnection, relation: str, date: str | None = None) -> int:
    where, values = ("", []) if date is None else (" where as_of_date = cast(? as date)", [date])
    row = connection.execute(f"select count(*) from {relation}{where}", values).fetchone()
    return int(row[0]) if row else 0


def _raise_on_failure(result: dbtRunnerResult, target: Path) -> None:
    if result.success:
        return
    if result.exception is not None:
        raise Failure(f"dbt: {result.exception}", metadata={"log": MetadataValue.path(target / LOG)})
    failed = [r for r in _node_results(result) if str(r.status) in {"error", "fail", "runtime error"}]
    lines = [_describe(r) for r in failed] or ["dbt failed without naming a node"]
    raise Failure(
        "\n".join(lines),
        metadata={
            "nodes": MetadataValue.json([r.node.unique_id for r in failed]),
            "log": MetadataValue.path(target / LOG),
        },
    )


def _node_results(result: dbtRunnerResult) -> Iterable[Any]:
    return getattr(result.result, "results", None) or ()


def _describe(result: Any) -> str:
    node = result.node
    compiled = getattr(node, "compiled_path", None)
    where = f"; compiled SQL: {compiled}" if compiled else ""
    return (
        f"{node.resource_type} {node.name} ({node.original_file_path}): {str(result.message).strip()}{where}"
    )
