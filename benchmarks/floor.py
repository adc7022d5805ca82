"""The floor under the daily job: one plain DuckDB script that reads the same files, computes the same tables
and writes them: `python benchmarks/floor.py --landing … --template … --out …`.

What it shares with the product: the SQL of the models as dbt compiles it, the conversions and rules of the
feeds, the normal forms, the identity graph, the weekly fit and the judgement of effects; so the tables are
the same (`tests/pipeline/test_floor.py`). What it leaves out: Dagster and its event log, dbt, gates and
tests, accounting of rows and quarantine (a bad row is filtered), hashes of files and the lake's ingestions,
audiences and what was sent, history, the checks and the atomic change of the analysts' copy, the report. A
floor of SQL written by hand for fewer tables would be lower.

Not counted is the preparation: the compiled models (`--plan`, made by `--prepare`), and the template, a home
in which the product ran a tiny demo shop for the same date. Of it the policy's tables are copied, and what
`control` says of the profile and the date.

Prints a line per stage as a run does, and at the end a line of JSON: seconds per stage and model, rows per
stage, bytes written, peak memory, bytes spilled.
"""

import argparse
import csv
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from graphlib import TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from watching import folder_bytes

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from pipelines.feeds.contract import Column, FeedContract, load_contracts  # noqa: E402 - found beside this folder
from pipelines.feeds.conversion import converted, default_literal, future_rule, present, value_rules  # noqa: E402
from pipelines.feeds.encodings import MARK, open_bytes, transcode  # noqa: E402
from pipelines.feeds.source_settings import FileSource  # noqa: E402
from pipelines.feeds.sql import identifier, identifiers, literal, path_literal  # noqa: E402
from pipelines.settings import Profile, load_profile  # noqa: E402

DATABASE = "winback"
"""The compiled models name it, and a database is called after its file."""

CONTROL = (
    "as_of_window",
    "attribution_window",
    "decision_date",
    "feed_limit",
    "measured_until",
    "private_key",
    "profile",
    "smallest_effect",
)
"""What `control` says of the profile and the date; its other tables are made here, or empty in a new home."""

_POLL_SECONDS = 0.5
_LINE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Model:
    """A dbt model as a statement.

    Attributes:
        name, schema, folder: of the table and its file.
        kind: table, view or python.
        sql: compiled; of a Python model the path of its file.
        hooks: statements that follow it.
    """

    name: str
    schema: str
    folder: str
    kind: str
    sql: str
    hooks: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Plan:
    """What is prepared: the models, each after those it reads, and the published tables' columns."""

    models: tuple[Model, ...]
    published: dict[str, dict[str, str]]

    def save(self, file: Path) -> None:
        """Writes it as JSON."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> "Plan":
        """Reads what `save` wrote."""
        found = json.loads(file.read_text(encoding="utf-8"))
        return cls(tuple(Model(**each) for each in found["models"]), found["published"])


@dataclass
class Measured:
    """What the run came to; rows by stage, seconds by stage and by model."""

    seconds: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    models: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a stage and prints its line."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 2)
        print(
            f"{time.strftime('%H:%M:%S')}  {name:<30} done   {self.seconds[name]:6.1f} s",
            file=sys.stderr,
            flush=True,
        )


def prepare() -> Plan:
    """Compiles the project, as for a first run."""
    from model_sql import Models  # noqa: PLC0415 - dbt and Dagster are slow to import, and not counted

    from pipelines.assets.publish import published_tables  # noqa: PLC0415
    from pipelines.resources.dbt import compiled_models, ensure_manifest  # noqa: PLC0415

    dbt_dir = PROJECT / "dbt_project"
    compiled = compiled_models(dbt_dir)
    manifest = ensure_manifest(dbt_dir)
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    models = {key: node for key, node in sorted(nodes.items()) if node["resource_type"] == "model"}
    reads = {key: sorted(set(node["depends_on"]["nodes"]) & set(models)) for key, node in models.items()}
    names = {node["name"]: f"{node['schema']}.{node['name']}" for node in nodes.values()}
    rendered = Models("main", names)
    ordered = []
    for key in TopologicalSorter(reads).static_order():
        node = models[key]
        is_python = node["language"] == "python"
        folder = str(node["fqn"][1])
        hooks = rendered.hooks(f"{folder}/{node['name']}", names[node["name"]]) if _hooks(node) else ()
        ordered.append(
            Model(
                name=node["name"],
                schema=node["schema"],
                folder=folder,
                kind="python"
                if is_python
                else "view"
                if node["config"]["materialized"] == "view"
                else "table",
                sql=node["original_file_path"] if is_python else compiled[key],
                hooks=tuple(hooks),
            )
        )
    published = {
        table.full_name: {column.name: column.type for column in table.columns}
        for table in published_tables(manifest)
    }
    return Plan(tuple(ordered), published)


def _hooks(node: Mapping[str, Any]) -> bool:
    return bool(node["config"].get("post-hook"))


def run(
    plan: Plan, profile: Profile, landing: Path, template: Path, out: Path, *, memory_limit: str, threads: int
) -> Measured:
    """Makes all published tables as Parquet files in `out`.

    Args:
        plan: the compiled models.
        profile: of the demo shop.
        landing: the shop's files.
        template: the warehouse of a home in which a shop of the same profile was run for the date.
        out: an empty folder; gets the database and `published/`.
        memory_limit: of DuckDB.
        threads: of DuckDB.
    """
    measured = Measured()
    config: dict[str, Any] = {
        "memory_limit": memory_limit,
        "threads": str(threads),
        "temp_directory": str(out / "spill"),
        "autoinstall_known_extensions": "false",
    }
    with duckdb.connect(str(out / f"{DATABASE}.duckdb"), config=config) as con:
        con.execute("set global TimeZone = ?", [profile.time_zone])
        con.execute("set enable_progress_bar = false")
        for name in sorted(
            {model.schema for model in plan.models} | {"raw", "superseded", "control", "policy"}
        ):
            con.execute(f"create schema if not exists {name}")
        _copy_template(con, template)
        with measured.stage("read"):
            measured.rows["read"] = read_feeds(con, profile, landing)
        _build(con, plan, profile, out, measured)
        with measured.stage("write"):
            measured.rows["write"] = _write(con, plan.published, out / "published")
    return measured


def _copy_template(con: duckdb.DuckDBPyConnection, template: Path) -> None:
    con.execute(f"attach {path_literal(template)} as template (read_only)")
    tables = con.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'template' "
        "and schema_name in ('policy', 'control') union all "
        "select schema_name, view_name from duckdb_views() where database_name = 'template' "
        "and schema_name = 'control' order by all"
    ).fetchall()
    for schema, table in tables:
        rows = "" if schema == "policy" or table in CONTROL else "limit 0"
        con.execute(f"create table {schema}.{table} as from template.{schema}.{table} {rows}")
    con.execute("detach template")


def read_feeds(con: duckdb.DuckDBPyConnection, profile: Profile, landing: Path) -> int:
    """Fills `raw` with the newest good row of each key; returns how many rows there are.

    Per file one conversion and one select, then one window per feed over the keys that stand twice.
    """
    rows = 0
    for feed, contract in load_contracts().items():
        typed = ", ".join(f"{identifier(column.name)} {column.sql_type}" for column in contract.columns)
        con.execute(
            f"create table raw.{feed} ({typed}, _ingestion_id varchar, _source varchar, _line bigint)"
        )
        con.execute(
            f"create table superseded.{feed} as select {identifiers(contract.key)}, _source from raw.{feed}"
        )
        if feed not in profile.feeds:
            continue
        for file in _files(profile, feed, landing):
            _read_file(con, profile, contract, file, label=file.relative_to(landing).as_posix())
        rows += _keep_newest(con, contract)
    return rows


def _files(profile: Profile, feed: str, landing: Path) -> list[Path]:
    source = profile.feeds[feed].source
    if not isinstance(source, FileSource) or profile.feeds[feed].query:
        raise ValueError(f"{profile.file}: {feed}: the floor reads files, without a query")
    patterns = [path.removeprefix("landing/") for path in source.paths]
    return [file for pattern in patterns for file in sorted(landing.glob(pattern))]


def _read_file(
    con: duckdb.DuckDBPyConnection, profile: Profile, contract: FeedContract, file: Path, *, label: str
) -> None:
    binding = profile.feeds[contract.feed]
    source = binding.source
    assert isinstance(source, FileSource)
    with TemporaryDirectory(dir=_spill(con)) as folder:
        path, wrong = file, False
        if source.encoding != "utf-8" and file.suffix != ".xlsx":
            path = Path(folder, "text.csv")
            wrong = transcode(file, source.encoding, path)
        relation = _relation(con, source, file, path, list(binding.columns.values()))
        if wrong:
            names = [row[0] for row in con.execute(f"describe {relation}").fetchall() if row[0] != "_line"]
            is_marked = f"contains(concat({identifiers(names)}), {literal(MARK)})"
            relation = f"select * from ({relation}) where not {is_marked}"
        _convert(con, profile, contract, relation)
    good = _good_rows(profile, contract)
    con.execute(
        f"insert into raw.{contract.feed} by name select *, {literal(label)} as _source from ({good})"
    )
    con.execute("drop table typed")


def _spill(con: duckdb.DuckDBPyConnection) -> str:
    row = con.execute("select current_setting('temp_directory')").fetchone()
    assert row is not None
    Path(row[0]).mkdir(parents=True, exist_ok=True)
    return str(row[0])


def _relation(
    con: duckdb.DuckDBPyConnection, source: FileSource, file: Path, path: Path, mapped: Sequence[str]
) -> str:
    """A file's rows as they stand there, with the number of each."""
    packed = "gzip" if path.suffix == ".gz" else "none"
    numbered = "row_number() over () as _line"
    match source.format_of(file):
        case "parquet":
            return f"select *, {numbered} from read_parquet({path_literal(path)})"
        case "jsonl":
            keys = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in mapped)
            return (
                f"select *, {numbered} from read_json({path_literal(path)}, columns = {{{keys}}}, "
                f"format = 'newline_delimited', ignore_errors = true, maximum_object_size = {_LINE_BYTES}, "
                f"compression = 'auto_detect')"
            )
        case "xlsx":
            import polars as pl  # noqa: PLC0415 - for the one small workbook

            con.register("workbook", pl.read_excel(path, read_options={"dtypes": "string"}).to_arrow())
            return f"select *, {numbered} from workbook"
        case file_format:
            delimiter = source.delimiter or ("\t" if file_format == "tsv" else ",")
            quote = literal(source.quote)
            nulls = ", ".join(literal(text) for text in ("", *source.null_values))
            types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in _header(path, delimiter))
            return (
                f"select *, {numbered} from read_csv({path_literal(path)}, header = true, "
                f"delim = {literal(delimiter)}, quote = {quote}, escape = {quote}, nullstr = [{nulls}], "
                f"auto_detect = false, columns = {{{types}}}, compression = '{packed}', "
                f"ignore_errors = true, max_line_size = {_LINE_BYTES}, buffer_size = {2 * _LINE_BYTES})"
            )


def _header(path: Path, delimiter: str) -> list[str]:
    with open_bytes(path) as content:
        first = content.readline().decode("utf-8-sig")
    return next(csv.reader([first], delimiter=delimiter))


def _convert(con: duckdb.DuckDBPyConnection, profile: Profile, contract: FeedContract, relation: str) -> None:
    """Fills `typed`: the mapped values in the contract's types, and whether a row could not be converted.

    A table of its own: conditions on what is converted would be pushed down, and each convert it once more.
    """
    binding = profile.feeds[contract.feed]
    given = {row[0].lower(): row[0] for row in con.execute(f"describe {relation}").fetchall()}
    mapped = ", ".join(
        f"({identifier(given[text.lower()]) if text.lower() in given else text}) as {identifier(name)}"
        for name, text in binding.columns.items()
    )
    source = f"with mapped as (select {mapped}, _line from ({relation}))"
    kinds = dict(row[:2] for row in con.execute(f"describe {source} from mapped").fetchall())
    values = {
        column.name: converted(
            column,
            present(f"mapped.{identifier(column.name)}", kinds[column.name]),
            kinds[column.name],
            binding.source,
            profile.time_zone,
        )
        for column in contract.columns
        if column.name in binding.columns
    }
    conversions = ", ".join(f"{value} as {_typed(name)}" for name, value in values.items())
    not_converted = [
        f"({present(f'mapped.{identifier(name)}', kinds[name])} is not null and {_typed(name)} is null)"
        for name in values
        if contract.column(name).type != "text"
    ]
    unwanted = [f"({rule.when})" for rule in binding.reject] + not_converted
    con.execute(
        f"""
        create temp table typed as
        {source},
        converted as (select *, {conversions} from mapped)
        select {", ".join(map(_typed, values))}, _line,
            {" or ".join(f"{condition} is true" for condition in unwanted) or "false"} as is_unwanted
        from converted as mapped
        """
    )


def _good_rows(profile: Profile, contract: FeedContract) -> str:
    """The rows of `typed` that break none of the profile's and the contract's rules."""
    mapped = profile.feeds[contract.feed].columns
    filled = ", ".join(_filled(column, column.name in mapped) for column in contract.columns)
    rules = [*value_rules(contract), *future_rule(contract, profile.latest_event, profile.time_zone)]
    return f"""
        with filled as (select {filled}, _line from typed where not is_unwanted)
        from filled
        where {" and ".join(f"({rule.condition}) is not true" for rule in rules)}
    """


def _typed(name: str) -> str:
    return identifier(f"typed {name}")


def _filled(column: Column, is_mapped: bool) -> str:
    value = _typed(column.name) if is_mapped else "null"
    filled = f"coalesce({value}, {default_literal(column)})"
    return f"cast({filled} as {column.sql_type}) as {identifier(column.name)}"


def _keep_newest(con: duckdb.DuckDBPyConnection, contract: FeedContract) -> int:
    table, key = f"raw.{contract.feed}", identifiers(contract.key)
    newer = [name for name in (contract.version, contract.event_time) if name is not None]
    order = ", ".join(
        [*(f"{identifier(name)} desc nulls last" for name in newer), "_source desc", "_line desc"]
    )
    con.execute(
        f"""
        delete from {table} where rowid in (
            select rowid from {table}
            where hash({key}) in (select hash({key}) as h from {table} group by h having count(*) > 1)
            qualify row_number() over (partition by {key} order by {order}) > 1
        )
        """
    )
    return _count(con, table)


def _build(
    con: duckdb.DuckDBPyConnection, plan: Plan, profile: Profile, out: Path, measured: Measured
) -> None:
    """All models, and between them what is no SQL."""
    from pipelines.activation.units import write_contact_units  # noqa: PLC0415 - each stage imports its own
    from pipelines.identity.forms import update_forms  # noqa: PLC0415

    def models(*folders: str) -> None:
        for model in plan.models:
            if model.folder in folders:
                _make(con, model, measured)
        schemas = sorted({model.schema for model in plan.models if model.folder in folders})
        measured.rows[folders[0]] = _rows_of(con, schemas)

    with measured.stage("normal_forms"):
        forms = update_forms(
            con,
            region=profile.region,
            placeholder_phones=profile.identity.placeholder_phones,
            placeholder_emails=profile.identity.placeholder_emails,
        )
        measured.rows["normal_forms"] = sum(forms.values())
    with measured.stage("staging"):
        models("staging", "identity")
        # They are views: what they read counts.
        measured.rows["staging"] = measured.rows["read"]
    with measured.stage("identity"):
        measured.rows["identity"] = _resolve(con, profile, out)
    with measured.stage("core"):
        models("core")
    with measured.stage("dormancy_fit"):
        _fit(con, profile, out)
    with measured.stage("marts"):
        models("marts")
    with measured.stage("activation"):
        write_contact_units(con)
        models("activation")
    with measured.stage("kpi"):
        models("kpi")


def _make(con: duckdb.DuckDBPyConnection, model: Model, measured: Measured) -> None:
    start = time.monotonic()
    if model.kind == "python":
        _call(con, PROJECT / "dbt_project" / model.sql).create(model.full_name)
    else:
        con.execute(f"create {model.kind} {model.full_name} as {model.sql}")
    for hook in model.hooks:
        con.execute(hook)
    measured.models[model.full_name] = round(time.monotonic() - start, 3)


class _DbtOfPythonModel:
    """What a Python model is given in place of dbt."""

    def __init__(self, con: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._con = con
        self._schema = schema

    def config(self, **_: object) -> None:
        """Says how dbt is to keep the table: as one, which is so here."""

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        """A table of the model's own schema."""
        return self._con.table(f"{self._schema}.{name}")


def _call(con: duckdb.DuckDBPyConnection, file: Path) -> duckdb.DuckDBPyRelation:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    relation: duckdb.DuckDBPyRelation = module.model(_DbtOfPythonModel(con, file.parent.name), con)
    return relation


def _resolve(con: duckdb.DuckDBPyConnection, profile: Profile, out: Path) -> int:
    from pipelines.identity.ledger import Ledger  # noqa: PLC0415
    from pipelines.identity.resolve import resolve  # noqa: PLC0415
    from pipelines.identity.rules import IdentityRules  # noqa: PLC0415

    return resolve(
        con,
        Ledger(out / "ledger"),
        accounts="identity.account_fact",
        identifiers="identity.identifier",
        instructions=[],
        rules=IdentityRules(max_accounts=profile.identity.caps),
        run_id="floor",
        recorded_at=datetime.now(UTC).isoformat(),
    ).accounts


def _fit(con: duckdb.DuckDBPyConnection, profile: Profile, out: Path) -> None:
    from pipelines import control  # noqa: PLC0415
    from pipelines.dormancy.fits import FitRules, fit_dormancy  # noqa: PLC0415
    from pipelines.dormancy.histories import Bounds  # noqa: PLC0415
    from pipelines.dormancy.store import KINDS, FitStore  # noqa: PLC0415
    from pipelines.dormancy.tuned_x import fit_date  # noqa: PLC0415

    chosen = profile.dormancy
    bounds = Bounds(chosen.min_horizon_days, chosen.max_horizon_days, chosen.activity_x_days)
    rules = FitRules(chosen.min_category_customers, bounds, chosen.theta)
    days: list[date] = [
        row[0] for row in con.execute("select unnest(as_of_dates) from control.as_of_window").fetchall()
    ]
    store = FitStore(out)
    for fitted_on in sorted({fit_date(day - timedelta(days=eve)) for day in days for eve in (0, 1)}):
        store.save(fit_dormancy(con, fitted_on, rules))
    for kind in KINDS:
        con.execute(f"drop table if exists control.{kind.view}")
        control.write_parquet_view(con, kind.view, store.files(kind), kind.columns)


def _write(con: duckdb.DuckDBPyConnection, published: Mapping[str, Mapping[str, str]], folder: Path) -> int:
    folder.mkdir()
    rows = 0
    for table, columns in published.items():
        typed = ", ".join(
            f"cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in columns.items()
        )
        copied = con.execute(
            f"copy (select {typed} from {table}) "
            f"to {literal(str(folder / f'{table}.parquet'))} (format parquet)"
        ).fetchone()
        rows += int(copied[0]) if copied else 0
    return rows


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


def _rows_of(con: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> int:
    row = con.execute(
        "select coalesce(sum(estimated_size), 0) from duckdb_tables() where list_contains(?, schema_name)",
        [schemas],
    ).fetchone()
    return int(row[0]) if row else 0


class _Spill:
    """The most that ever lay in a folder, looked at twice a second."""

    def __init__(self, folder: Path) -> None:
        self.most_bytes = 0
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Spill":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            self.most_bytes = max(self.most_bytes, folder_bytes(self._folder))


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prepare", action="store_true", help="compile the models into --plan, and no more")
    parser.add_argument(
        "--plan", type=Path, required=True, help="the compiled models; made if they are missing"
    )
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--landing", type=Path, help="the shop's files")
    parser.add_argument("--template", type=Path, help="a warehouse of the same profile and date")
    parser.add_argument("--out", type=Path, help="an empty folder for the tables")
    parser.add_argument("--memory-limit", default="4GB", help="of DuckDB")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if given.prepare or not given.plan.exists():
        prepare().save(given.plan)
    if given.prepare:
        return
    given.out.mkdir(parents=True, exist_ok=True)
    with _Spill(given.out / "spill") as spill:
        measured = run(
            Plan.load(given.plan),
            load_profile(given.profile),
            given.landing,
            given.template,
            given.out,
            memory_limit=given.memory_limit,
            threads=given.threads,
        )
    found = asdict(measured) | {
        "bytes_written": folder_bytes(given.out / "published"),
        "peak_bytes": _peak_bytes(),
        "spill_bytes": spill.most_bytes,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
