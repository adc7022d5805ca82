"""The identity graph of a shop: from accounts and identifiers to customers with stable ids.

A run looks only at what has changed. Accounts that share an identifier which is not `shared` form a *block*;
nothing outside a block can change what happens in it. So the blocks of changed accounts, and of accounts
whose identifiers' other carriers have changed, are resolved anew, and the result is that of resolving all.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import duckdb

from pipelines.feeds.sql import literal
from pipelines.identity.components import connect
from pipelines.identity.grouping import group
from pipelines.identity.instructions import Instruction
from pipelines.identity.ledger import Ledger, assign_ids
from pipelines.identity.rules import RULES_VERSION, IdentityRules

_STATE = {
    "account": """
        account_id varchar, source varchar, account_key varchar, opened_at timestamptz, is_contact boolean,
        fact_hash ubigint, block varchar, customer_id varchar
    """,
    "carrier": "account_id varchar, kind varchar, value varchar, is_verified boolean",
    "shared_identifier": "kind varchar, value varchar, accounts bigint",
    "link": """
        account_a varchar, account_b varchar, rule varchar, kinds varchar[], evidence varchar,
        is_applied boolean
    """,
    "alias": "alias_id varchar, customer_id varchar, merged_at timestamptz",
    "instruction": "kind varchar, account_a varchar, account_b varchar",
    "standing": "digest varchar",
}


@dataclass(frozen=True)
class Resolution:
    """What a run found.

    Attributes:
        accounts: all accounts.
        customers: all customers.
        examined: accounts of the blocks that were resolved anew.
        events: of the ledger, by kind; those of this run.
        shared: identifier values that too many accounts carry.
        waiting: instructions that name an account which no source has (yet).
    """

    accounts: int
    customers: int
    examined: int
    events: dict[str, int]
    shared: int
    waiting: int


def ensure_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Makes the schema `identity` and its tables, empty, where they are missing."""
    con.execute("create schema if not exists identity")
    for table, columns in _STATE.items():
        con.execute(f"create table if not exists identity.{table} ({columns})")


def resolve(
    con: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    *,
    accounts: str,
    identifiers: str,
    instructions: Sequence[Instruction],
    rules: IdentityRules,
    run_id: str,
    recorded_at: str,
    fuzzy_links: str | None = None,
) -> Resolution:
    """Brings the tables of the schema `identity` up to date, in one transaction, and writes the ledger.

    Args:
        con: on the warehouse, not in a transaction.
        ledger: where ids are kept.
        accounts: relation: account_id (`<source>:<account_key>`, unique), source, account_key, opened_at,
            is_contact (of the help desk: an address without more), name (struct of form, han, family, given;
            as `pipelines.identity.names` makes them), birth_date, sex, email_form.
        identifiers: relation: account_id (of these accounts), kind (see `rules.KINDS`), value (in normal
            form), is_verified.
        instructions: merges and splits that people have decided.
        rules: how careful the links are.
        run_id: the run, for the ledger.
        recorded_at: its time, ISO 8601.
        fuzzy_links: relation: account_a, account_b, evidence; from `pipelines.identity.fuzzy`.

    The tables: `account` (one row per account, with its customer), `carrier`, `shared_identifier`, `link`,
    `alias`. A failure leaves them as they were.
    """
    ensure_tables(con)
    con.execute("begin")
    try:
        _read(con, accounts, identifiers, rules)
        if fuzzy_links is not None or not _is_known(con, _standing(ledger, rules, fuzzy_links)):
            _forget(con)
        _find_scope(con, instructions)
        _prepare(con, fuzzy_links)
        group(con, rules)
        assign_ids(con, ledger)
        _record(con, run_id, recorded_at)
        events = dict(
            con.execute(
                "select event, count(*) from identity_new_event group by event order by event"
            ).fetchall()
        )
        examined = _count(con, "identity_scope")
        ledger.append(con, "identity_new_event")
        _store(con, ledger)
        con.execute("delete from identity.standing")
        standing = _standing(ledger, rules, fuzzy_links)
        con.execute(f"insert into identity.standing values ({literal(standing)})")
        resolution = Resolution(
            accounts=_count(con, "identity.account"),
            customers=_count(con, "(select distinct customer_id from identity.account)"),
            examined=examined,
            events=events,
            shared=_count(con, "identity.shared_identifier"),
            waiting=_waiting(con),
        )
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    finally:
        _drop_temporary(con)
    return resolution


def _count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = con.execute(f"select count(*) from {relation}").fetchone()
    return int(row[0]) if row else 0


def _read(con: duckdb.DuckDBPyConnection, accounts: str, identifiers: str, rules: IdentityRules) -> None:
    """Makes `identity_carrier_now`, `identity_shared_now` and `identity_present` (with `fact_hash`)."""
    caps = ", ".join(f"('{kind}', {cap})" for kind, cap in rules.max_accounts.items())
    con.execute(
        f"""
        create or replace temp table identity_carrier_now as
        select account_id, kind, value, bool_or(is_verified) as is_verified
        from {identifiers} as given where value is not null
        group by account_id, kind, value
        """
    )
    con.execute(
        f"""
        create or replace temp table identity_shared_now as
        select carriers.kind, carriers.value, count(*) as accounts
        from identity_carrier_now as carriers
        inner join (values {caps}) as caps (kind, most) on carriers.kind = caps.kind
        group by carriers.kind, carriers.value, caps.most
        having count(*) > caps.most
        """
    )
    con.execute(
        f"""
        create or replace temp table identity_present as
        with carried as (
            select account_id, bit_xor(hash(kind, value, is_verified)) as identifiers
            from identity_carrier_now group by account_id
        )
        select given.*, hash(
            given.opened_at, given.is_contact, given.name, given.birth_date, given.sex, given.email_form,
            coalesce(carried.identifiers, 0)
        ) as fact_hash
        from {accounts} as given
        left join carried on given.account_id = carried.account_id
        """
    )


def _standing(ledger: Ledger, rules: IdentityRules, fuzzy_links: str | None) -> str:
    """What the tables stand on: the rules, and the ledger up to its newest file.

    A warehouse that stands on something else is resolved anew; the ids are safe, they are in the ledger. So
    it is after a run that died between writing the ledger's file and the end of its transaction.
    """
    files = ledger.files()
    told = json.dumps(
        [
            *(RULES_VERSION, dict(rules.max_accounts), rules.max_conflicts, fuzzy_links is not None),
            files[-1].stem if files else None,
        ]
    )
    return hashlib.sha256(told.encode()).hexdigest()


def _is_known(con: duckdb.DuckDBPyConnection, standing: str) -> bool:
    return con.execute("select digest from identity.standing").fetchall() == [(standing,)]


def _forget(con: duckdb.DuckDBPyConnection) -> None:
    """Makes every account one to be looked at; so it is with fuzzy links too, as a new fit may change any."""
    for table in ("account", "carrier", "shared_identifier", "link", "alias"):
        con.execute(f"delete from identity.{table}")


def _find_scope(con: duckdb.DuckDBPyConnection, instructions: Sequence[Instruction]) -> None:
    """Makes `identity_scope`: the accounts that are resolved anew, numbered in the order of their ids."""
    con.execute(
        "create or replace temp table identity_told (kind varchar, account_a varchar, account_b varchar)"
    )
    if instructions:
        con.executemany(
            "insert into identity_told values ($kind, $account_a, $account_b)",
            [asdict(each) for each in instructions],
        )
    con.execute(
        """
        create or replace temp table identity_scope as
        with changed as (
            select coalesce(present.account_id, known.account_id) as account_id
            from identity_present as present
            full outer join identity.account as known on present.account_id = known.account_id
            where present.fact_hash is distinct from known.fact_hash
        ),
        instructed as (
            (select * from identity_told except select * from identity.instruction)
            union all
            (select * from identity.instruction except select * from identity_told)
        ),
        moved_values as (
            select kind, value from (
                select kind, value from identity_carrier_now
                where account_id in (select account_id from changed)
                union
                select kind, value from identity.carrier
                where account_id in (select account_id from changed)
            )
            -- What was and is shared joins nobody, whoever else carries it by now.
            where not (
                (kind, value) in (select (kind, value) from identity_shared_now)
                and (kind, value) in (select (kind, value) from identity.shared_identifier)
            )
        ),
        affected as (
            select account_id from changed
            union
            select account_a from instructed
            union
            select account_b from instructed
            union
            -- For whom an instruction has waited.
            select account_a from identity_told where account_b in (select account_id from changed)
            union
            select account_b from identity_told where account_a in (select account_id from changed)
            union
            select carriers.account_id
            from identity_carrier_now as carriers
            semi join moved_values
                on carriers.kind = moved_values.kind and carriers.value = moved_values.value
        ),
        touched as (
            select distinct block from identity.account where account_id in (select account_id from affected)
        )
        select row_number() over (order by present.account_id) as node, present.*
        from identity_present as present
        left join identity.account as known on present.account_id = known.account_id
        where known.account_id is null or known.block in (select block from touched)
        """
    )


def _prepare(con: duckdb.DuckDBPyConnection, fuzzy_links: str | None) -> None:
    """Makes what the grouping reads beside the scope, and `identity_block` (node, block)."""
    con.execute(
        """
        create or replace temp table identity_carrier as
        select scope.node, carriers.kind, carriers.value, carriers.is_verified
        from identity_carrier_now as carriers
        inner join identity_scope as scope on carriers.account_id = scope.account_id
        anti join identity_shared_now as shared
            on carriers.kind = shared.kind and carriers.value = shared.value
        """
    )
    told = """
        select a.node as node_a, b.node as node_b, told.kind
        from identity_told as told
        inner join identity_scope as a on told.account_a = a.account_id
        inner join identity_scope as b on told.account_b = b.account_id
    """
    probable = (
        "select null, null, null, null where false"
        if fuzzy_links is None
        else f"""
        select a.node, b.node, 'fuzzy', links.evidence
        from {fuzzy_links} as links
        inner join identity_scope as a on links.account_a = a.account_id
        inner join identity_scope as b on links.account_b = b.account_id
    """
    )
    con.execute(
        f"""
        create or replace temp table identity_extra_link as
        select node_a, node_b, 'merge_instruction' as rule, null as evidence
        from ({told}) where kind = 'merge'
        union all
        {probable}
        """
    )
    con.execute(
        f"""
        create or replace temp table identity_barrier as
        select least(node_a, node_b) as node_a, greatest(node_a, node_b) as node_b
        from ({told}) where kind = 'split'
        """
    )
    connect(
        con,
        nodes="identity_scope",
        edges="""(
            select min(node) over (partition by kind, value) as a, node as b from identity_carrier
            union all
            select node_a, node_b from identity_extra_link
            union all
            select node_a, node_b from identity_barrier
        )""",
        into="identity_block",
    )


def _record(con: duckdb.DuckDBPyConnection, run_id: str, recorded_at: str) -> None:
    """Makes `identity_new_event`: what has changed against the ledger."""
    con.execute(
        """
        create or replace temp table identity_change as
        select assigned.*,
            case
                when former_customer_id is null and is_new_anchor then 'created'
                when former_customer_id is null then 'joined'
                when claims.customer_id is not distinct from assigned.customer_id then 'merged'
                else 'split'
            end as event,
            claims.grp as former_grp
        from identity_assigned as assigned
        left join identity_claim as claims on assigned.former_customer_id = claims.alias_id
        where assigned.former_customer_id is distinct from assigned.customer_id
        """
    )
    _find_shared_by_parted(con)
    con.execute(
        f"""
        create or replace temp table identity_new_event as
        with reasons as (
            select links.node, arg_min(links.evidence, (links.strength, links.evidence)) as evidence
            from (
                select unnest([links.node_a, links.node_b]) as node, links.strength, unnest([
                    to_json(struct_pack("rule" := links.rule, kinds := links.kinds, "with" := b.account_id)),
                    to_json(struct_pack("rule" := links.rule, kinds := links.kinds, "with" := a.account_id))
                ]) as evidence
                from identity_link as links
                inner join identity_scope as a on links.node_a = a.node
                inner join identity_scope as b on links.node_b = b.node
                where links.is_applied
            ) as links
            where links.node in (select node from identity_change)
            group by links.node
        )
        select {literal(run_id)} as run_id, cast({literal(recorded_at)} as timestamptz) as recorded_at,
            event, account_id, customer_id, former_customer_id, cast(evidence as varchar) as evidence
        from (
            select changes.event, changes.account_id, changes.customer_id, changes.former_customer_id,
                case
                    when changes.event in ('joined', 'merged') then reasons.evidence
                    when changes.event = 'split' then to_json(struct_pack("rule" := case
                        when (changes.grp, changes.former_grp) in (
                            select (grp, other_grp) from identity_barred_group
                        ) then 'split_instruction'
                        when (changes.grp, changes.former_grp) in (
                            select (grp, former_grp) from identity_overfull
                        ) then 'shared_identifier'
                        else 'no_longer_linked'
                    end))
                end as evidence
            from identity_change as changes
            left join reasons on changes.node = reasons.node
            union all
            -- Who leaves a customer and becomes the anchor of a new one registers its id as well.
            select 'created', account_id, customer_id, former_customer_id, null
            from identity_assigned
            where is_new_anchor and former_customer_id is not null
            union all
            select 'removed', account_id, null, customer_id, null
            from identity_last
            where not is_removed and account_id not in (select account_id from identity_present)
            union all
            select 'inherited', account_id, customer_id, null,
                to_json(struct_pack("rule" := 'anchor_removed', "with" := former_account_id))
            from identity_anchor
            where former_account_id is not null
        )
        """
    )


def _find_shared_by_parted(con: duckdb.DuckDBPyConnection) -> None:
    """Makes `identity_overfull` (grp, former_grp): who have parted and both carry a value that is shared."""
    con.execute(
        """
        create or replace temp table identity_parted as
        select distinct grp, former_grp from identity_change where event = 'split' and former_grp is not null
        """
    )
    con.execute(
        """
        create or replace temp table identity_held as
        select distinct groups.grp, carriers.kind, carriers.value
        from identity_group as groups
        inner join identity_scope as scope on groups.node = scope.node
        inner join identity_carrier_now as carriers on scope.account_id = carriers.account_id
        semi join identity_shared_now as shared
            on carriers.kind = shared.kind and carriers.value = shared.value
        where groups.grp in (select grp from identity_parted union select former_grp from identity_parted)
        """
    )
    con.execute(
        """
        create or replace temp table identity_overfull as
        select distinct parted.grp, parted.former_grp
        from identity_parted as parted
        inner join identity_held as held on parted.grp = held.grp
        where (parted.former_grp, held.kind, held.value) in (select (grp, kind, value) from identity_held)
        """
    )


def _store(con: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Replaces the rows of the scope in the tables of the schema."""
    gone = """
        select account_id from identity.account
        where account_id not in (select account_id from identity_present)
        union
        select account_id from identity_scope
    """
    con.execute(f"create or replace temp table identity_gone as {gone}")
    con.execute("delete from identity.link where account_a in (select account_id from identity_gone)")
    con.execute("delete from identity.account where account_id in (select account_id from identity_gone)")
    con.execute(
        """
        insert into identity.account
        select scope.account_id, scope.source, scope.account_key, scope.opened_at, scope.is_contact,
            scope.fact_hash, eldest.account_id as block, assigned.customer_id
        from identity_scope as scope
        inner join identity_assigned as assigned on scope.node = assigned.node
        inner join identity_block as blocks on scope.node = blocks.node
        inner join identity_scope as eldest on blocks.component = eldest.node
        """
    )
    con.execute(
        """
        insert into identity.link
        select a.account_id, b.account_id, links.rule, links.kinds, extra.evidence, links.is_applied
        from identity_link as links
        inner join identity_scope as a on links.node_a = a.node
        inner join identity_scope as b on links.node_b = b.node
        left join identity_extra_link as extra
            on links.rule = extra.rule and links.node_a = least(extra.node_a, extra.node_b)
            and links.node_b = greatest(extra.node_a, extra.node_b)
        """
    )
    con.execute("delete from identity.carrier where account_id in (select account_id from identity_gone)")
    con.execute(
        "insert into identity.carrier select carriers.* from identity_carrier_now as carriers "
        "semi join identity_scope as scope on carriers.account_id = scope.account_id"
    )
    con.execute("delete from identity.shared_identifier")
    con.execute("insert into identity.shared_identifier select * from identity_shared_now")
    con.execute(
        "delete from identity.alias where alias_id in (select alias_id from identity_claim) "
        "or customer_id in (select customer_id from identity_assigned) "
        "or customer_id not in (select customer_id from identity.account)"
    )
    con.execute(
        f"""
        insert into identity.alias
        with retired as (
            select claims.alias_id, claims.customer_id, anchors.account_id
            from identity_claim as claims
            inner join identity_anchor as anchors on claims.alias_id = anchors.customer_id
            where claims.alias_id <> claims.customer_id
        ),
        moves as (
            select account_id, arg_max(recorded_at, seq) as merged_at
            from {ledger.relation()}
            where event not in ('removed', 'inherited')
                and account_id in (select account_id from retired)
            group by account_id
        )
        select retired.alias_id, retired.customer_id, moves.merged_at
        from retired
        left join moves on retired.account_id = moves.account_id
        """
    )
    con.execute("delete from identity.instruction")
    con.execute("insert into identity.instruction select * from identity_told")


def _waiting(con: duckdb.DuckDBPyConnection) -> int:
    return _count(
        con,
        """(
            select * from identity_told
            where account_a not in (select account_id from identity_present)
                or account_b not in (select account_id from identity_present)
        )""",
    )


def _drop_temporary(con: duckdb.DuckDBPyConnection) -> None:
    tables = con.execute(
        "select table_name from duckdb_tables() where temporary and starts_with(table_name, 'identity_')"
    ).fetchall()
    for (table,) in tables:
        con.execute(f"drop table temp.{table}")
