"""Groups of accounts that are one customer: connected by links, kept apart by vetoes and by instructions.

A veto holds for the whole group: two accounts with two names and two dates of birth (or sexes, or e-mail
addresses that have the one name and the other in them) are never one customer, whatever chain of others lies
between them. Where a connected group has such a pair, its links are
followed from the strongest to the weakest, and one that would bring the two together is not taken. The result
is a function of accounts, links and instructions alone, not of the order in which any of them arrived.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import duckdb

from pipelines.identity.agreement import create_agreement_macros
from pipelines.identity.components import connect
from pipelines.identity.links import find_attachments, find_links
from pipelines.identity.rules import STRENGTH, IdentityRules

_INSTRUCTED = STRENGTH["merge_instruction"]
_LAST_CERTAIN = STRENGTH["verified_email"]


def group(con: duckdb.DuckDBPyConnection, rules: IdentityRules) -> None:
    """Fills `identity_group` (node, grp: the smallest node of the customer's accounts) and `identity_link`.

    Reads `identity_scope` (node and facts), `identity_carrier` (node, kind, value, is_verified),
    `identity_extra_link` (node_a, node_b, rule: of instructions and of the fuzzy model) and
    `identity_barrier` (node_a < node_b: a split instruction).

    `identity_link`: node_a, node_b, rule, kinds, is_applied; links between accounts that a veto or an
    instruction keeps apart stay, with is_applied false.
    """
    create_agreement_macros(con)
    find_links(con)
    con.execute(
        f"""
        create or replace temp table identity_link as
        select node_a, node_b, kinds, rule, strength from identity_pair where rule is not null
        union all
        select least(node_a, node_b), greatest(node_a, node_b), []::varchar[], rule,
            case rule when 'fuzzy' then {STRENGTH["fuzzy"]} else {_INSTRUCTED} end
        from identity_extra_link
        """
    )
    connect(
        con,
        nodes="identity_scope",
        edges="(select node_a as a, node_b as b from identity_link)",
        into="identity_connected",
    )
    _find_conflicts(con, rules)
    _divide(con)
    for rule, contacts in (("only_candidate", False), ("contact", True)):
        find_attachments(con, contacts=contacts)
        _attach(con, rule)


def _find_conflicts(con: duckdb.DuckDBPyConnection, rules: IdentityRules) -> None:
    """Fills `identity_conflict` (component, node_a, node_b) and `identity_crowd` (component)."""
    con.execute(
        f"""
        create or replace temp table identity_crowd as
        with people as (
            select distinct connected.component, scope.name, scope.birth_date, scope.sex
            from identity_connected as connected
            inner join identity_scope as scope on connected.node = scope.node
            where scope.name.form is not null
        )
        select component from people group by component having count(*) > {rules.max_conflicts}
        """
    )
    con.execute(
        f"""
        create or replace temp table identity_conflict as
        with people as (
            select connected.component, connected.node, scope.name, scope.birth_date, scope.sex,
                scope.email_form, email_names(scope.email_form, scope.name) as is_own_email
            from identity_connected as connected
            inner join identity_scope as scope on connected.node = scope.node
            where scope.name.form is not null
                and connected.component not in (select component from identity_crowd)
        ),
        mixed as (
            select component from people group by component having count(distinct name.form) > 1
        ),
        mixed_people as (
            select * from people where component in (select component from mixed)
        )
        select one.component, one.node as node_a, other.node as node_b, false as is_instructed
        from mixed_people as one
        inner join mixed_people as other on one.component = other.component and one.node < other.node
        where names_agree(one.name, other.name) <> 'same' and (
            one.birth_date <> other.birth_date or one.sex <> other.sex
            or (one.is_own_email and other.is_own_email)
        )
        union all
        select one.component, barriers.node_a, barriers.node_b, true as is_instructed
        from identity_barrier as barriers
        inner join identity_connected as one on barriers.node_a = one.node
        inner join identity_connected as other on barriers.node_b = other.node
        where one.component = other.component
        """
    )


def _divide(con: duckdb.DuckDBPyConnection) -> None:
    """Fills `identity_group` from the connected groups, those with a conflict divided."""
    con.execute(
        f"""
        delete from identity_link
        where strength > {_LAST_CERTAIN} and node_a in (
            select node from identity_connected where component in (select component from identity_crowd)
        )
        """
    )
    in_conflict = "(select component from identity_conflict union select component from identity_crowd)"
    links = con.execute(
        f"""
        select links.node_a, links.node_b, links.strength
        from identity_link as links
        inner join identity_connected as connected on links.node_a = connected.node
        where connected.component in {in_conflict}
        order by connected.component, links.strength, links.node_a, links.node_b
        """
    ).fetchall()
    conflicts = con.execute(
        "select node_a, node_b, is_instructed from identity_conflict order by all"
    ).fetchall()
    divided = keep_apart(links, conflicts)
    con.execute(
        f"""
        create or replace temp table identity_group as
        select node, case when component in {in_conflict} then node else component end as grp
        from identity_connected
        """
    )
    if divided:
        con.execute("create or replace temp table identity_divided (node bigint, grp bigint)")
        con.execute(
            "insert into identity_divided select unnest($nodes), unnest($groups)",
            {"nodes": list(divided), "groups": list(divided.values())},
        )
        con.execute(
            "update identity_group set grp = divided.grp from identity_divided as divided "
            "where identity_group.node = divided.node"
        )
        con.execute("drop table identity_divided")


def keep_apart(
    links: Iterable[tuple[int, int, int]], conflicts: Sequence[tuple[int, int, bool]]
) -> dict[int, int]:
    """Follows links in their order and takes those that bring no two conflicting nodes together.

    Args:
        links: node, node and strength, the strongest first.
        conflicts: two nodes that may not meet, and whether an instruction says so. What an instruction to
            merge brings together only an instruction to split keeps apart.

    Returns:
        The smallest node of its group for each node that has a link.

    Example:
        >>> keep_apart([(1, 2, 5), (2, 3, 7)], [(1, 3, False)])
        {1: 1, 2: 1, 3: 3}
    """
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    enemies: dict[bool, dict[int, set[int]]] = {False: defaultdict(set), True: defaultdict(set)}
    for one, other, is_instructed in conflicts:
        enemies[is_instructed][one].add(other)
        enemies[is_instructed][other].add(one)

    for one, other, strength in links:
        a, b = sorted((root(one), root(other)))
        binding = (True,) if strength == _INSTRUCTED else (True, False)
        if a == b or any(b in enemies[kind][a] for kind in binding):
            continue
        parent[b] = a
        for foes in enemies.values():
            for foe in foes.pop(b, set()):
                foes[foe].discard(b)
                if foe != a:
                    foes[foe].add(a)
                    foes[a].add(foe)
            foes[a].discard(a)
    return {node: root(node) for node in sorted(parent)}


def _attach(con: duckdb.DuckDBPyConnection, rule: str) -> None:
    """Joins the groups of `identity_attachment` to their candidates, but where an instruction forbids it."""
    con.execute(
        """
        delete from identity_attachment where (grp, other_grp) in (
            select (one.grp, other.grp)
            from identity_barrier as barriers
            inner join identity_group as one on barriers.node_a = one.node
            inner join identity_group as other on barriers.node_b = other.node
            union all
            select (other.grp, one.grp)
            from identity_barrier as barriers
            inner join identity_group as one on barriers.node_a = one.node
            inner join identity_group as other on barriers.node_b = other.node
        )
        """
    )
    con.execute(
        f"""
        insert into identity_link
        select pairs.node_a, pairs.node_b, pairs.kinds, '{rule}', {STRENGTH[rule]}
        from identity_attachment as attachments
        inner join identity_pair as pairs
            on pairs.node_a = least(attachments.node_a, attachments.node_b)
            and pairs.node_b = greatest(attachments.node_a, attachments.node_b)
        """
    )
    connect(
        con,
        nodes="(select distinct grp as node from identity_group)",
        edges="(select grp as a, other_grp as b from identity_attachment)",
        into="identity_regrouped",
    )
    con.execute(
        """
        create or replace temp table identity_joined as
        select groups.node, min(groups.node) over (partition by regrouped.component) as grp
        from identity_group as groups
        inner join identity_regrouped as regrouped on groups.grp = regrouped.node
        """
    )
    con.execute("drop table identity_group")
    con.execute("alter table identity_joined rename to identity_group")
