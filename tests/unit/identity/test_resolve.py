"""What joins two accounts and what does not: an example of each rule beside its nearest non-example."""

from dataclasses import replace
from datetime import date

import pytest
from identity_world import Account

from pipelines.identity.rules import STRENGTH

BORN, OTHER_BORN = date(1980, 3, 4), date(1991, 5, 6)

MING = Account("ecommerce:a", name="王小明", phones=("1",))
MEMBER = Account("pos:b", name="李伟", phones=("1",))
NAMELESS = Account("social:n", phones=("1",))
CONTACT = Account("service:h", phones=("1",))


def bare(account, **facts):
    """An account with these facts alone."""
    return Account(account.id, **facts)


# Rule -> what it is about: accounts of which it makes one customer, and others of which it doesn't.
PAIRS = {
    "named_together": {
        "a ticket names account and member": (
            bare(MING, name="王小明", named_with="ecommerce:a"),
            bare(MEMBER, name="李伟", named_with="ecommerce:a"),
        ),
        "not: of different tickets": (
            bare(MING, name="王小明", named_with="ecommerce:a"),
            bare(MEMBER, name="王小明", named_with="ecommerce:x"),
        ),
    },
    "same_card": {
        "one card, two names": (bare(MING, name="王小明", card="7"), bare(MEMBER, name="李伟", card="7")),
        "not: two cards, one name": (
            bare(MING, name="王小明", card="7"),
            bare(MEMBER, name="王小明", card="8"),
        ),
    },
    "verified_email": {
        "both have proved it": (
            bare(MING, name="王小明", email="shop@x.example", verified=True),
            bare(MEMBER, name="李伟", email="shop@x.example", verified=True),
        ),
        "not: one of them has": (
            bare(MING, name="王小明", email="shop@x.example", verified=True),
            bare(MEMBER, name="李伟", email="shop@x.example"),
        ),
        "not: neither has": (
            bare(MING, name="王小明", email="shop@x.example"),
            bare(MEMBER, name="李伟", email="shop@x.example"),
        ),
    },
    "two_identifiers": {
        "address and number": (
            replace(MING, email="shop@x.example"),
            replace(MEMBER, email="shop@x.example"),
        ),
        "not: born on two days": (
            replace(MING, email="shop@x.example", born=BORN),
            replace(MEMBER, email="shop@x.example", born=OTHER_BORN),
        ),
        "not: a man and a woman": (
            replace(MING, email="shop@x.example", sex="m"),
            replace(MEMBER, email="shop@x.example", sex="f"),
        ),
    },
    "same_name": {
        "in characters and in pinyin": (MING, replace(MEMBER, name="Wang Xiaoming")),
        "by address": (
            bare(MING, name="王小明", email="shop@x.example"),
            bare(MEMBER, name="王小明", email="shop@x.example"),
        ),
        "by device": (bare(MING, name="王小明", device="d"), bare(MEMBER, name="王小明", device="d")),
        "a slip in the date of birth": (
            replace(MING, born=BORN),
            replace(MEMBER, name="王小明", born=OTHER_BORN),
        ),
        "not: a household": (MING, MEMBER),
        "not: of two numbers": (MING, replace(MEMBER, name="王小明", phones=("2",))),
    },
    "same_birth_date": {
        "names that could be one": (
            replace(MING, name="王强", born=BORN),
            replace(MING, id="ecommerce:b", name="王芳", born=BORN),
        ),
        "not: twins with other names": (replace(MING, born=BORN), replace(MEMBER, born=BORN)),
    },
    "similar_name": {
        "a letter misplaced": (
            replace(MING, name="Oliver Smith"),
            replace(MING, id="ecommerce:b", name="Olivre Smith"),
        ),
        "one of two characters": (MING, replace(MING, id="ecommerce:b", name="王小朋")),
        "names of one character in two sources": (replace(MING, name="王强"), replace(MEMBER, name="王芳")),
        "not: brother and sister in one source": (
            replace(MING, name="王强"),
            replace(MING, id="ecommerce:b", name="王芳"),
        ),
        "not: a letter misplaced, but born on two days": (
            replace(MING, name="Oliver Smith", born=BORN),
            replace(MING, id="ecommerce:b", name="Olivre Smith", born=OTHER_BORN),
        ),
    },
    "email_names_customer": {
        "the address has the other's name": (
            replace(MING, name="王强", email="wang.fang@x.example"),
            replace(MING, id="ecommerce:b", name="王芳"),
        ),
        "not: each address has its own account's": (
            replace(MING, name="王强", email="wang.qiang@x.example"),
            replace(MING, id="ecommerce:b", name="王芳", email="wang.fang@x.example"),
        ),
        "not: of another name altogether": (
            replace(MING, name="李伟", email="wang.fang@x.example"),
            replace(MING, id="ecommerce:b", name="王芳"),
        ),
    },
    "only_candidate": {
        "one has the number": (NAMELESS, MING),
        "two of one name": (
            replace(NAMELESS, phones=("1", "2")),
            MING,
            replace(MEMBER, name="王小明", phones=("2",)),
        ),
        "by address, though another has the number": (
            replace(NAMELESS, email="shop@x.example"),
            bare(MING, name="王小明", email="shop@x.example"),
        ),
        "not: two have the number": (NAMELESS, MING, MEMBER),
        "not: without a name as well": (NAMELESS, replace(MEMBER, name=None)),
        "not: born on another day": (replace(NAMELESS, born=BORN), replace(MING, born=OTHER_BORN)),
        "not: the address names somebody else": (replace(NAMELESS, email="wang.fang@x.example"), MING),
    },
    "contact": {
        "called from the number": (CONTACT, MING),
        "of an account without a name": (CONTACT, NAMELESS),
        "wrote from the address": (
            bare(CONTACT, email="shop@x.example", verified=True),
            bare(MING, name="王小明", email="shop@x.example"),
        ),
        "not: two have the number": (CONTACT, MING, MEMBER),
        "not: another contact": (CONTACT, replace(CONTACT, id="service:i")),
    },
}
CASES = [(rule, about, pair) for rule, cases in PAIRS.items() for about, pair in cases.items()]


@pytest.mark.parametrize(
    ("rule", "about", "accounts"), CASES, ids=[f"{rule}: {about}" for rule, about, _ in CASES]
)
def test_rule(world, rule, about, accounts):
    world.run(*accounts)

    together = frozenset(each.id for each in accounts)
    links = {(link_rule, applied) for _, _, link_rule, applied in world.links()}
    if about.startswith("not: "):
        assert together not in world.customers()
        assert (rule, True) not in links
    else:
        assert world.customers() == {together}
        assert (rule, True) in links


def test_every_rule_has_an_example():
    assert {*PAIRS, "merge_instruction", "fuzzy"} == set(STRENGTH)


def test_a_contact_belongs_to_whoever_has_the_address_and_not_to_a_housemate_with_the_number(world):
    wrote = replace(CONTACT, email="shop@x.example", verified=True)
    world.run(wrote, replace(MING, email="shop@x.example"), MEMBER)

    assert world.customers() == {frozenset({wrote.id, MING.id}), frozenset({MEMBER.id})}


def test_fuzzy_links_join_and_their_evidence_is_kept(world):
    world.fill([bare(MING, name="Oliver Smith"), bare(MEMBER, name="Grace Hopper")])
    links = "(select 'pos:b' as account_a, 'ecommerce:a' as account_b, '{\"p\": 0.99}' as evidence)"
    world.resolve(fuzzy_links=links)

    assert world.customers() == {frozenset({MING.id, MEMBER.id})}
    assert world.con.execute("select rule, evidence, is_applied from identity.link").fetchall() == [
        ("fuzzy", '{"p": 0.99}', True)
    ]

    world.resolve()
    assert len(world.customers()) == 2


def test_a_veto_is_stronger_than_a_fuzzy_link(world):
    world.fill(
        [bare(MING, name="Oliver Smith", born=BORN), bare(MEMBER, name="Grace Hopper", born=OTHER_BORN)]
    )
    world.resolve(fuzzy_links="(select 'pos:b' as account_a, 'ecommerce:a' as account_b, '' as evidence)")

    assert len(world.customers()) == 2


def test_a_run_without_changes_examines_nobody_and_writes_nothing(world):
    first = world.run(MING, MEMBER, NAMELESS)
    tables, files = world.tables(), world.ledger.files()
    second = world.resolve()

    assert (first.accounts, first.customers, first.examined) == (3, 3, 3)
    assert first.events == {"created": 3}
    assert (second.accounts, second.customers, second.examined) == (3, 3, 0)
    assert second.events == {}
    assert world.tables() == tables
    assert world.ledger.files() == files


def test_only_the_block_of_a_changed_account_is_examined(world):
    strangers = [Account(f"pos:{number}", name="李伟", phones=(f"9{number}",)) for number in range(5)]
    world.run(MING, MEMBER, *strangers)

    assert world.run(replace(MING, born=BORN), MEMBER, *strangers).examined == 2


@pytest.mark.parametrize("opened", [0, None], ids=["dated", "undated"])
def test_facts_that_change_change_the_customers(world, opened):
    ming, member = replace(MING, opened=opened), replace(MEMBER, opened=opened)
    world.run(ming, member)
    world.run(ming, replace(member, name="王小明"))
    assert world.customers() == {frozenset({MING.id, MEMBER.id})}

    world.run(ming, replace(member, name="王小明", phones=("2",)))
    assert world.customers() == {frozenset({MING.id}), frozenset({MEMBER.id})}


def test_an_empty_feed(world):
    resolution = world.run()

    assert (resolution.accounts, resolution.customers, resolution.events) == (0, 0, {})
    assert world.ledger.files() == []


def test_all_accounts_gone_and_back(world):
    world.run(MING, replace(MEMBER, name="王小明"))
    before = world.ids()

    assert world.run().events == {"removed": 2}
    assert world.ids() == {}
    world.run(MING, replace(MEMBER, name="王小明"))
    assert world.ids() == before
