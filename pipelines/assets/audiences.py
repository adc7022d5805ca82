"""Emitting the audiences, and taking back of them: the steps after which something is out of the house."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    BackfillPolicy,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    asset,
)

from pipelines import control
from pipelines.account import FILES, spending
from pipelines.activation.emission import EmissionStore, Sending
from pipelines.activation.exports import Export, ExportOptions
from pipelines.activation.suppressions import SuppressionStore
from pipelines.checks.gates import require_passed
from pipelines.checks.stages import Stage
from pipelines.partitions import required_dates_of
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Profile, Settings

BEFORE_AUDIENCES = (Stage.RAW, Stage.CORE, Stage.MARTS, Stage.ACTIVATION)
BEFORE_SCRUB = (Stage.RAW, Stage.CORE)
AUDIENCES = AssetKey(["audiences", "recall"])
SCRUB = AssetKey(["audiences", "scrub"])


def build_audiences(
    settings: Settings, dates: PartitionsDefinition, upstream: Sequence[AssetKey]
) -> AssetsDefinition:
    """The asset that freezes a date's decisions and writes its audiences.

    Args:
        settings: where the lake, the audiences and the policy are.
        dates: the as-of dates.
        upstream: the gated tables of raw, core, marts and activation; a failed gate stops the emission.
    """
    store = EmissionStore(settings.lake_dir, settings.audiences_dir)
    suppressions = SuppressionStore(settings.lake_dir)
    options = export_options(settings.profile)

    @asset(
        key=AUDIENCES,
        deps=upstream,
        partitions_def=dates,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="audiences",
        kinds={"csv", "xlsx", "json"},
        owners=["team:marketing"],
        description=(
            "Whom to write to, by channel: e-mail, SMS, push, calls, CRM and social lists, with rendered "
            "messages, a manifest and what to add to and take off the last lists. Writing a date freezes its "
            "decisions: they are history. Simulated dates write nothing. Refuses when any gate before it has "
            "not passed, also when it is launched alone."
        ),
    )
    def recall(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:
        days = required_dates_of(context.run.tags, "emitting audiences")
        with spending(FILES), warehouse.connect() as con:
            emitted = []
            for day in days:
                require_passed(con, BEFORE_AUDIENCES, day, "emitting audiences")
                if day not in store.dates() and _is_simulated(con, day):
                    context.log.info(f"audiences {day}: simulated, nothing is sent")
                    continue
                store.freeze(
                    con,
                    day,
                    _sending(context, settings.profile, day),
                    policy_version=control.policy_version(settings.dbt_dir / "seeds" / "policy"),
                    options=options,
                )
                emitted.append(day)
            suppressed = _keep_suppressions(context, con, suppressions)
            # A date whose run died in between counts as sent, so its people would never be written to.
            exports = {day: store.export(day) for day in sorted({*emitted, *store.unexported()})}
            _log_exports(context, exports)
            pruned = _prune(context, store, settings.profile)
            return MaterializeResult(
                metadata={
                    "dagster/row_count": sum(each.rows for listed in exports.values() for each in listed),
                    "suppressions_kept": suppressed,
                    "pruned": len(pruned),
                    **_audience_metadata(con, days, exports),
                    **{
                        f"removals {day}": MetadataValue.md(_removals(store.removals_of(con, day)))
                        for day in exports
                    },
                }
            )

    return recall


def build_scrub(settings: Settings, upstream: Sequence[AssetKey]) -> AssetsDefinition:
    """The asset that takes people off the lists that went out, for what they did since.

    Args:
        settings: where the lake and the audiences are.
        upstream: the gated tables of raw and core.
    """
    store = EmissionStore(settings.lake_dir, settings.audiences_dir)
    suppressions = SuppressionStore(settings.lake_dir)

    @asset(
        key=SCRUB,
        deps=upstream,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="audiences",
        kinds={"csv", "json"},
        owners=["team:marketing"],
        description=(
            "Whom to take off the lists that went out and can still be used: who has bought, complained, "
            "opted out or can't be reached any more since. Writes a folder only when there is somebody. "
            "Refuses when the gates of raw and core have not passed."
        ),
    )
    def scrub(context: AssetExecutionContext, warehouse: Warehouse) -> MaterializeResult:
        with warehouse.connect() as con:
            require_passed(con, BEFORE_SCRUB, None, "taking back of audiences")
            suppressed = _keep_suppressions(context, con, suppressions)
            newest = max(store.dates(), default=None)
            if newest is None:
                context.log.info("scrub: nothing was sent yet")
                return MaterializeResult(metadata={"dagster/row_count": 0, "suppressions_kept": suppressed})
            scrubbed = store.scrub(con, _sending(context, settings.profile, newest))
        removed = sum(scrubbed.removed.values())
        if scrubbed.folder is None:
            context.log.info("scrub: nobody is to be taken off the lists")
        else:
            context.log.info(f"scrub: {removed:,} messages are taken back: {scrubbed.folder}")
        return MaterializeResult(
            metadata={
                "dagster/row_count": removed,
                "suppressions_kept": suppressed,
                "removals": MetadataValue.md(_removals(scrubbed.removed)),
                **({"folder": MetadataValue.path(scrubbed.folder)} if scrubbed.folder else {}),
            }
        )

    return scrub


def export_options(profile: Profile) -> ExportOptions:
    """What of the profile the exports need."""
    activation = profile.activation
    return ExportOptions(
        language=activation.language,
        shop_name=activation.shop_name,
        sms_opt_out=activation.sms_opt_out,
        link_base=activation.link_base,
        unsubscribe_base=activation.unsubscribe_base,
        ad_platforms=activation.ad_platforms,
        currency=profile.currency,
    )


def day_of_looking(profile: Profile, started_at: datetime, newest: date) -> date:
    """The local day up to which is looked for what overtook earlier messages.

    Today; for a shop whose calendar has ended, the day after its newest emitted date: its past is played
    again, and must not see what came later.

    Args:
        profile: the shop.
        started_at: start of the run, aware.
        newest: the newest emitted date.
    """
    today = started_at.astimezone(ZoneInfo(profile.time_zone)).date()
    return newest + timedelta(days=1) if profile.is_replayed(today) else today


def _sending(context: AssetExecutionContext, profile: Profile, newest: date) -> Sending:
    record = context.instance.get_run_record_by_id(context.run_id)
    if record is None:
        raise ValueError(f"run {context.run_id} is not in Dagster's own records")
    begun = record.create_timestamp if record.start_time is None else record.start_time
    started_at = begun if isinstance(begun, datetime) else datetime.fromtimestamp(begun, UTC)
    return Sending(context.run_id, started_at, day_of_looking(profile, started_at, newest))


def _keep_suppressions(
    context: AssetExecutionContext, con: duckdb.DuckDBPyConnection, suppressions: SuppressionStore
) -> int:
    """Not before the gates of core: what is kept here stays for ever."""
    new = suppressions.append(con)
    if new:
        context.log.info(f"suppressions: {new:,} new addresses must not be written to any more")
    return new


def _is_simulated(con: duckdb.DuckDBPyConnection, day: date) -> bool:
    row = con.execute(
        "select count(*) filter (where not simulated) = 0 and count(*) > 0 "
        "from activation.recall_decision where as_of_date = ?",
        [day],
    ).fetchone()
    return bool(row and row[0])


def _log_exports(context: AssetExecutionContext, exports: Mapping[date, Sequence[Export]]) -> None:
    for day, listed in exports.items():
        for each in listed:
            context.log.info(f"audiences {day}: {each.rows:,} rows in {each.channel}/{each.file.name}")


def _prune(context: AssetExecutionContext, store: EmissionStore, profile: Profile) -> list[str]:
    sent = store.dates()
    pruned = store.prune(profile.activation.keep_exports_days, sent[-1]) if sent else []
    if pruned:
        context.log.info(f"audiences: {len(pruned)} old folders let go, {pruned[0]} to {pruned[-1]}")
    return pruned


def _audience_metadata(
    con: duckdb.DuckDBPyConnection, days: Sequence[date], exports: Mapping[date, Sequence[Export]]
) -> dict[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {
        f"{day} {each.channel}": MetadataValue.path(each.file.parent)
        for day, listed in exports.items()
        for each in listed
    }
    files = [
        (day, each.channel, each.file.name, each.rows) for day, listed in exports.items() for each in listed
    ]
    metadata["files"] = MetadataValue.md(_table(("date", "channel", "file", "rows"), files))
    for name, (head, query) in _TABLES.items():
        metadata[name] = MetadataValue.md(_table(head, con.execute(query, [list(days)]).fetchall()))
    return metadata


_TABLES = {
    "channels": (
        ("date", "channel", "sent", "held back"),
        """
        select as_of_date, channel, count(*) filter (where decision = 'send'),
            count(*) filter (where decision = 'holdout')
        from activation.recall_decision
        where as_of_date in (select unnest(?)) and decision in ('send', 'holdout')
        group by all order by all
        """,
    ),
    "guide_classes": (
        ("date", "class", "sent"),
        """
        select decisions.as_of_date, coalesce(rfm.guide_class, 'never bought') as guide_class, count(*)
        from activation.recall_decision as decisions
        left join marts.customer_rfm as rfm using (as_of_date, customer_id)
        where decisions.as_of_date in (select unnest(?)) and decisions.decision = 'send'
        group by all order by all
        """,
    ),
    "journeys": (
        ("date", "journey", "step", "reason", "sent"),
        """
        select as_of_date, journey, step, reason_code, count(*) from activation.recall_decision
        where as_of_date in (select unnest(?)) and decision = 'send'
        group by all order by all
        """,
    ),
    "exclusions": (
        ("date", "decision", "reason", "customers"),
        """
        select as_of_date, decision, reason_code, count(*) from activation.recall_decision
        where as_of_date in (select unnest(?)) and decision <> 'send'
        group by all order by all
        """,
    ),
    # Nobody's id: this page is open to whoever sees the UI, and stays when a person is erased.
    "preview": (
        (
            "journey",
            "step",
            "channel",
            "offer",
            "template",
            "send after",
            "valid until",
            "priority",
        ),
        """
        select journey, step, channel, offer_id, template_id, send_after, valid_until, priority
        from activation.recall_decision
        where as_of_date = (select max(day) from (select unnest(?) as day)) and decision = 'send'
        order by priority, customer_id limit 10
        """,
    ),
}
"""What a materialisation shows of the run's dates: a table's head and its query."""


def _removals(removed: Mapping[tuple[str, str], int]) -> str:
    return _table(("channel", "reason", "messages"), [(*key, count) for key, count in removed.items()])


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [
        f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |"
        for row in rows
    ]
    return "\n".join(lines)
