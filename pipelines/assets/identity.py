"""One customer across channels: the normal forms of names and addresses, and the identity graph."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Failure,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from pipelines.account import COMPUTING, spending
from pipelines.feeds.errors import ConfigError
from pipelines.identity.instructions import current_instructions
from pipelines.identity.ledger import Ledger
from pipelines.identity.rules import IdentityRules
from pipelines.resources.table_metadata import column_metadata
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.identity.resolve import Resolution

_FORMS = {
    "email_form": "E-mail addresses in the form in which two spellings of one mailbox are equal.",
    "phone_form": "Phone numbers as E.164; empty for placeholders and for what is no valid number.",
    "name_form": "Names in the form in which notations of one name are equal, Chinese ones in pinyin.",
}
_EVENTS = ("created", "joined", "merged", "split", "inherited", "removed")
_GRAPH = {
    "account": "Every account of every channel and the customer it belongs to.",
    "alias": "Customer ids that a merge retired, and the id that stands for each now.",
    "link": "What joins two accounts, by which rule, and whether it was applied.",
    "shared_identifier": "Numbers, addresses and devices that too many accounts carry to say anything.",
}


def build_forms(settings: Settings, upstream: Sequence[AssetKey]) -> AssetsDefinition:
    """The asset of the normal forms, which the staging models read.

    Args:
        settings: the shop's region and placeholders.
        upstream: the gated tables of raw.
    """
    profile = settings.profile

    @multi_asset(
        name="normal_forms",
        specs=_specs(_FORMS, upstream, {"duckdb"}),
        backfill_policy=BackfillPolicy.single_run(),
    )
    def normal_forms(context: AssetExecutionContext, warehouse: Warehouse) -> Iterator[MaterializeResult]:
        # The dictionaries of names and numbers are slow to import, and only a step that works needs them.
        from pipelines.identity.forms import update_forms  # noqa: PLC0415

        with warehouse.connect() as con:
            try:
                with spending(COMPUTING):
                    formed = update_forms(
                        con,
                        region=profile.region,
                        placeholder_phones=profile.identity.placeholder_phones,
                        placeholder_emails=profile.identity.placeholder_emails,
                    )
            except ValueError as error:
                raise Failure(f"{profile.file}: {error}") from error
            for table in _FORMS:
                rows = con.execute(f"select count(*), count(form) from identity.{table}").fetchone()
                context.log.info(f"identity.{table}: {formed[table]:,} new spellings")
                yield MaterializeResult(
                    asset_key=AssetKey(["identity", table]),
                    metadata={
                        "dagster/row_count": rows[0],
                        "new_spellings": formed[table],
                        "without_a_form": rows[0] - rows[1],
                        **_columns(context, con, table),
                    },
                )

    return normal_forms


def build_identity(settings: Settings, upstream: Sequence[AssetKey]) -> AssetsDefinition:
    """The asset of the identity graph.

    Args:
        settings: where lake and instruction file are, and how careful the links are.
        upstream: the views of accounts and identifiers.
    """
    ledger = Ledger(settings.lake_dir / "identity" / "ledger")
    identity = settings.profile.identity
    rules = IdentityRules(max_accounts=identity.caps)

    @multi_asset(
        name="identity",
        specs=_specs(_GRAPH, upstream, {"duckdb", "parquet"}),
        backfill_policy=BackfillPolicy.single_run(),
    )
    def identity_graph(context: AssetExecutionContext, warehouse: Warehouse) -> Iterator[MaterializeResult]:
        from pipelines.identity.resolve import resolve  # noqa: PLC0415 - as above

        try:
            instructions = current_instructions(
                settings.instructions_file, settings.lake_dir / "identity" / "instructions"
            )
        except ConfigError as error:
            raise Failure(str(error)) from error
        with warehouse.connect() as con:
            fuzzy_links = _link_by_probability(context, con, settings) if identity.fuzzy.enabled else None
            resolution = resolve(
                con,
                ledger,
                accounts="identity.account_fact",
                identifiers="identity.identifier",
                instructions=instructions,
                rules=rules,
                run_id=context.run_id,
                recorded_at=datetime.now(UTC).isoformat(),
                fuzzy_links=fuzzy_links,
            )
            context.log.info(_line(resolution))
            if resolution.waiting:
                context.log.warning(
                    f"{settings.instructions_file}: {resolution.waiting} instructions name an account that "
                    "no source has; they wait for it"
                )
            for table in _GRAPH:
                rows = con.execute(f"select count(*) from identity.{table}").fetchone()[0]
                yield MaterializeResult(
                    asset_key=AssetKey(["identity", table]),
                    metadata={
                        "dagster/row_count": rows,
                        **_columns(context, con, table),
                        **(_account_metadata(con, resolution) if table == "account" else {}),
                        **({"rules": MetadataValue.md(_rules(con))} if table == "link" else {}),
                        **(
                            {"most_shared": MetadataValue.md(_shared(con))}
                            if table == "shared_identifier"
                            else {}
                        ),
                    },
                )

    return identity_graph


def _specs(tables: Mapping[str, str], upstream: Sequence[AssetKey], kinds: set[str]) -> list[AssetSpec]:
    return [
        AssetSpec(
            AssetKey(["identity", table]),
            deps=upstream,
            description=text,
            group_name="identity",
            kinds=kinds,
            owners=["team:data-engineering"],
        )
        for table, text in tables.items()
    ]


def _columns(context: AssetExecutionContext, con: duckdb.DuckDBPyConnection, table: str) -> dict[str, object]:
    defined = context.assets_def.metadata_by_key[AssetKey(["identity", table])]
    return column_metadata(con, "identity", table, defined)


def _link_by_probability(
    context: AssetExecutionContext, con: duckdb.DuckDBPyConnection, settings: Settings
) -> str:
    """Fills `identity.fuzzy_link`; returns its name."""
    from pipelines.identity.fuzzy import FuzzyError, fuzzy_links, load_fuzzy_settings  # noqa: PLC0415

    choice = settings.profile.identity.fuzzy
    # Of a name in Latin letters nobody knows which word is the surname; the model tries both ways.
    records = """(
        select account_id, coalesce(name.given, string_split(name.form, ' ')[1]) as first_name,
            coalesce(name.family, string_split(name.form, ' ')[2]) as surname,
            birth_date, city, email_form as email, phone_form as phone
        from identity.account_fact
        where name.form is not null
    )"""
    try:
        found = fuzzy_links(
            con,
            records=records,
            into="identity.fuzzy_link",
            settings=load_fuzzy_settings(choice.settings),
        )
    except (ConfigError, FuzzyError) as error:
        raise Failure(str(error)) from error
    context.log.info(
        f"fuzzy links: {found.links:,} of {found.pairs:,} pairs compared; the model expects "
        f"{found.expected_false_links:,.1f} of them to be false"
    )
    return "identity.fuzzy_link"


def _line(resolution: "Resolution") -> str:
    events = ", ".join(f"{count:,} {event}" for event, count in resolution.events.items())
    return (
        f"identity: {resolution.accounts:,} accounts are {resolution.customers:,} customers; "
        f"{resolution.examined:,} accounts examined; ledger: {events or 'nothing new'}"
    )


def _account_metadata(con: duckdb.DuckDBPyConnection, resolution: "Resolution") -> dict[str, object]:
    # Drawing is slow to import, and only a run draws.
    from pipelines.report.charts import png  # noqa: PLC0415
    from pipelines.report.drawings import Bar, BarGroup, bar_list  # noqa: PLC0415

    sizes = con.execute(
        """
        select least(accounts, 10) as size, count(*) as customers
        from (select count(*) as accounts from identity.account group by customer_id)
        group by size order by size
        """
    ).fetchall()
    groups = [
        BarGroup(f"{size}{'+' if size == 10 else ''}", (Bar(customers, f"{customers:,}", "accent"),))
        for size, customers in sizes
    ]
    chart = png(lambda canvas: bar_list(canvas, groups), "Customers", "by their number of accounts")
    return {
        "accounts": resolution.accounts,
        "customers": resolution.customers,
        "accounts_examined": resolution.examined,
        **{f"ledger: {event}": resolution.events.get(event, 0) for event in _EVENTS},
        "shared_identifiers": resolution.shared,
        "instructions_waiting": resolution.waiting,
        "largest_customers": MetadataValue.md(_largest(con)),
        "sizes": MetadataValue.md(
            f"![customers by accounts](data:image/png;base64,{base64.b64encode(chart).decode()})"
        ),
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [
        f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |"
        for row in rows
    ]
    return "\n".join(lines)


def _largest(con: duckdb.DuckDBPyConnection) -> str:
    """Without their ids: what Dagster keeps would outlive an erasure."""
    rows = con.execute(
        """
        select count(*) as accounts, string_agg(distinct source, ', ' order by source) as sources
        from identity.account group by customer_id order by accounts desc, sources limit 10
        """
    ).fetchall()
    return _table(["accounts", "sources"], rows)


def _rules(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        """
        select rule, count(*), count(*) filter (where is_applied), count(*) filter (where not is_applied)
        from identity.link group by rule order by count(*) desc, rule
        """
    ).fetchall()
    return _table(["rule", "links", "applied", "vetoed"], rows)


def _shared(con: duckdb.DuckDBPyConnection) -> str:
    """The identifiers that most accounts share; their values are personal data, so only their kind."""
    rows = con.execute(
        """
        select kind, count(*), max(accounts) from identity.shared_identifier group by kind order by kind
        """
    ).fetchall()
    return _table(["kind", "values", "accounts of the largest"], rows)
