"""The identity ledger: which account belonged to which customer since when, in the lake.

A customer's id is fixed when the customer is first seen: it is the hash of an account, the customer's
*anchor*. From then on the id stays with the group that holds its anchor, whatever else joins or leaves. Where
two customers turn out to be one, the id that was registered first stays and the other becomes its alias; where
they part again, each has its own again. Ids can't be computed from the data alone, since they depend on what
was known when; so every change is an event here, and a rebuild of the warehouse reads them.
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
names the account any more). `evidence`: JSON, the link or instruction that did it.
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

    Makes `identity_assigned` (node, grp, account_id, customer_id, former_customer_id) and `identity_claim`
    (alias_id, customer_id: each id whose anchor is in scope, and the id that stands for it now).
    """
    con.execute(
        f"""
        create or replace temp table identity_event as
        select seq, event, account_id, customer_id from {ledger.relation()}
        where customer_id is not null or event = 'removed'
        """
    )
    con.execute(
        """
        create or replace temp table identity_claim as
        with registered as (
            select customer_id, account_id as anchor, min(seq) as seq
            from identity_event where event = 'created'
            group by all
        ),
        -- An anchor whose source has dropped it: the oldest account that ever had the id takes its place.
        heirs as (
            select events.customer_id,
                arg_min(events.account_id, (present.opened_at is null, present.opened_at, events.account_id))
                    as anchor
            from identity_event as events
            inner join identity_present as present on events.account_id = present.account_id
            where events.customer_id in (
                select customer_id from registered anti join identity_present
                    on registered.anchor = identity_present.account_id
            )
            group by events.customer_id
        ),
        anchored as (
            select registered.customer_id, registered.seq, coalesce(heirs.anchor, registered.anchor) as anchor
            from registered
            left join heirs on registered.customer_id = heirs.customer_id
        )
        select anchored.customer_id as alias_id, groups.grp,
            first_value(anchored.customer_id) over (
                partition by groups.grp
                order by anchored.seq, scope.opened_at nulls last, anchored.customer_id
            ) as customer_id
        from anchored
        inner join identity_scope as scope on anchored.anchor = scope.account_id
        inner join identity_group as groups on scope.node = groups.node
        """
    )
    con.execute(
        """
        create or replace temp table identity_assigned as
        with former as (
            select account_id, arg_max_null(customer_id, seq) as customer_id
            from (
                select account_id, case when event <> 'removed' then customer_id end as customer_id, seq
                from identity_event
                where account_id in (select account_id from identity_scope)
            )
            group by account_id
        ),
        claimed as (
            select distinct grp, customer_id from identity_claim
        ),
        eldest as (
            select groups.grp, arg_min(
                'c_' || substr(md5(scope.source || chr(31) || scope.account_key), 1, 16),
                (scope.opened_at is null, scope.opened_at, scope.account_id)
            ) as customer_id,
            arg_min(scope.account_id, (scope.opened_at is null, scope.opened_at, scope.account_id)) as anchor
            from identity_group as groups
            inner join identity_scope as scope on groups.node = scope.node
            group by groups.grp
        )
        select groups.node, groups.grp, scope.account_id,
            coalesce(claimed.customer_id, eldest.customer_id) as customer_id,
            claimed.customer_id is null and eldest.anchor = scope.account_id as is_new_anchor,
            former.customer_id as former_customer_id
        from identity_group as groups
        inner join identity_scope as scope on groups.node = scope.node
        inner join eldest on groups.grp = eldest.grp
        left join claimed on groups.grp = claimed.grp
        left join former on scope.account_id = former.account_id
        """
    )
