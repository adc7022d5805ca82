"""Who must be taken off a list that went out: messages overtaken by what the customer did since.

Between a date's decisions and the day its audiences are used up, customers buy, complain and opt out. What
the warehouse knows by now is compared with the messages that went out; each message is withdrawn once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.parquet import parquet_source, write_parquet

if TYPE_CHECKING:
    import duckdb

REMOVAL_COLUMNS = {
    "touch_id": "varchar",
    "channel": "varchar",
    "as_of_date": "date",
    "reason": "varchar",
    "removed_at": "timestamp",
}
"""Columns of a removal; `removed_at` is the start of the run that withdrew the message, in UTC."""

REASONS = (
    "complained",
    "opted_out",
    "bounced",
    "suppressed",
    "complaint_opened",
    "bought",
    "returned",
    "expired",
)
"""Of several reasons the first here stands."""

SENT_COLUMNS = {
    "as_of_date": "date",
    "customer_id": "varchar",
    "decision": "varchar",
    "touch_id": "varchar",
    "journey": "varchar",
    "channel": "varchar",
    "valid_until": "date",
    "address_key": "varchar",
}
"""What of a touch is looked at."""

# A purchase makes "we miss you" wrong, and neither a birthday greeting nor a thank-you to who has come back.
_OUTLIVES_PURCHASE = ("greeting", "retain", "member")

_QUERY = f"""
with sent as (
    select
        touches.touch_id,
        touches.channel,
        touches.as_of_date,
        touches.valid_until,
        touches.address_key,
        coalesce(aliases.customer_id, touches.customer_id) as customer_id,
        reach.channel as reach,
        if(touches.channel = 'social_ads', ['email', 'phone'], [reach.address_kind]) as address_kinds,
        coalesce(journeys.purpose, 'marketing') as purpose,
        coalesce(journeys.kind in {_OUTLIVES_PURCHASE}, false) as outlives_purchase
    from {{touches}} as touches
    left join core.customer_alias as aliases on touches.customer_id = aliases.alias_id
    left join policy.reach_channel as reach on touches.channel = reach.campaign_channel
    left join policy.journey as journeys on touches.journey = journeys.journey
    where touches.decision = 'send'
),
pending as (
    select sent.* from sent anti join {{removals}} as removals using (touch_id)
    -- An advertiser's list keeps its members until they are taken off.
    where sent.valid_until >= $looked_on or sent.channel = 'social_ads'
),
addresses as (
    select customer_id, list(distinct kind) as kinds
    from (
        select customer_id, kind from core.int_address
        union all
        select customer_id, 'account' as kind from core.customer_account
    )
    where customer_id in (select customer_id from pending)
    group by customer_id
),
permissions as (
    select
        customer_id,
        channel,
        bool_and(is_granted) filter (where purpose = 'marketing') as marketing,
        bool_and(is_granted) filter (where purpose = 'service') as service,
        bool_and(is_granted) filter (where purpose = 'social_export') as social_export
    from core.int_permission
    group by customer_id, channel
),
closed as (
    select pending.touch_id, suppressions.kind
    from pending inner join core.int_suppression as suppressions
        on pending.customer_id = suppressions.customer_id and pending.reach = suppressions.channel
    union all
    select pending.touch_id, suppressions.kind
    from pending inner join core.int_suppressed_address as suppressions
        on pending.address_key = suppressions.address_key and pending.reach = suppressions.channel
),
found as (
    select
        touch_id,
        case kind
            when 'complained' then 'complained'
            when 'unsubscribed' then 'opted_out'
            when 'withdrawn' then 'opted_out'
            when 'bounced' then 'bounced'
            else 'suppressed'
        end as reason
    from closed
    union all
    select pending.touch_id, 'suppressed'
    from pending left join addresses on pending.customer_id = addresses.customer_id
    where not coalesce(list_has_any(addresses.kinds, pending.address_kinds), false)
    union all
    select pending.touch_id, 'opted_out'
    from pending left join permissions
        on pending.customer_id = permissions.customer_id and pending.reach = permissions.channel
    where not case
        when pending.channel = 'social_ads' then coalesce(permissions.social_export, false)
        -- What serves the customer, an apology for one, needs no consent to advertising.
        when pending.purpose = 'service'
            then coalesce(permissions.service, permissions.marketing, pending.reach = 'crm')
        else coalesce(permissions.marketing, pending.reach = 'crm')
    end
    union all
    select pending.touch_id, 'complaint_opened'
    from pending inner join core.ticket as tickets on pending.customer_id = tickets.customer_id
    where
        tickets.kind = 'complaint'
        and cast(tickets.opened_at as date) > pending.as_of_date
        and cast(tickets.opened_at as date) <= $looked_on
    union all
    select pending.touch_id, unnest(list_concat(
        if(days.units > 0, ['bought'], []), if(days.returned_amount > 0, ['returned'], [])
    ))
    from pending inner join core.purchase_day as days on pending.customer_id = days.customer_id
    where
        days.purchased_on > pending.as_of_date and days.purchased_on <= $looked_on
        and not pending.outlives_purchase
    union all
    select touch_id, 'expired' from pending
    where
        valid_until < $looked_on
        and customer_id not in (
            select customer_id from sent where channel = 'social_ads' and valid_until >= $looked_on
        )
),
first_reason as (
    select touch_id, min(list_position({list(REASONS)}, reason)) as place from found group by touch_id
)
select
    pending.touch_id, pending.channel, pending.as_of_date,
    {list(REASONS)}[first_reason.place] as reason,
    cast($removed_at as timestamp) as removed_at
from pending inner join first_reason using (touch_id)
order by pending.as_of_date, pending.touch_id
"""


class RemovalStore:
    """Removals that went out: Parquet files under `<lake>/removals/`."""

    def __init__(self, lake_dir: Path) -> None:
        self.folder = lake_dir / "removals"

    def files(self) -> list[Path]:
        """Files of all removals."""
        return sorted(self.folder.glob("*.parquet"))

    def find(
        self,
        con: duckdb.DuckDBPyConnection,
        touch_files: Sequence[Path],
        target: Path,
        *,
        looked_on: date,
        removed_at: datetime,
    ) -> dict[tuple[str, str], int]:
        """Write what is to be withdrawn, and was not yet, as a Parquet file of `REMOVAL_COLUMNS`.

        Args:
            con: open on a warehouse whose core stage has passed its gate.
            touch_files: touches of the dates whose messages can still be withdrawn.
            target: the file.
            looked_on: the local day up to which is looked: what the shop's data know of later days is not
                seen, so that a past that is played again is as it was.
            removed_at: start of the run, naive UTC.

        Returns:
            How many messages, by channel and reason; empty when the file has no row.
        """
        query = _QUERY.format(
            touches=parquet_source(con, touch_files, SENT_COLUMNS),
            removals=parquet_source(con, self.files(), REMOVAL_COLUMNS),
        )
        write_parquet(con, query, target, {"looked_on": looked_on, "removed_at": removed_at})
        return counts(con, target)

    def keep(self, found: Path, name: str) -> None:
        """Take a file of removals that went out into the lake, under a name of its own, if it has any."""
        import duckdb  # noqa: PLC0415 - elsewhere for types alone

        with duckdb.connect() as con:
            if not counts(con, found):
                return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.folder / f"{name}.tmp"
        temporary.write_bytes(found.read_bytes())
        temporary.chmod(0o600)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(self.folder / f"{name}.parquet")


def counts(con: duckdb.DuckDBPyConnection, found: Path) -> dict[tuple[str, str], int]:
    """Messages of a file of removals, by channel and reason."""
    rows = con.execute(
        f"""
        select channel, reason, count(*) from {parquet_source(con, [found], REMOVAL_COLUMNS)}
        group by all order by all
        """
    ).fetchall()
    return {(channel, reason): number for channel, reason, number in rows}
