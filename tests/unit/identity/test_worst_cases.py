"""Stars, chains and crowds: right, and without comparing everybody with everybody.

`WINBACK_EXAMPLES=2000`, the long form, makes them larger: a star of a million accounts, chains of 100,000.
"""

import os

from identity_world import World, merge

from pipelines.identity.rules import IdentityRules

IS_LONG = int(os.environ.get("WINBACK_EXAMPLES", "0")) >= 1000
STAR = 1_000_000 if IS_LONG else 100_000
CHAIN = 100_000 if IS_LONG else 20_000
CROWD = 3_000

# A name as `pipelines.identity.names` makes it, of its form.
NAMED = "struct_pack(form := {}, han := null::varchar, family := null::varchar, given := null::varchar)"


def accounts(number, *, form="null::varchar", birth_date="null::date", key="i", source="ecommerce"):
    """SQL that inserts so many accounts, i from 0; form and birth date are SQL of i."""
    return f"""
        insert into account_fact
        select '{source}:' || {key}, '{source}', cast({key} as varchar), timestamptz '2025-01-01', false,
            {NAMED.format(form)}, {birth_date}, null, null
        from range({number}) as numbers (i);
    """


def carried(number, kind, value, *, key="i", source="ecommerce", is_verified="false"):
    """SQL that inserts so many identifiers."""
    return f"""
        insert into identifier select '{source}:' || {key}, '{kind}', cast({value} as varchar), {is_verified}
        from range({number}) as numbers (i);
    """


def chain(number, kind="phone", **facts):
    """Each account shares a value with the next."""
    return carried(number, kind, "i", **facts) + carried(number, kind, "i + 1", **facts)


def people(number):
    """So many people with names as unlike as their dates of birth."""
    name = "translate(md5(cast(i as varchar)), '0123456789', 'ghijklmnop')"
    return accounts(
        number, form=f"{name}[:8] || ' ' || {name}[9:16]", birth_date="date '1950-01-01' + cast(i as int)"
    )


def count(world, table):
    ((rows,),) = world.con.execute(f"select count(*) from {table}").fetchall()
    return rows


def test_a_star_on_one_number_is_no_customer_and_its_next_account_is_examined_alone(world):
    world.con.execute(accounts(STAR, form="'oliver smith'") + carried(STAR, "phone", "0"))
    first = world.resolve()
    assert (first.customers, first.shared) == (STAR, 1)
    assert count(world, "identity.link") == 0

    world.con.execute(
        accounts(1, form="'oliver smith'", source="pos") + carried(1, "phone", "0", source="pos")
    )
    assert world.resolve().examined == 1
    world.con.execute(
        "delete from account_fact where source = 'pos'; delete from identifier where account_id[:3] = 'pos'"
    )
    last = world.resolve()
    assert (last.examined, last.events) == (0, {"removed": 1})


def test_a_chain_of_one_name_is_one_customer(world):
    world.con.execute(accounts(CHAIN, form="'oliver smith'") + chain(CHAIN))
    assert world.resolve().customers == 1
    assert count(world, "identity.link") == CHAIN - 1

    # Cut in the middle it is two.
    world.con.execute(f"delete from identifier where account_id = 'ecommerce:{CHAIN // 2}'")
    resolution = world.resolve()
    assert resolution.customers == 3
    assert resolution.events["created"] == 2


def test_a_chain_of_all_different_people_is_nobody_s(world):
    world.con.execute(people(CHAIN) + chain(CHAIN))

    assert world.resolve().customers == CHAIN
    assert count(world, "identity.link") == 0


def test_a_chain_of_one_name_in_two_spellings_is_one_customer(world):
    world.con.execute(accounts(CHAIN, form="['oliver smith', 'olivre smith'][1 + i % 2]") + chain(CHAIN))

    assert world.resolve().customers == 1


def test_a_chain_of_two_people_in_turn_is_cut_at_every_link(world):
    """Their verified addresses join them, their dates of birth keep them apart."""
    world.con.execute(
        accounts(
            CHAIN,
            form="['oliver smith', 'grace hopper'][1 + i % 2]",
            birth_date="date '1980-01-01' + cast(i % 2 as int)",
        )
        + chain(CHAIN, "email", is_verified="true")
    )

    assert world.resolve().customers == CHAIN
    assert world.con.execute("select distinct rule, is_applied from identity.link").fetchall() == [
        ("verified_email", False)
    ]


def test_a_crowd_glued_by_verified_addresses_is_nobody_s(world):
    world.con.execute(people(CROWD) + chain(CROWD, "email", is_verified="true"))

    assert world.resolve([merge("ecommerce:1", "ecommerce:2")]).customers == CROWD - 1
    assert world.con.execute("select account_a, account_b, rule from identity.link").fetchall() == [
        ("ecommerce:1", "ecommerce:2", "merge_instruction")
    ]


def test_nor_is_one_with_nameless_accounts_between(world):
    world.con.execute(people(CROWD) + carried(CROWD, "email", "i", is_verified="true"))
    world.con.execute(accounts(CROWD, source="social"))
    world.con.execute(chain(CROWD, "email", source="social", is_verified="true"))

    # The last one's other address is nobody else's.
    assert world.resolve().customers == 2 * CROWD - 1
    assert world.con.execute("select account_a, account_b, rule from identity.link").fetchall() == [
        (f"ecommerce:{CROWD - 1}", f"social:{CROWD - 1}", "only_candidate")
    ]


def test_a_crowd_of_one_name_is_not_brought_together_by_nameless_accounts(world):
    """Each number is on an account of that name and on two without one; all dates of birth are different."""
    world.con.execute(
        accounts(CROWD, form="'oliver smith'", birth_date="date '1950-01-01' + cast(i as int)")
        + carried(CROWD, "phone", "i")
        + accounts(CROWD, source="social")
        + chain(CROWD, source="social")
    )

    # The last of the nameless ones has a number that nobody else has.
    assert world.resolve().customers == 2 * CROWD - 1
    assert count(world, "identity.link") == 1


def test_values_at_the_cap_make_no_more_pairs_than_the_cap_allows(tmp_path):
    world = World(tmp_path, IdentityRules())
    world.con.execute(accounts(CHAIN, form="'oliver smith'") + carried(CHAIN, "phone", "i // 10"))

    assert world.resolve().customers == CHAIN // 10
    assert count(world, "identity.link") == CHAIN // 10 * 45
