"""What keeps accounts apart: caps, vetoes, crowds and instructions, and which of them is the stronger."""

from dataclasses import replace
from datetime import date

import pytest
from identity_world import Account, World, merge, split

from pipelines.identity.grouping import keep_apart
from pipelines.identity.rules import KINDS, STRENGTH, IdentityRules

BORN, OTHER_BORN = date(1980, 3, 4), date(1991, 5, 6)
CAP = 3

A = Account("ecommerce:a", name="王小明", phones=("1",), opened=1)
B = Account("ecommerce:b", name="王小明", phones=("1",), opened=2)
C = Account("pos:c", name="王小明", phones=("1",), opened=3)
D = Account("pos:d", name="王小明", phones=("1",), opened=4)

MING = Account("ecommerce:ming", name="王小明", born=BORN)
WEI = Account("pos:wei", name="李伟", born=OTHER_BORN)
# Without a name; what it carries joins it to both.
BRIDGE = Account("ecommerce:bridge", card="7", email="shop@x.example", verified=True)


@pytest.fixture
def capped(tmp_path):
    return World(tmp_path / "ledger", IdentityRules(max_accounts=dict.fromkeys(KINDS, CAP)))


def groups(*accounts):
    """Of each argument the ids: one account, or several that are one customer."""
    return {frozenset(each.id for each in (one if isinstance(one, tuple) else (one,))) for one in accounts}


def test_at_the_cap_accounts_are_joined(capped):
    capped.run(A, B, C)

    assert capped.customers() == groups((A, B, C))
    assert capped.tables()["shared_identifier"] == []


def test_above_the_cap_a_value_is_shared_and_joins_nobody(capped):
    assert capped.run(A, B, C, D).shared == 1

    assert capped.customers() == groups(A, B, C, D)
    assert capped.tables()["shared_identifier"] == [("phone", "1", 4)]
    assert capped.links() == set()


def test_a_shared_value_attaches_nobody_either(capped):
    capped.run(A, B, C, D, Account("service:h", phones=("1",)), Account("social:n", phones=("1",)))

    assert len(capped.customers()) == 6


def test_crossing_the_cap_splits_what_it_had_joined_and_falling_below_joins_it_with_the_old_ids(capped):
    capped.run(A, B, C)
    joined = capped.ids()

    capped.run(A, B, C, D)
    assert capped.customers() == groups(A, B, C, D)
    assert capped.ids()[A.id] == A.own_id
    assert [event for event in capped.events() if event[0] == "split"] == [
        ("split", B.id, B.own_id, A.own_id),
        ("split", C.id, C.own_id, A.own_id),
    ]
    assert capped.con.execute(
        f"select distinct evidence from {capped.ledger.relation()} where event = 'split'"
    ).fetchall() == [('{"rule":"shared_identifier"}',)]

    capped.run(A, B, C)
    assert capped.ids() == joined
    assert capped.aliases() == {B.own_id: A.own_id, C.own_id: A.own_id}


def test_of_a_shared_value_only_the_new_account_is_examined(capped):
    others = [replace(D, id=f"pos:{number}") for number in range(20)]
    capped.run(*others)

    assert capped.run(*others, A).examined == 1
    assert capped.run(*others).examined == 0


def test_the_cap_of_one_kind_is_not_that_of_another(tmp_path):
    world = World(tmp_path, IdentityRules(max_accounts={**dict.fromkeys(KINDS, CAP), "phone": 1}))
    world.run(A, B, replace(C, phones=(), device="d"), replace(D, phones=(), device="d"))

    assert world.customers() == groups(A, B, (C, D))


@pytest.mark.parametrize(
    ("ming", "wei"),
    [
        (MING, WEI),
        (replace(MING, born=None, sex="m"), replace(WEI, born=None, sex="f")),
        (
            replace(MING, born=None, email="wang.xiaoming@x.example"),
            replace(WEI, name="王芳", born=None, email="wang.fang@x.example"),
        ),
    ],
    ids=["date of birth", "sex", "e-mail addresses that name both"],
)
def test_a_veto_holds_whatever_lies_between(world, ming, wei):
    ming, wei = replace(ming, card="7", phones=()), replace(wei, phones=("2",))
    first, second, third = (Account(f"ecommerce:{number}", named_with="ecommerce:2") for number in (1, 2, 3))
    chain = [replace(first, card="7"), second, replace(third, card="8"), replace(wei, card="8")]
    world.run(ming, *chain)

    # The shop's own records are stronger than cards, of which the first by number is taken.
    assert world.customers() == groups((first, second, third, ming), wei)
    assert (third.id, wei.id, "same_card", False) in world.links()


def test_a_nameless_account_goes_to_the_stronger_link(world):
    world.run(replace(MING, email="shop@x.example", verified=True), replace(WEI, card="7"), BRIDGE)

    assert world.customers() == groups(MING, (WEI, BRIDGE))
    assert world.links() == {
        (BRIDGE.id, WEI.id, "same_card", True),
        (BRIDGE.id, MING.id, "verified_email", False),
    }


def test_names_without_other_facts_are_no_veto(world):
    world.run(replace(MING, born=None, card="7"), replace(WEI, card="7"))

    assert world.customers() == groups((MING, WEI))


def test_an_account_without_a_date_of_birth_takes_one_side(world):
    """Its name is near both others' names, whose dates of birth are different."""
    ming = replace(MING, phones=("1",))
    peng = replace(MING, id="ecommerce:peng", name="王小朋", phones=("1",), born=OTHER_BORN)
    undated = replace(peng, id="ecommerce:undated", phones=("1",), born=None)
    world.run(ming, peng, undated)

    assert world.customers() == groups(ming, (peng, undated))


def test_nameless_accounts_bring_nobody_together_whom_a_veto_keeps_apart(world):
    """The candidates have one name; but each has another account, and those are two people's."""
    left = [
        replace(MING, id="ecommerce:1", phones=("1", "left"), born=None),
        replace(MING, id="ecommerce:2", name="王小朋", phones=("left",)),
    ]
    right = [
        replace(MING, id="ecommerce:3", phones=("2", "right"), born=None),
        replace(MING, id="ecommerce:4", name="王小敏", phones=("right",)),
    ]
    nameless = Account("social:n", phones=("1", "2"))
    world.run(*left, *right, nameless)
    assert world.customers() == groups((*left, *right, nameless))

    right[1] = replace(right[1], born=OTHER_BORN)
    world.run(*left, *right, nameless)
    assert world.customers() == groups(tuple(left), tuple(right), nameless)


def test_a_nameless_account_between_crowds_stays_alone(tmp_path):
    world = World(tmp_path, IdentityRules(max_conflicts=2))
    ming = [replace(MING, id=f"ecommerce:{year}", phones=(f"{year}",), born=date(year, 1, 1)) for year in (1980, 1981)]
    nameless = Account("social:n", phones=("1980", "1981"))
    world.run(*ming, nameless)
    assert world.customers() == groups((*ming, nameless))

    ming.append(replace(MING, phones=("1979",)))
    nameless = replace(nameless, phones=("1979", "1980", "1981"))
    world.run(*ming, nameless)
    assert world.customers() == groups(*ming, nameless)


def test_in_a_crowd_only_links_count_that_stand_by_themselves(tmp_path):
    world = World(tmp_path, IdentityRules(max_conflicts=3))
    names = ("王小明", "王芳", "李伟", "Grace Hopper")
    people = [
        Account(f"ecommerce:{number}", name=name, phones=("1",), email="shop@x.example")
        for number, name in enumerate(names)
    ]
    people[0], people[1] = (replace(each, card="7") for each in people[:2])

    world.run(*people[:3])
    assert world.customers() == groups(tuple(people[:3]))
    world.run(*people)
    assert world.customers() == groups(tuple(people[:2]), *people[2:])


def test_in_a_crowd_of_such_links_only_instructions_count(tmp_path):
    world = World(tmp_path, IdentityRules(max_conflicts=3))
    names = ("王小明", "王芳", "李伟", "Grace Hopper")
    people = [Account(f"ecommerce:{number}", name=name, card="7") for number, name in enumerate(names)]
    told = [merge(people[0].id, people[3].id)]

    world.run(*people[:3], instructions=told)
    assert world.customers() == groups(tuple(people[:3]))
    world.run(*people, instructions=told)
    assert world.customers() == groups((people[0], people[3]), people[1], people[2])


def test_a_veto_holds_in_a_crowd_that_has_been_thinned_out(tmp_path):
    world = World(tmp_path, IdentityRules(max_conflicts=3))
    people = [
        Account(f"ecommerce:{number}", name=name, phones=("1",), email="shop@x.example", born=born)
        for number, (name, born) in enumerate(
            (("王小明", BORN), ("王芳", OTHER_BORN), ("李伟", None), ("Grace Hopper", None))
        )
    ]
    people[0], people[1] = (replace(each, card="7") for each in people[:2])
    world.run(*people)

    assert world.customers() == groups(*people)


def test_a_forced_merge_joins_despite_a_veto(world):
    world.run(MING, WEI, instructions=[merge(MING.id, WEI.id)])

    assert world.customers() == groups((MING, WEI))
    assert world.links() == {(MING.id, WEI.id, "merge_instruction", True)}


def test_a_forced_merge_drives_nobody_out(world):
    """Whoever was one customer with one of the two is so still."""
    ming, twice = replace(MING, phones=("1",)), replace(MING, id="pos:ming", phones=("1",))
    world.run(ming, twice, WEI)
    assert world.customers() == groups((ming, twice), WEI)

    world.run(ming, twice, WEI, instructions=[merge(ming.id, WEI.id)])
    assert world.customers() == groups((ming, twice, WEI))


def test_a_forced_merge_lets_no_third_person_in(world):
    ming = replace(MING, card="7")
    third = Account("pos:third", name="Grace Hopper", born=date(1970, 1, 1), card="7")
    world.run(ming, WEI, third, instructions=[merge(ming.id, WEI.id)])

    assert world.customers() == groups((ming, WEI), third)


def test_a_forced_merge_does_not_join_despite_a_split(world):
    """The file refuses such instructions; should they come, a split is the stronger."""
    world.run(A, B, C, instructions=[merge(A.id, B.id), merge(B.id, C.id), split(A.id, C.id)])

    assert world.customers() == groups((A, B), C)


def test_a_split_is_stronger_than_every_link(world):
    one = replace(A, card="7", email="shop@x.example", verified=True, named_with="ecommerce:b")
    other = replace(one, id=B.id)
    world.run(one, other, instructions=[split(A.id, B.id)])

    assert world.customers() == groups(A, B)
    assert {applied for *_, applied in world.links()} == {False}


def test_a_cap_is_weaker_than_an_instruction(capped):
    capped.run(A, B, C, D, instructions=[merge(A.id, D.id)])

    assert capped.customers() == groups((A, D), B, C)


def test_a_split_keeps_apart_whatever_lies_between(world):
    world.run(A, B, C, D, instructions=[split(A.id, B.id)])

    assert world.customers() == groups((A, C, D), B)


def test_two_nameless_accounts_that_are_to_be_apart_do_not_meet_at_a_candidate(world):
    one, other = (Account(f"social:{number}", phones=("1",)) for number in (1, 2))
    world.run(A, one, other)
    assert world.customers() == groups((A, one, other))

    world.run(A, one, other, instructions=[split(one.id, other.id)])
    assert world.customers() == groups(A, one, other)


def test_a_contact_and_a_nameless_account_that_are_to_be_apart_do_not_meet_at_a_candidate(world):
    nameless, contact = Account("social:n", phones=("1",)), Account("service:h", phones=("1",))
    world.run(A, nameless, contact)
    assert world.customers() == groups((A, nameless, contact))

    world.run(A, nameless, contact, instructions=[split(nameless.id, contact.id)])
    assert world.customers() == groups((A, nameless), contact)


def test_a_contact_that_is_to_be_apart_from_its_only_candidate(world):
    contact = Account("service:h", phones=("1",))
    world.run(A, contact, instructions=[split(A.id, contact.id)])

    assert world.customers() == groups(A, contact)


def test_a_nameless_account_brings_nobody_together_whom_a_split_keeps_apart(world):
    one, other = A, replace(B, phones=("2",))
    nameless = Account("social:n", phones=("1", "2"))
    world.run(one, other, nameless)
    assert world.customers() == groups((one, other, nameless))

    world.run(one, other, nameless, instructions=[split(one.id, other.id)])
    assert world.customers() == groups(one, other, nameless)


def test_nor_do_two_nameless_accounts_in_a_row(world):
    ones = [replace(A, id=f"ecommerce:{number}", phones=(f"{number}",)) for number in (1, 2, 3)]
    nameless = [Account(f"social:{number}", phones=(f"{number}", f"{number + 1}")) for number in (1, 2)]
    world.run(*ones, *nameless)
    assert world.customers() == groups((*ones, *nameless))

    world.run(*ones, *nameless, instructions=[split(ones[0].id, ones[2].id)])
    assert world.customers() == groups(*ones, *nameless)


STRONG, WEAK = STRENGTH["same_card"], STRENGTH["similar_name"]
TOLD = STRENGTH["merge_instruction"]


@pytest.mark.parametrize(
    ("links", "apart", "found"),
    [
        ([], {}, {}),
        ([(1, 2, STRONG)], {}, {1: 1, 2: 1}),
        ([(2, 3, STRONG), (1, 2, WEAK)], {"conflicts": [(1, 3)]}, {1: 1, 2: 2, 3: 2}),
        ([(1, 2, TOLD), (2, 3, STRONG)], {"conflicts": [(1, 2)]}, {1: 1, 2: 1, 3: 1}),
        ([(1, 2, TOLD)], {"barriers": [(1, 2)]}, {1: 1, 2: 2}),
        ([(1, 2, TOLD), (3, 4, STRONG), (2, 3, STRONG)], {"barriers": [(1, 4)]}, {1: 1, 2: 1, 3: 3, 4: 3}),
        ([(3, 4, STRONG), (2, 3, STRONG), (1, 2, STRONG)], {"barriers": [(1, 4)]}, {1: 1, 2: 2, 3: 2, 4: 2}),
    ],
    ids=[
        "no links",
        "no conflicts",
        "the stronger link first",
        "told to merge",
        "told to split",
        "of groups",
        "of a group whose smallest node changes",
    ],
)
def test_keep_apart(links, apart, found):
    people = {node: node for node in range(1, 5)}
    assert keep_apart(links, people=people, **{"conflicts": [], "barriers": [], **apart}) == found
