"""The identity ledger: which account belonged to which customer since when, in the lake.

A customer's id is fixed when the customer is first seen: it is the hash of an account, the customer's
*anchor*. From then on the id stays with the group that holds its anchor, whatever else joins or leaves. Where
two customers turn out to be one, the id that was registered first stays and the other becomes its alias;
where they part again, each has its own again. When no source names the anchor any more, the oldest of the
accounts that had the id and are with the anchor's customer inherits its place, for good: an account that
returns must not take an id from those who have stayed. An id without an heir waits for its anchor, and
meanwhile stands for the customer it had become part of. Ids can't be computed from the data alone, since they
depend on what was known when; so every change is an event here, and a rebuild of the warehouse reads them.
"""

from pathlib import Path

import duckdb

from pipelines.feeds.sql import literal, path_literal

EVENT_COLUMNS = {
    "seq": "bigint",
    "run_id": "varchar",
    "recorded_at": "timestamptz",
    "event": "varchar",
    "account_id": "varchar",
    "customer_id": "varchar",
    "former_customer_id": "varchar",
    "evidence": "varchar",
}
"""DuckDB types of an event's columns.

`event`: created (the account is the anchor of a new customer), joined (a new account of a customer), merged
(the account's customer became part of another), split (the account left its customer), removed (no source
names the account any more), inherited (the account is the customer's anchor from now on, in place of one that
was removed). `evidence`: JSON, the link or instruction that did it.
"""


class Ledger:
    """The events, one file per run that changed anything, numbered in their order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> list[Path]:
        """The files in their order."""
        return sorted(self._folder.glob("*.parquet")) if self._folder.is_dir() else []

    def relation(self) -> str:
        """A query of all events."""
        files = self.files()
        if not files:
            nulls = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in EVENT_COLUMNS.items())
            return f"(select {nulls} where false)"
        listed = ", ".join(path_literal(file) for file in files)
        columns = ", ".join(EVENT_COLUMNS)
        return f"(select {columns} from read_parquet([{listed}], hive_partitioning = false))"

    def append(self, con: duckdb.DuckDBPyConnection, events: str) -> int:
        """Writes the events of one run; none write nothing.

        Args:
            con: where the events are.
            events: a relation with the columns of an event but `seq`.

        Returns:
            How many there were.
        """
        row = con.execute(f"select count(*) from {events}").fetchone()
        count = int(row[0]) if row else 0
        if count:
            files = self.files()
            seq = 1 + (int(files[-1].stem) if files else 0)
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._folder / f"{seq:09d}.parquet"
            temporary = file.with_suffix(".new")
            columns = ", ".join(
                f"cast({seq} as bigint) as seq" if name == "seq" else f"cast({name} as {kind}) as {name}"
                for name, kind in EVENT_COLUMNS.items()
            )
            con.execute(
                f"copy (select {columns} from {events} order by account_id) "
                f"to {literal(temporary.as_posix())} (format parquet, compression zstd)"
            )
            temporary.replace(file)
        return count


def assign_ids(con: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Gives every group of `identity_group` its customer id.

    Reads `identity_group` (node, grp), `identity_scope` (node, account_id, source, account_key, opened_at)
    and `identity_present` (account_id, opened_at: all accounts there are).

    Makes `identity_assigned` (node, grp, account_id, customer_id, is_new_anchor, former_customer_id),
    `identity_claim` (alias_id, grp, customer_id: each id whose anchor is in scope, and the id that stands for
    it now), `identity_anchor` (customer_id, account_id, former_account_id: whom it inherits from in this run)
    and `identity_last` (account_id, customer_id, is_removed: what the ledger says of it last).
    """
    con.execute(
        f"""
        create or replace temp table identity_event as
        select seq, event, account_id, customer_id, former_customer_id from {ledger.relation()}
        """
    )
    con.execute(
        """
        create or replace temp table identity_last as
        select account_id, arg_max(coalesce(customer_id, former_customer_id), seq) as customer_id,
            arg_max(event, seq) = 'removed' as is_removed
        from identity_event
        where event <> 'inherited'
        group by account_id
        """
    )
    _find_anchors(con)
    con.execute(
        """
        create or replace temp table identity_claim as
        with recursive anchored as (
            select anchors.customer_id as alias_id, groups.grp,
                first_value(anchors.customer_id) over (
                    partition by groups.grp
                    -- Of ids registered at once the one that has stood for the others already.
                    order by anchors.seq, anchors.is_alias, scope.opened_at nulls last, anchors.customer_id
                ) as customer_id
            from identity_anchor as anchors
            inner join identity_scope as scope on anchors.account_id = scope.account_id
            inner join identity_group as groups on scope.node = groups.node
        ),
        resolved as (
            select alias_id, grp, customer_id from anchored
            union all
            select anchors.customer_id, resolved.grp, resolved.customer_id
            from identity_anchor as anchors
            inner join resolved on anchors.last_customer_id = resolved.alias_id
            where anchors.account_id not in (select account_id from identity_present)
        )
        from resolved
        """
    )
    con.execute(
        """
        create or replace temp table identity_assigned as
        with claimed as (
            select distinct grp, customer_id from identity_claim
        ),
        eldest as (
            select groups.grp, arg_min(
                scope.account_id, (scope.opened_at is null, scope.opened_at, scope.account_id)
            ) as account_id
            from identity_group as groups
            inner join identity_scope as scope on groups.node = scope.node
            group by groups.grp
        ),
        -- Whose id has passed to an heir is registered with a number.
        registered as (
            select account_id, chr(31) || count(*) as suffix
            from identity_event where event = 'created' group by account_id
        ),
        fresh as (
            select eldest.grp, eldest.account_id as anchor, 'c_' || substr(md5(
                scope.source || chr(31) || scope.account_key || coalesce(registered.suffix, '')
            ), 1, 16) as customer_id
            from eldest
            inner join identity_scope as scope on eldest.account_id = scope.account_id
            left join registered on eldest.account_id = registered.account_id
        )
        select groups.node, groups.grp, scope.account_id,
            coalesce(claimed.customer_id, fresh.customer_id) as customer_id,
            claimed.customer_id is null and fresh.anchor = scope.account_id as is_new_anchor,
            case when not former.is_removed then former.customer_id end as former_customer_id
        from identity_group as groups
        inner join identity_scope as scope on groups.node = scope.node
        inner join fresh on groups.grp = fresh.grp
        left join claimed on groups.grp = claimed.grp
        left join identity_last as former on scope.account_id = former.account_id
        """
    )


def _find_anchors(con: duckdb.DuckDBPyConnection) -> None:
    """Makes `identity_anchor`: of every id there has been."""
    con.execute(
        """
        create or replace temp table identity_anchor as
        with registered as (
            select customer_id, min(seq) as seq, arg_max(account_id, seq) as account_id
            from identity_event where event in ('created', 'inherited')
            group by customer_id
        ),
        orphaned as (
            select registered.customer_id, last.customer_id as last_customer_id
            from registered
            inner join identity_last as last on registered.account_id = last.account_id
            where not last.is_removed
                and registered.account_id not in (select account_id from identity_present)
        ),
        bearers as (
            select distinct customer_id, account_id from identity_event
            where customer_id in (select customer_id from orphaned)
        ),
        heirs as (
            select orphaned.customer_id, arg_min(
                present.account_id, (present.opened_at is null, present.opened_at, present.account_id)
            ) as account_id
            from orphaned
            inner join bearers on orphaned.customer_id = bearers.customer_id
            inner join identity_last as last
                on bearers.account_id = last.account_id and orphaned.last_customer_id = last.customer_id
            inner join identity_present as present on last.account_id = present.account_id
            where not last.is_removed
            group by orphaned.customer_id
        )
        select registered.customer_id, registered.seq,
            coalesce(heirs.account_id, registered.account_id) as account_id,
            case when heirs.account_id is not null then registered.account_id end as former_account_id,
            last.customer_id as last_customer_id,
            last.customer_id <> registered.customer_id as is_alias
        from registered
        left join heirs on registered.customer_id = heirs.customer_id
        inner join identity_last as last on registered.account_id = last.account_id
        """
    )
