"""Whatever happens in a small world: days one by one, one load and a rebuild find the same customers.

`WINBACK_EXAMPLES=500` tries as many histories.
"""

import os
import random
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_world import NAMES, Account, World, merge, split

from pipelines.identity.instructions import Instruction
from pipelines.identity.rules import KINDS, IdentityRules

EXAMPLES = int(os.environ.get("WINBACK_EXAMPLES", "8"))
DAYS = 4

# What becomes of an account day by day: it is not there, as it was first, or changed.
# fmt: off
LIVES = (
    "1111", "_111", "__11", "___1", "1122", "1112", "1211",
    "_122", "1_11", "1_22", "11_1", "1__2", "11__", "111_",
)
# fmt: on

# Part of an address before the @ -> the names that it has in it.
ADDRESSES = {
    "wang.xiaoming": ("王小明", "Wang Xiaoming"),
    "wang.xiaopeng": ("王小朋",),
    "wang.fang": ("王芳",),
    "oliver.smith": ("Oliver Smith",),
    "shop": (),
}


@dataclass(frozen=True)
class History:
    """What the sources and the instruction file held on each day."""

    days: tuple[tuple[Account, ...], ...]
    instructions: tuple[tuple[Instruction, ...], ...]
    rules: IdentityRules


def or_none(*values):
    return st.sampled_from((None, *values))


@st.composite
def accounts(draw, town, names, source, number):
    """An account of a town, whose accounts share few values with each other and none with other towns'."""
    phones = draw(st.sets(st.sampled_from(("1", "2", "3")), max_size=2))
    bare = Account(f"{source}:{town}{number}", phones=tuple(f"{town}{phone}" for phone in sorted(phones)))
    address = draw(or_none(*ADDRESSES))
    bare = replace(
        bare,
        email=address and f"{address}@{town}.example",
        verified=draw(st.booleans()),
        opened=draw(or_none(0, 1, 2)),
    )
    if source == "service":
        return bare
    other = draw(or_none(None, None, 0, 1))
    card, device = draw(or_none(None, None, "c")), draw(or_none(None, "d"))
    return replace(
        bare,
        name=draw(or_none(*names)),
        born=draw(or_none(None, date(1980, 1, 1), date(1990, 2, 2))),
        sex=draw(or_none(None, "f", "m")),
        card=card and town + card,
        device=device and town + device,
        named_with=None if other is None else f"ecommerce:{town}{other}",
    )


@st.composite
def towns(draw, town):
    """The accounts and instructions of each day in one town."""
    names = draw(st.lists(st.sampled_from(sorted(NAMES)), min_size=2, max_size=3, unique=True))
    lives = []
    for number in range(draw(st.integers(2, 7))):
        source = draw(st.sampled_from(("ecommerce", "ecommerce", "pos", "pos", "social", "service")))
        versions = [draw(accounts(town, names, source, number)) for _ in range(2)]
        life = draw(st.sampled_from(LIVES))
        lives.append([None if each == "_" else versions[int(each) - 1] for each in life])
    ids = sorted({each.id for life in lives for each in life if each is not None})
    decided = []
    if len(ids) > 1:
        pairs = st.sampled_from(list(combinations(ids, 2)))
        told = draw(st.dictionaries(pairs, st.sampled_from((merge, split)), max_size=3))
        decided = [decide(*pair) for pair, decide in told.items()]
    kept = [set(decided)] * DAYS
    if decided and draw(st.booleans()):
        kept = [draw(st.sets(st.sampled_from(decided))) for _ in range(DAYS)]
    present = [tuple(life[day] for life in lives if life[day] is not None) for day in range(DAYS)]
    return present, kept


@st.composite
def histories(draw):
    """Several towns at once: a run takes as long for five as for one."""
    drawn = [draw(towns(town)) for town in "ABCDE"]
    return History(
        days=tuple(tuple(each for present, _ in drawn for each in present[day]) for day in range(DAYS)),
        instructions=tuple(
            tuple(each for _, kept in drawn for each in sorted(kept[day], key=str)) for day in range(DAYS)
        ),
        rules=IdentityRules(
            max_accounts=dict.fromkeys(KINDS, draw(st.sampled_from((10, 4, 3, 2)))),
            max_conflicts=draw(st.sampled_from((500, 500, 2))),
        ),
    )


def conflicting(one, other):
    """Two accounts of two people, from the facts alone."""
    if one.name is None or other.name is None or NAMES[one.name][0] == NAMES[other.name][0]:
        return False
    apart = [one.born, other.born], [one.sex, other.sex]
    if any(None not in facts and facts[0] != facts[1] for facts in apart):
        return True
    return all(each.email and each.name in ADDRESSES[each.email.partition("@")[0]] for each in (one, other))


def check_vetoes(customers, present, instructions):
    by_id = {each.id: each for each in present}
    for customer in customers:
        told = [each for each in instructions if {each.account_a, each.account_b} <= customer]
        assert all(each.kind == "merge" for each in told), f"{customer} has accounts that are to be apart"
        if not told:
            pairs = combinations([by_id[each] for each in sorted(customer)], 2)
            assert not [pair for pair in pairs if conflicting(*pair)], f"{customer} is more than one person"


def check_ids(world):
    """Former ids lead to the customer that has their anchor now."""
    ids, aliases = world.ids(), world.aliases()
    current = set(ids.values())
    assert set(aliases.values()) <= current
    assert not set(aliases) & current
    anchors = world.con.execute(
        f"select customer_id, arg_max(account_id, seq) from {world.ledger.relation()} "
        "where event in ('created', 'inherited') group by customer_id"
    ).fetchall()
    for customer, anchor in anchors:
        if anchor in ids:
            assert aliases.get(customer, customer) == ids[anchor]


@settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(history=histories())
def test_days_one_by_one_as_one_load_and_as_a_rebuild(history):
    present, instructions = history.days[-1], history.instructions[-1]
    with TemporaryDirectory() as folder:
        world = World(Path(folder) / "daily", history.rules)
        for accounts_of_day, told in zip(history.days, history.instructions, strict=True):
            world.run(*accounts_of_day, instructions=told)
        daily = world.tables()
        customers = world.customers()
        check_vetoes(customers, present, instructions)
        check_ids(world)

        load = World(Path(folder) / "load", history.rules)
        load.run(*random.Random(3).sample(present, len(present)), instructions=instructions[::-1])
        assert load.customers() == customers
        assert load.links() == world.links()

        assert world.rebuild(instructions).events == {}
        assert world.tables() == daily
