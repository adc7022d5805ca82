"""Candidate links: every two accounts that share an identifier, and by which rule they are one customer's.

A phone number or a device says little by itself: two people of one household share it exactly as one person
with two accounts does. So it joins only with a compatible second fact. Set-based SQL on the caller's
connection, over the temporary tables that `pipelines.identity.resolve` has made.
"""

import duckdb

from pipelines.identity.rules import STRENGTH

_WEAK_KINDS = "('phone', 'email', 'device')"


def find_links(con: duckdb.DuckDBPyConnection) -> None:
    """Fills `identity_pair`, the candidate links of all accounts in `identity_scope`.

    Columns: node_a < node_b, kinds (of the identifiers that both carry), rule (null: sharing them is not
    enough), strength.

    Reads `identity_scope` (node, and the facts of the account: source, is_contact, name, birth_date, sex,
    email_form) and `identity_carrier` (node, kind, value, is_verified; without shared values).
    """
    con.execute(
        f"""
        create or replace temp table identity_pair as
        with pairs as (
            select one.node as node_a, other.node as node_b,
                list(distinct one.kind order by one.kind) as kinds,
                bool_or(one.kind = 'account') as is_named_together,
                bool_or(one.kind = 'card') as has_card,
                bool_or(one.kind = 'email') as has_email,
                bool_or(one.kind = 'phone') as has_phone,
                bool_or(one.kind = 'email' and one.is_verified and other.is_verified) as has_verified_email
            from identity_carrier as one
            inner join identity_carrier as other
                on one.kind = other.kind and one.value = other.value and one.node < other.node
            group by one.node, other.node
        ),
        compared as (
            select pairs.*,
                a.is_contact or b.is_contact or a.name.form is null or b.name.form is null as is_nameless,
                names_agree(a.name, b.name) as names,
                {facts_agree("a", "b")},
                coalesce(email_names(a.email_form, b.name), false)
                or coalesce(email_names(b.email_form, a.name), false) as is_named_by_email,
                a.source = b.source as is_one_source
            from pairs
            inner join identity_scope as a on pairs.node_a = a.node
            inner join identity_scope as b on pairs.node_b = b.node
        ),
        judged as (
            select node_a, node_b, kinds,
                case
                    when is_named_together then 'named_together'
                    when has_card then 'same_card'
                    when has_verified_email then 'verified_email'
                    when has_email and has_phone and not is_contradicted then 'two_identifiers'
                    when is_nameless then null
                    when names = 'same' then 'same_name'
                    when is_contradicted then null
                    when names = 'different' then null
                    when is_same_birth_date then 'same_birth_date'
                    when is_named_by_email then 'email_names_customer'
                    when emails_name_two then null
                    when names = 'near' or has_email then 'similar_name'
                    -- Brothers and sisters are more often in one system than one person is twice.
                    when not is_one_source then 'similar_name'
                end as rule
            from compared
        )
        select judged.*, strengths.strength
        from judged
        left join (values {_strengths()}) as strengths (rule, strength) on judged.rule = strengths.rule
        """
    )


def facts_agree(one: str, other: str) -> str:
    """SQL columns of a pair, false where nothing is known: is_same_birth_date, is_same_sex, is_contradicted
    (by date of birth or sex), emails_name_two (each address has its own account's name in it),
    email_names_other (one address has the other's surname in it beside another word)."""
    own = [f"coalesce(email_names({each}.email_form, {each}.name), false)" for each in (one, other)]
    return f"""
        coalesce({one}.birth_date = {other}.birth_date, false) as is_same_birth_date,
        coalesce({one}.sex = {other}.sex, false) as is_same_sex,
        coalesce({one}.birth_date <> {other}.birth_date, false) or coalesce({one}.sex <> {other}.sex, false)
            as is_contradicted,
        {own[0]} and {own[1]} as emails_name_two,
        coalesce(not email_names({one}.email_form, {other}.name), false)
        or coalesce(not email_names({other}.email_form, {one}.name), false) as email_names_other
    """


def _strengths() -> str:
    return ", ".join(f"('{rule}', {strength})" for rule, strength in STRENGTH.items())


def find_attachments(con: duckdb.DuckDBPyConnection, *, contacts: bool) -> None:
    """Fills `identity_attachment` (grp, other_grp, node_a, node_b): groups without a name, or contacts of the
    help desk, and the only customer they can be.

    Candidates are the groups that share a number, an address or a device with it; for accounts without a name
    those that have one, for contacts all. By e-mail address, where there are such, since a household may share
    a number. Several candidates of one and the same name are one customer, whom the nameless group brings
    together. Who has candidates of different names, or one that a fact contradicts, is left out.

    Reads `identity_group` (node, grp), `identity_carrier` and `identity_scope`.
    """
    is_lonely = "bool_and(is_contact)" if contacts else "not bool_or(is_named) and not bool_and(is_contact)"
    con.execute(
        f"""
        create or replace temp table identity_attachment as
        with members as (
            select groups.grp, scope.*, scope.name.form is not null as is_named
            from identity_group as groups
            inner join identity_scope as scope on groups.node = scope.node
        ),
        lonely as (
            select grp from members group by grp having {is_lonely}
        ),
        offers as (
            select distinct a.grp, b.grp as other_grp, a.node as node_a, b.node as node_b,
                b.name.form as form,
                one.kind = 'email' as is_by_email, {facts_agree("a", "b")}
            from members as a
            inner join lonely on a.grp = lonely.grp
            inner join identity_carrier as one on a.node = one.node and one.kind in {_WEAK_KINDS}
            inner join identity_carrier as two on one.kind = two.kind and one.value = two.value
            inner join members as b on two.node = b.node and a.grp <> b.grp
            where {"not b.is_contact" if contacts else "b.is_named"}
        ),
        best as (
            select * from offers
            qualify is_by_email = max(is_by_email) over (partition by grp)
        ),
        decided as (
            select grp from best
            group by grp
            having not bool_or(is_contradicted or email_names_other) and (
                count(distinct other_grp) = 1
                or (count(distinct form) = 1 and count(form) = count(*))
            )
        )
        select grp, other_grp, min(node_a) as node_a, arg_min(node_b, (node_a, node_b)) as node_b
        from best
        where grp in (select grp from decided)
        group by grp, other_grp
        """
    )
