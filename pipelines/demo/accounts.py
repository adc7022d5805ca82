"""What the shop's systems know of people: table `account`, and the truth about pairs of one person's
accounts.

An account is an online account, a store membership, a contact of the help desk or a social account.
`account_no` is eight times the person's number plus a slot, and serves as the id of every draw about the
account.
"""

import duckdb

from pipelines.demo import rates, words
from pipelines.demo.draws import DAY_SECONDS, by_value, one_of, texts

ACCOUNT_KEYS = {
    "ecommerce": "'A' || scrambled(account_no, 3)",
    "pos": "'M' || scrambled(account_no, 4)",
    "helpdesk": "'H' || scrambled(account_no, 5)",
    "social": "'oid_' || lower(to_base(cast(scrambled(account_no, 6) as bigint), 36))",
}
_PLACEHOLDER_PHONES = ("13800000000", "00000000000", "13800138000")
_PLACEHOLDER_EMAILS = ("test@test.com", "test@example.com", "none@none.com")


def create_accounts(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `account` from `person`: every buyer has an online account or a membership, or both.

    Columns: account_no, person_no, source, account_key, slot, opened_s, updated_s (null: never changed),
    name, phone and email as written down, phone_norm and email_norm (null: none, or a placeholder), city,
    new_city, email_verified, linked_key (the account of the shop that a social account is tied to).
    """
    con.execute(f"""
    create or replace table account_slot as
    with offered as (
        select
            *,
            kind <> 'enquirer' and (
                u('online', person_no) < {rates.ONLINE_SHARE}
                or kind = 'registrant' or u('store', person_no) >= {rates.STORE_SHARE}
            ) as has_online,
            kind = 'buyer' and u('store', person_no) < {rates.STORE_SHARE} as has_store
        from person
    ),
    slots as (
        select *, unnest([
            {{slot: 0, source: 'ecommerce', open: has_online}},
            {{slot: 1, source: 'ecommerce',
                open: has_online and u('second online', person_no) < {rates.SECOND_ONLINE_SHARE}}},
            {{slot: 2, source: 'pos', open: has_store}},
            {{slot: 3, source: 'pos',
                open: has_store and u('second store', person_no) < {rates.SECOND_STORE_SHARE}}},
            {{slot: 4, source: 'helpdesk',
                open: kind = 'enquirer' or u('help desk', person_no) < {rates.HELP_DESK_SHARE}}},
            {{slot: 5, source: 'social',
                open: kind <> 'enquirer' and u('social', person_no) < {rates.SOCIAL_SHARE}}}
        ]) as place
        from offered
    )
    select
        * exclude (place),
        place.slot as slot,
        place.source as source,
        person_no * 8 + place.slot as account_no
    from slots
    where place.open
    """)
    phone_kind = by_value(
        "source", {key: one_of(value, "u('phone', account_no)") for key, value in rates.PHONE_SHARES.items()}
    )
    email_kind = by_value(
        "source", {key: one_of(value, "u('email', account_no)") for key, value in rates.EMAIL_SHARES.items()}
    )
    name_kind = by_value(
        "source", {key: one_of(value, "u('name', account_no)") for key, value in rates.NAME_SHARES.items()}
    )
    con.execute(f"""
    create or replace table account as
    with chosen as (
        select
            *,
            {phone_kind} as phone_kind,
            {email_kind} as email_kind,
            {name_kind} as name_kind,
            {one_of(rates.SOCIAL_LINK_SHARES, "u('link', account_no)")} as link_kind,
            -- The first account is as old as the customer; the others came later.
            cast(if(
                slot = min(slot) over (partition by person_no),
                joined_s,
                least(
                    greatest(joined_s, -200 * {DAY_SECONDS})
                    + u('opened', account_no) * {rates.SECOND_ACCOUNT_MAX_DAYS * DAY_SECONDS},
                    {(rates.DAYS - 11) * DAY_SECONDS}
                )
            ) as bigint) as opened_s
        from account_slot
    ),
    identified as (
        select
            *,
            {by_value("source", ACCOUNT_KEYS)} as account_key,
            case phone_kind
                when 'own' then phone
                when 'household' then household_phone
                when 'old' then if(has_changed_phone, old_phone, phone)
            end as phone_norm,
            case
                when source = 'helpdesk' and phone_kind <> 'none' then null
                when email_kind = 'first' then email
                when email_kind = 'second' then second_email
                when email_kind = 'typo' then replace(email, '.com', '.con')
            end as email_norm
        from chosen
    )
    select
        account_no,
        person_no,
        household_no,
        source,
        slot,
        account_key,
        opened_s,
        if(
            (u('changed', account_no) < {rates.CHANGED_ACCOUNT_SHARE} or (has_moved and slot = 0))
            and moved_s < {(rates.DAYS - 3) * DAY_SECONDS},
            greatest(opened_s + {DAY_SECONDS}, moved_s),
            null
        ) as updated_s,
        case name_kind
            when 'full' then full_name
            when 'pinyin' then family_latin || ' ' || given_latin
            when 'pinyin_reversed' then given_latin || ' ' || family_latin
            when 'typo' then if(
                is_english, full_name[:1] || full_name[3:],
                full_name[:1] || pick({texts(words.GIVEN)}, 'typo', account_no) || full_name[3:]
            )
            when 'nickname' then pick({texts(words.NICKNAMES)}, 'nickname', account_no)
        end as name,
        case
            when phone_kind = 'placeholder' then pick({texts(_PLACEHOLDER_PHONES)}, 'placeholder', account_no)
            when phone_norm is null then null
            else case below(10, 'notation', account_no)
                when 0 then '+86 ' || phone_norm[:3] || ' ' || phone_norm[4:7] || ' ' || phone_norm[8:]
                when 1 then '+86' || phone_norm
                when 2 then '0086' || phone_norm
                when 3 then phone_norm[:3] || '-' || phone_norm[4:7] || '-' || phone_norm[8:]
                when 4 then '(+86) ' || phone_norm[:3] || ' ' || phone_norm[4:]
                else phone_norm
            end
        end as phone,
        phone_norm,
        case
            when email_kind = 'placeholder' then pick({texts(_PLACEHOLDER_EMAILS)}, 'test', account_no)
            when u('case', account_no) < 0.06 then upper(email_norm[:1]) || email_norm[2:] || ' '
            else email_norm
        end as email,
        email_norm,
        email_norm is not null and u('verified', account_no) < {rates.EMAIL_VERIFIED_SHARE}
        and email_kind <> 'typo' as email_verified,
        if(u('birth known', account_no) < {rates.BIRTH_DATE_KNOWN_SHARE}, birth_date, null) as birth_date,
        if(u('sex known', account_no) < 0.8, sex, null) as sex,
        city,
        if(has_moved, new_city, city) as new_city,
        case
            when source <> 'social' or link_kind = 'none' then null
            when link_kind = 'ecommerce' or not has_store
                then if(has_online, 'A' || scrambled(person_no * 8, 3), null)
            else 'M' || scrambled(person_no * 8 + 2, 4)
        end as linked_key,
        source = 'social' and u('social verified', account_no) < {rates.SOCIAL_VERIFIED_SHARE}
            as link_verified
    from identified
    order by account_no
    """)
    con.execute("drop table account_slot")


def create_account_pairs(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `account_pair`: every two accounts of one person, and what connects them.

    `shares_identifier`: a phone number, e-mail address or social link is the same; `is_clean`: one such
    identifier is carried by no other person; `is_reachable`: a chain of clean connections over the person's
    accounts joins them; `is_connected`: a chain of any connections does. A pair that is not connected shows
    nothing to go by.
    """
    con.execute("""
    create or replace table identifier as
    with carried as (
        select account_no, person_no, slot, 'phone' as kind, phone_norm as value from account
        union all
        select account_no, person_no, slot, 'email', email_norm from account
        union all
        select account_no, person_no, slot, 'link', linked_key from account
        union all
        select account_no, person_no, slot, 'link', account_key from account
    )
    select *, min(person_no) over same_value = max(person_no) over same_value as is_clean
    from carried
    where value is not null
    window same_value as (partition by kind, value)
    """)
    con.execute("""
    create or replace table account_pair as
    with pairs as (
        select one.person_no, one.slot as slot_a, other.slot as slot_b,
            one.account_no as account_a, other.account_no as account_b
        from account as one
        inner join account as other on one.person_no = other.person_no and one.slot < other.slot
    ),
    edges as (
        select one.account_no as account_a, other.account_no as account_b, bool_or(one.is_clean) as is_clean
        from identifier as one
        inner join identifier as other
            on one.person_no = other.person_no and one.slot < other.slot
            and one.kind = other.kind and one.value = other.value
        group by all
    ),
    direct as (
        select pairs.*, edges.is_clean is not null as shares_identifier,
            coalesce(edges.is_clean, false) as is_clean
        from pairs
        left join edges using (account_a, account_b)
    ),
    two_ways as (
        select person_no, account_a as a, account_b as b, is_clean from direct where shares_identifier
        union all
        select person_no, account_b, account_a, is_clean from direct where shares_identifier
    ),
    -- At most five accounts: four steps reach everything.
    steps_2 as (
        select a, b, is_clean from two_ways
        union
        select one.a, two.b, one.is_clean and two.is_clean
        from two_ways as one inner join two_ways as two on one.b = two.a and one.a <> two.b
    ),
    steps_4 as (
        select a, b, bool_or(is_clean) as is_clean
        from (
            select a, b, is_clean from steps_2
            union all
            select one.a, two.b, one.is_clean and two.is_clean
            from steps_2 as one inner join steps_2 as two on one.b = two.a and one.a <> two.b
        )
        group by all
    )
    select direct.person_no, account_a, account_b, shares_identifier, direct.is_clean,
        coalesce(steps_4.is_clean, false) as is_reachable, steps_4.a is not null as is_connected
    from direct
    left join steps_4 on direct.account_a = steps_4.a and direct.account_b = steps_4.b
    order by account_a, account_b
    """)
    con.execute("drop table identifier")
