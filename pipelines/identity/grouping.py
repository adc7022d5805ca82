"""Groups of accounts that are one customer: connected by links, kept apart by vetoes and by instructions.

A veto holds for the whole group: two accounts with two names and two dates of birth (or sexes, or e-mail
addresses that have the one name and the other in them) are never one customer, whatever chain of others lies
between them. Where a connected group has such a pair, its links are
followed from the strongest to the weakest, and one that would bring the two together is not taken. Only an
instruction to merge does; the two then count as one person in that group, so that whoever is the one or the
other may join it. The result is a function of accounts, links and instructions alone, not of the order in
which any of them arrived.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

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
    _connect_links(con)
    for weakest in (_LAST_CERTAIN, _INSTRUCTED):
        if _thin_out_crowds(con, rules, weakest):
            _connect_links(con)
    _find_conflicts(con, "identity_connected")
    _divide(con)
    for rule, contacts in (("only_candidate", False), ("contact", True)):
        find_attachments(con, contacts=contacts)
        _leave_out(con, rules)
        _attach(con, rule)


def _connect_links(con: duckdb.DuckDBPyConnection) -> None:
    connect(
        con,
        nodes="identity_scope",
        edges="(select node_a as a, node_b as b from identity_link)",
        into="identity_connected",
    )


def _crowds(rules: IdentityRules, connected: str) -> str:
    """A query of the components of `connected` (node, component) that have too many people in them."""
    return f"""
        select component
        from (
            select distinct connected.component, scope.name, scope.birth_date, scope.sex
            from {connected} as connected
            inner join identity_scope as scope on connected.node = scope.node
            where scope.name.form is not null
        )
        group by component having count(*) > {rules.max_conflicts}
    """


def _thin_out_crowds(con: duckdb.DuckDBPyConnection, rules: IdentityRules, weakest: int) -> int:
    """Deletes the links within crowds that are weaker than this strength; returns how many."""
    row = con.execute(
        f"""
        delete from identity_link
        where strength > {weakest} and node_a in (
            select node from identity_connected
            where component in ({_crowds(rules, "identity_connected")})
        )
        """
    ).fetchone()
    return int(row[0]) if row else 0


def _find_conflicts(con: duckdb.DuckDBPyConnection, connected: str) -> None:
    """Fills `identity_person` (node, component, person: the smallest node with equal facts) and
    `identity_conflict` (component, person_a, person_b), of the components with several names.

    Accounts of one name, date of birth and sex are compared as one: a component has few people, whatever its
    number of accounts.

    Args:
        con: the connection.
        connected: node, component.
    """
    con.execute(
        f"""
        create or replace temp table identity_person as
        with mixed as (
            select connected.component
            from {connected} as connected
            inner join identity_scope as scope on connected.node = scope.node
            group by connected.component having count(distinct scope.name.form) > 1
        ),
        people as (
            select connected.component, connected.node, scope.name, scope.birth_date, scope.sex,
                coalesce(email_names(scope.email_form, scope.name), false) as is_own_email
            from {connected} as connected
            inner join identity_scope as scope on connected.node = scope.node
            where scope.name.form is not null and connected.component in (select component from mixed)
        )
        select *, min(node) over (
            partition by component, name, birth_date, sex, is_own_email
        ) as person
        from people
        """
    )
    con.execute(
        """
        create or replace temp table identity_conflict as
        with people as (
            select * from identity_person where node = person
        )
        select one.component, one.person as person_a, other.person as person_b
        from people as one
        inner join people as other on one.component = other.component and one.person < other.person
        where names_agree(one.name, other.name) <> 'same' and (
            one.birth_date <> other.birth_date or one.sex <> other.sex
            or (one.is_own_email and other.is_own_email)
        )
        """
    )


def _divide(con: duckdb.DuckDBPyConnection) -> None:
    """Fills `identity_group` from the connected groups, those with a conflict divided."""
    con.execute(
        """
        create or replace temp table identity_contested as
        select component from identity_conflict
        union
        select one.component
        from identity_barrier as barriers
        inner join identity_connected as one on barriers.node_a = one.node
        inner join identity_connected as other on barriers.node_b = other.node
        where one.component = other.component
        """
    )
    links = con.execute(
        """
        select links.node_a, links.node_b, links.strength
        from identity_link as links
        inner join identity_connected as connected on links.node_a = connected.node
        where connected.component in (from identity_contested)
        order by connected.component, links.strength, links.node_a, links.node_b
        """
    ).fetchall()
    people = con.execute(
        "select node, person from identity_person where component in (from identity_contested)"
    ).fetchall()
    divided = keep_apart(
        links,
        people=dict(people),
        conflicts=con.execute("select person_a, person_b from identity_conflict").fetchall(),
        barriers=con.execute("select node_a, node_b from identity_barrier").fetchall(),
    )
    con.execute(
        """
        create or replace temp table identity_group as
        select node, case when component in (from identity_contested) then node else component end as grp
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
    links: Iterable[tuple[int, int, int]],
    *,
    people: Mapping[int, int],
    conflicts: Iterable[tuple[int, int]],
    barriers: Iterable[tuple[int, int]],
) -> dict[int, int]:
    """Follows links in their order and takes those that bring nobody together who is to be apart.

    Args:
        links: node, node and strength, the strongest first.
        people: the person that a node is of, where one is known.
        conflicts: two people who are not one customer, unless an instruction to merge says so.
        barriers: two nodes that an instruction to split keeps apart, whatever else is said.

    Returns:
        The smallest node of its group for each node that has a link.

    Example:
        >>> keep_apart([(1, 2, 5), (2, 3, 7)], people={1: 10, 3: 30}, conflicts=[(10, 30)], barriers=[])
        {1: 1, 2: 1, 3: 3}
    """
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    foes, barred = _neighbours(conflicts), _neighbours(barriers)
    members = defaultdict(set, {node: {person} for node, person in people.items()})
    for one, other, strength in links:
        a, b = sorted((root(one), root(other)))
        if a == b or b in barred[a]:
            continue
        few, many = sorted((members[a], members[b]), key=len)
        if strength != _INSTRUCTED and _are_apart(few, many, foes):
            continue
        parent[b] = a
        many |= few
        members[a] = many
        del members[b]
        for foe in barred.pop(b, set()):
            barred[foe].remove(b)
            barred[foe].add(a)
            barred[a].add(foe)
    return {node: root(node) for node in sorted(parent)}


def _neighbours(pairs: Iterable[tuple[int, int]]) -> defaultdict[int, set[int]]:
    found: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        found[one].add(other)
        found[other].add(one)
    return found


def _are_apart(few: AbstractSet[int], many: AbstractSet[int], foes: Mapping[int, AbstractSet[int]]) -> bool:
    """Whether a person of one group conflicts with one of the other, and not only with one of their own."""
    return any(person not in many and person in foes and not (foes[person] & many) <= few for person in few)


def _leave_out(con: duckdb.DuckDBPyConnection, rules: IdentityRules) -> None:
    """Deletes the attachments that would bring together what a veto or an instruction keeps apart.

    Nothing tells which of them is right, so none is. A group of several candidates brings nobody together
    where two of all those who would meet are apart, or are a crowd. Of two groups that are to be apart and
    have the same candidate, neither is attached.
    """
    connect(
        con,
        nodes="(select grp as node from identity_attachment union select other_grp from identity_attachment)",
        edges="(select grp as a, other_grp as b from identity_attachment)",
        into="identity_gathered",
    )
    con.execute(
        """
        create or replace temp table identity_several as
        select grp from identity_attachment group by grp having count(*) > 1
        """
    )
    con.execute(
        """
        create or replace temp table identity_meeting as
        select groups.node, gathered.component
        from identity_group as groups
        inner join identity_gathered as gathered on groups.grp = gathered.node
        where gathered.component in (
            select component from identity_gathered where node in (from identity_several)
        )
        """
    )
    con.execute(
        """
        create or replace temp table identity_group_barrier as
        select one.grp, other.grp as other_grp
        from identity_barrier as barriers
        inner join identity_group as one on barriers.node_a = one.node
        inner join identity_group as other on barriers.node_b = other.node
        union
        select other.grp, one.grp
        from identity_barrier as barriers
        inner join identity_group as one on barriers.node_a = one.node
        inner join identity_group as other on barriers.node_b = other.node
        """
    )
    con.execute(f"create or replace temp table identity_crowd as {_crowds(rules, 'identity_meeting')}")
    con.execute("delete from identity_meeting where component in (from identity_crowd)")
    _find_conflicts(con, "identity_meeting")
    con.execute(
        """
        delete from identity_attachment where grp in (from identity_several) and grp in (
            select node from identity_gathered
            where component in (
                from identity_crowd
                union
                select component from identity_conflict
                union
                select one.component
                from identity_group_barrier as barriers
                inner join identity_gathered as one on barriers.grp = one.node
                inner join identity_gathered as other on barriers.other_grp = other.node
                where one.component = other.component
            )
        )
        """
    )
    con.execute(
        """
        delete from identity_attachment
        where (grp, other_grp) in (select (grp, other_grp) from identity_group_barrier)
            or (grp, other_grp) in (
                select (one.grp, one.other_grp)
                from identity_attachment as one
                inner join identity_attachment as other on one.other_grp = other.other_grp
                inner join identity_group_barrier as barriers
                    on one.grp = barriers.grp and other.grp = barriers.other_grp
            )
        """
    )


def _attach(con: duckdb.DuckDBPyConnection, rule: str) -> None:
    """Joins the groups of `identity_attachment` to their candidates."""
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
