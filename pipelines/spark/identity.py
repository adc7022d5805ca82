"""Normal forms and the identity graph on Spark.

Both are made by the same modules as on one machine, in parts: an executor has a DuckDB in its memory, to
which `pipelines.identity` does what it always does. That needs parts which nothing leads out of. A spelling's
form depends on the spelling alone. Of accounts, whatever the graph or the ledger joins must be in one part:
accounts with an identifier that is not shared, with an id that both have had, or that an instruction names
together. Spark finds these families as connected components; the result is that of one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.feeds.sql import literal
from pipelines.identity.forms import FORM_COLUMNS, FormRules, form_spellings, spellings_query
from pipelines.identity.ledger import EVENT_COLUMNS, Ledger
from pipelines.spark.components import connected
from pipelines.spark.lake import spark_type, view_files
from pipelines.spark.translation import to_spark

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame, SparkSession

    from pipelines.identity.instructions import Instruction
    from pipelines.identity.rules import IdentityRules

    Batches = Iterable[pyarrow.RecordBatch]

_ACCOUNT_COLUMNS = {
    "account_id": "varchar",
    "source": "varchar",
    "account_key": "varchar",
    "opened_at": "timestamptz",
    "is_contact": "boolean",
    "customer_id": "varchar",
}
_ALIAS_COLUMNS = {"alias_id": "varchar", "customer_id": "varchar", "merged_at": "timestamptz"}


def write_forms(spark: SparkSession, rules: FormRules) -> None:
    """Makes the tables `identity.email_form`, `phone_form` and `name_form` of all spellings in `raw`."""
    spark.sql("create schema if not exists identity")
    for table, columns in FORM_COLUMNS.items():
        query = (
            f"select distinct spelling from ({spellings_query(table)}) as given where spelling is not null"
        )
        formed = spark.sql(to_spark(query)).mapInArrow(_forming(table, rules), _schema(columns))
        _save(spark, formed, f"identity.{table}")


def _forming(table: str, rules: FormRules) -> Callable[[Batches], Iterator[pyarrow.RecordBatch]]:
    def form(batches: Batches) -> Iterator[pyarrow.RecordBatch]:
        import duckdb  # noqa: PLC0415 - on the executor
        import pyarrow  # noqa: PLC0415 - as above

        given = list(batches)
        if not given:
            return
        with duckdb.connect() as con:
            con.register("given_spelling", pyarrow.Table.from_batches(given))
            form_spellings(con, table, rules, spellings="given_spelling", into="formed")
            columns = ", ".join(FORM_COLUMNS[table])
            yield from con.execute(f"select {columns} from formed").to_arrow_table().to_batches()

    return form


def write_identity(
    spark: SparkSession,
    ledger: Ledger,
    *,
    instructions: Sequence[Instruction],
    rules: IdentityRules,
    time_zone: str,
) -> None:
    """Makes the tables `identity.account` and `identity.alias` from the views of accounts and identifiers.

    The ledger is read, and not written: an account that it does not know gets the id that it would get there.

    Args:
        spark: the session, with `identity.account_fact` and `identity.identifier`.
        ledger: where ids are kept.
        instructions: merges and splits that people have decided.
        rules: how careful the links are.
        time_zone: the shop's.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 - see the package

    accounts = spark.table("identity.account_fact").localCheckpoint()
    identifiers = spark.table("identity.identifier").where("value is not null").localCheckpoint()
    view_files(spark, "identity", "ledger_event", ledger.files(), EVENT_COLUMNS)
    events = spark.table("identity.ledger_event").localCheckpoint()
    families = connected(_edges(spark, identifiers, events, instructions, rules)).localCheckpoint()
    parts = families.where("node like 'a:%'").select(
        f.expr("substr(node, 3)").alias("account_id"), f.col("component").alias("family")
    )
    rows = None
    for name, table in (("account", accounts), ("identifier", identifiers), ("event", events)):
        whole = f.struct(*table.columns).alias(name)
        placed = table.join(parts, "account_id", "left").select(
            f.coalesce("family", f.concat(f.lit("a:"), "account_id")).alias("family"), whole
        )
        rows = placed if rows is None else rows.unionByName(placed, allowMissingColumns=True)
    assert rows is not None
    schema = f"account struct<{_schema(_ACCOUNT_COLUMNS)}>, alias struct<{_schema(_ALIAS_COLUMNS)}>"
    resolved = (
        rows.repartition(f.col("family"))
        .mapInArrow(_resolving(instructions, rules, time_zone), schema)
        .localCheckpoint()
    )
    for name in ("account", "alias"):
        _save(spark, resolved.where(f"{name} is not null").select(f"{name}.*"), f"identity.{name}")


def _edges(
    spark: SparkSession,
    identifiers: DataFrame,
    events: DataFrame,
    instructions: Sequence[Instruction],
    rules: IdentityRules,
) -> DataFrame:
    """What keeps accounts in one part: edges between accounts (a:), values (v:) and customers' ids (c:)."""
    from pyspark.sql import functions as f  # noqa: PLC0415 - as above

    caps = spark.createDataFrame(list(rules.max_accounts.items()), "kind string, most long")
    carriers = identifiers.select("account_id", "kind", "value").distinct()
    shared = (
        carriers.groupBy("kind", "value")
        .agg(f.count("*").alias("accounts"))
        .join(caps, "kind")
        .where("accounts > most")
        .select("kind", "value")
    )
    edges = carriers.join(shared, ["kind", "value"], "left_anti").select(
        f.concat(f.lit("a:"), "account_id").alias("a"),
        f.concat(f.lit("v:"), "kind", f.lit("\x1f"), "value").alias("b"),
    )
    for column in ("customer_id", "former_customer_id"):
        edges = edges.union(
            events.where(f"{column} is not null").select(
                f.concat(f.lit("a:"), "account_id"), f.concat(f.lit("c:"), column)
            )
        )
    told = [(f"a:{each.account_a}", f"a:{each.account_b}") for each in instructions]
    return edges.union(spark.createDataFrame(told, "a string, b string"))


def _resolving(
    instructions: Sequence[Instruction], rules: IdentityRules, time_zone: str
) -> Callable[[Batches], Iterator[pyarrow.RecordBatch]]:
    caps, most = dict(rules.max_accounts), rules.max_conflicts

    def resolve_part(batches: Batches) -> Iterator[pyarrow.RecordBatch]:
        import duckdb  # noqa: PLC0415 - on the executor
        import pyarrow  # noqa: PLC0415 - as above

        from pipelines.identity.resolve import resolve  # noqa: PLC0415 - as above
        from pipelines.identity.rules import IdentityRules  # noqa: PLC0415 - as above

        given = list(batches)
        if not given:
            return
        with duckdb.connect() as con:
            con.execute(f"set TimeZone = {literal(time_zone)}")
            con.register("part", pyarrow.Table.from_batches(given))
            for name in ("account", "identifier", "event"):
                con.execute(
                    f"create temp table part_{name} as "
                    f"select unnest({name}) from part where {name} is not null"
                )
            resolve(
                con,
                _PartOfLedger(),
                accounts="part_account",
                identifiers="part_identifier",
                instructions=instructions,
                rules=IdentityRules(max_accounts=caps, max_conflicts=most),
                run_id="spark",
                recorded_at="1970-01-01T00:00:00+00:00",
            )
            found = con.execute(_FOUND_SQL).to_arrow_table()
            yield from found.to_batches()

    return resolve_part


class _PartOfLedger(Ledger):
    """The events of a part's accounts, as a table of its DuckDB."""

    def __init__(self) -> None:
        super().__init__(Path())

    def files(self) -> list[Path]:
        """None: what was resolved before is not known here."""
        return []

    def relation(self) -> str:
        """A query of the part's events."""
        return "(select * from part_event)"

    def append(self, con: object, events: str) -> int:  # type: ignore[override]
        """Writes nothing: the ledger is history, which the daily run keeps."""
        del con, events
        return 0


def _packed(columns: Iterable[str]) -> str:
    return f"struct_pack({', '.join(f'{name} := {name}' for name in columns)})"


_FOUND_SQL = f"""
    select {_packed(_ACCOUNT_COLUMNS)} as account, null::struct(
        {", ".join(f"{name} {kind}" for name, kind in _ALIAS_COLUMNS.items())}
    ) as alias
    from identity.account
    union all
    select null, {_packed(_ALIAS_COLUMNS)} from identity.alias
"""


def write_contact_units(spark: SparkSession, most: int) -> None:
    """Makes `control.contact_unit`, as `pipelines.activation.units` does.

    Args:
        spark: the session, with `core.int_address`.
        most: an address of more customers than these joins nobody.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 - as above

    links = (
        spark.table("core.int_address")
        .groupBy("kind", "address")
        .agg(f.collect_set("customer_id").alias("customers"))
        .where(f.size("customers").between(2, most))
        .select(f.explode("customers").alias("a"), f.array_min("customers").alias("b"))
    )
    units = connected(links).select(f.col("node").alias("customer_id"), f.col("component").alias("unit_id"))
    _save(spark, units, "control.contact_unit")


def _schema(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {spark_type(kind)}" for name, kind in columns.items())


def _save(spark: SparkSession, rows: DataFrame, name: str) -> None:
    spark.sql(f"drop table if exists {name}")
    rows.write.saveAsTable(name)
