"""Which id a customer has, and that it stays: merges, partings, removed accounts, lost warehouses."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import duckdb
import pytest
from identity_world import Account, merge, split

from pipelines.identity import resolve as resolve_module
from pipelines.identity.ledger import EVENT_COLUMNS, Ledger
from pipelines.identity.rules import IdentityRules

A = Account("ecommerce:a", name="王小明", phones=("1",), opened=1)
B = Account("ecommerce:b", name="王小明", phones=("1",), opened=2)
C = Account("pos:c", name="王小明", phones=("1",), opened=3)
ALONE_B, ALONE_C = replace(B, phones=("2",)), replace(C, phones=("3",))
BOTH = replace(A, phones=("1", "2"))
"""What joins A and the lonely B."""


def assert_rebuild_is_equal(world, instructions=()):
    tables = world.tables()
    assert world.rebuild(instructions).events == {}
    assert world.tables() == tables


def test_the_id_is_the_hash_of_the_account_that_was_opened_first(world):
    world.run(B, A, replace(C, opened=None))

    # printf 'ecommerce\x1fa' | md5sum
    assert set(world.ids().values()) == {"c_d4ebefb9d1e8adc2"} == {A.own_id}
    assert world.events() == [
        ("created", A.id, A.own_id, None),
        ("joined", B.id, A.own_id, None),
        ("joined", C.id, A.own_id, None),
    ]


@pytest.mark.parametrize("opened", [None, 1], ids=["undated", "on one day"])
def test_of_accounts_without_an_order_the_first_by_name(world, opened):
    world.run(replace(C, opened=opened), replace(B, opened=opened))

    assert set(world.ids().values()) == {B.own_id}


def test_an_older_account_that_arrives_later_does_not_change_the_id(world):
    world.run(B)
    world.run(B, A)

    assert world.ids() == {A.id: B.own_id, B.id: B.own_id}
    assert world.events() == [("joined", A.id, B.own_id, None)]
    assert json.loads(world.evidence(A.id)) == {"rule": "same_name", "kinds": ["phone"], "with": B.id}
    assert_rebuild_is_equal(world)


def test_nor_does_an_older_date_of_an_account(world):
    world.run(A, B)
    world.run(A, replace(B, opened=0))

    assert set(world.ids().values()) == {A.own_id}


def test_a_merge_keeps_the_id_that_was_registered_first_and_the_other_is_its_alias(world):
    world.run(ALONE_B)
    world.run(A, ALONE_B)
    world.run(BOTH, ALONE_B)

    assert world.ids() == {A.id: B.own_id, B.id: B.own_id}
    assert world.con.execute("select * from identity.alias").fetchall() == [
        (A.own_id, B.own_id, datetime(2025, 1, 4, tzinfo=UTC))
    ]
    assert world.events() == [("merged", A.id, B.own_id, A.own_id)]
    assert json.loads(world.evidence(A.id)) == {"rule": "same_name", "kinds": ["phone"], "with": B.id}
    assert_rebuild_is_equal(world)


def test_of_ids_registered_at_once_a_merge_keeps_the_older_accounts_for_good(world):
    world.run(A, ALONE_B)
    world.run(BOTH, ALONE_B)
    assert set(world.ids().values()) == {A.own_id}

    # As when a file with older orders arrives.
    world.run(BOTH, replace(ALONE_B, opened=0))
    assert set(world.ids().values()) == {A.own_id}
    assert world.aliases() == {B.own_id: A.own_id}
    assert_rebuild_is_equal(world)


def test_an_alias_of_an_alias_leads_to_the_customer(world):
    world.run(A)
    world.run(A, ALONE_B)
    world.run(A, ALONE_B, ALONE_C)
    world.run(A, replace(B, phones=("2", "3")), ALONE_C)
    assert world.aliases() == {C.own_id: B.own_id}

    world.run(A, replace(B, phones=("1", "2", "3")), ALONE_C)
    assert world.aliases() == {B.own_id: A.own_id, C.own_id: A.own_id}
    assert_rebuild_is_equal(world)


def test_a_merge_that_is_undone_gives_each_its_own_id_back(world):
    world.run(A, ALONE_B)
    world.run(BOTH, ALONE_B)
    told = [split(A.id, B.id)]
    world.run(BOTH, ALONE_B, instructions=told)

    assert world.ids() == {A.id: A.own_id, B.id: B.own_id}
    assert world.aliases() == {}
    assert world.events() == [("split", B.id, B.own_id, A.own_id)]
    assert json.loads(world.evidence(B.id)) == {"rule": "split_instruction"}
    assert_rebuild_is_equal(world, told)


def test_a_merge_that_was_never_one_gives_the_account_that_leaves_an_id_of_its_own(world):
    world.run(A, B)
    world.run(A, B, instructions=[split(A.id, B.id)])

    assert world.ids() == {A.id: A.own_id, B.id: B.own_id}
    assert world.events() == [
        ("created", B.id, B.own_id, A.own_id),
        ("split", B.id, B.own_id, A.own_id),
    ]


def test_an_undone_merge_stays_undone_after_a_rebuild_and_after_new_rows(world):
    told = [split(A.id, B.id)]
    world.run(A, B)
    world.run(A, B, instructions=told)
    apart = world.ids()
    assert_rebuild_is_equal(world, told)

    one, other = (replace(each, email="shop@x.example", verified=True, card="7") for each in (A, B))
    newcomer = replace(C, card="7")
    world.run(one, other, newcomer, instructions=told)
    assert world.ids() == {**apart, C.id: A.own_id}
    assert_rebuild_is_equal(world, told)


def test_who_follows_an_account_out_of_a_customer_has_the_same_reason(world):
    follower = replace(C, phones=("2",))
    one = replace(B, phones=("1", "2"))
    world.run(A, one, follower)
    world.run(A, one, follower, instructions=[split(A.id, B.id)])

    assert world.ids() == {A.id: A.own_id, B.id: B.own_id, C.id: B.own_id}
    assert json.loads(world.evidence(C.id)) == {"rule": "split_instruction"}


def test_who_leaves_as_nothing_links_them_any_more(world):
    world.run(A, B)
    world.run(A, ALONE_B)

    assert json.loads(world.evidence(B.id)) == {"rule": "no_longer_linked"}


def test_who_leaves_while_some_other_value_is_shared(world):
    crowd = [Account(f"pos:{number}", phones=("9",)) for number in range(11)]
    one, other = replace(A, phones=("1", "9")), replace(B, phones=("1",))
    world.run(one, other, *crowd)
    world.run(one, ALONE_B, *crowd)

    assert json.loads(world.evidence(B.id)) == {"rule": "no_longer_linked"}


class TestRemovedAccounts:
    def test_a_removed_account_has_an_event_once(self, world):
        world.run(A, B)
        world.run(A)
        assert world.events() == [("removed", B.id, None, A.own_id)]

        world.run(replace(A, sex="m"))
        assert world.events() == []

    def test_an_account_that_returns_joins_again(self, world):
        world.run(A, B)
        world.run(A)
        world.run(A, B)

        assert world.events() == [("joined", B.id, A.own_id, None)]
        assert_rebuild_is_equal(world)

    def test_the_id_survives_its_anchor(self, world):
        world.run(A, B, C)
        world.run(B, C)

        assert world.ids() == {B.id: A.own_id, C.id: A.own_id}
        assert world.events() == [("inherited", B.id, A.own_id, None), ("removed", A.id, None, A.own_id)]
        assert json.loads(world.evidence(B.id)) == {"rule": "anchor_removed", "with": A.id}
        assert_rebuild_is_equal(world)

        world.run(C)
        assert world.ids() == {C.id: A.own_id}
        assert_rebuild_is_equal(world)

    def test_an_anchor_that_returns_joins_its_customer_again(self, world):
        world.run(A, B)
        world.run(B)
        world.run(A, B)

        assert set(world.ids().values()) == {A.own_id}
        assert_rebuild_is_equal(world)

    def test_an_anchor_that_returns_as_somebody_else_has_another_id(self, world):
        world.run(A, B)
        world.run(B)
        world.run(replace(A, phones=("5",)), B)

        ids = world.ids()
        assert ids[B.id] == A.own_id
        assert ids[A.id] not in (A.own_id, B.own_id)
        assert_rebuild_is_equal(world)

        world.run(B)
        world.run(replace(A, phones=("5",)), B)
        assert world.ids() == ids
        assert_rebuild_is_equal(world)

    def test_who_left_before_the_anchor_was_removed_does_not_inherit(self, world):
        world.run(A, B)
        world.run(A, ALONE_B)
        world.run(ALONE_B)

        assert world.ids() == {B.id: B.own_id}
        assert world.aliases() == {}
        assert_rebuild_is_equal(world)

    def test_nor_who_left_the_heir(self, world):
        world.run(A, B, C)
        world.run(B, C)
        world.run(B, ALONE_C)
        assert world.ids() == {B.id: A.own_id, C.id: C.own_id}

        world.run(ALONE_C)
        assert world.ids() == {C.id: C.own_id}
        assert_rebuild_is_equal(world)

    def test_an_id_without_accounts_waits_for_its_anchor(self, world):
        world.run(A, ALONE_B)
        world.run(ALONE_B)
        world.run(A, ALONE_B)

        assert world.ids() == {A.id: A.own_id, B.id: B.own_id}
        assert_rebuild_is_equal(world)

    def test_an_alias_survives_all_accounts_that_had_it(self, world):
        world.run(A, ALONE_B)
        world.run(BOTH, ALONE_B)
        world.run(BOTH)
        assert world.aliases() == {B.own_id: A.own_id}
        assert_rebuild_is_equal(world)

        # And goes where the customer goes.
        world.run(BOTH, replace(C, phones=("3",)))
        world.run(replace(BOTH, phones=("1", "3")), replace(C, phones=("3",)))
        assert world.aliases() == {B.own_id: A.own_id, C.own_id: A.own_id}
        assert_rebuild_is_equal(world)

        world.run()
        assert world.aliases() == {}

    def test_an_undone_merge_gives_the_id_to_who_had_it_though_its_anchor_is_gone(self, world):
        with_c = replace(C, phones=("2",))
        world.run(A, ALONE_B, with_c)
        world.run(BOTH, ALONE_B, with_c)
        world.run(BOTH, with_c)
        assert world.aliases() == {B.own_id: A.own_id}

        told = [split(A.id, C.id)]
        world.run(BOTH, with_c, instructions=told)
        assert world.ids() == {A.id: A.own_id, C.id: B.own_id}
        assert_rebuild_is_equal(world, told)

    def test_an_account_that_is_gone_for_a_day_has_its_id_back_when_the_merge_is_undone(self, world):
        world.run(A, ALONE_B)
        world.run(BOTH, ALONE_B)
        world.run(BOTH)
        world.run(BOTH, ALONE_B)
        world.run(BOTH, ALONE_B, instructions=[split(A.id, B.id)])

        assert world.ids() == {A.id: A.own_id, B.id: B.own_id}

    def test_an_id_that_returns_as_an_alias_says_since_when(self, world):
        world.run(A, ALONE_B)
        world.run(A)
        world.run(A, B)

        assert world.con.execute("select * from identity.alias").fetchall() == [
            (B.own_id, A.own_id, datetime(2025, 1, 4, tzinfo=UTC))
        ]


class TestLostThings:
    def test_a_lost_warehouse_is_made_anew_from_the_ledger(self, world):
        told = [merge(A.id, C.id)]
        world.run(A, ALONE_B)
        world.run(BOTH, ALONE_B)
        world.run(BOTH, ALONE_B, ALONE_C, instructions=told)

        assert len(world.tables()["account"]) == 3
        assert_rebuild_is_equal(world, told)

    def test_a_run_that_dies_before_its_tables_are_written_is_made_up_for(self, world, monkeypatch):
        def die(*arguments):
            raise KeyboardInterrupt

        world.run(A, ALONE_B)
        tables = world.tables()
        with monkeypatch.context() as patch:
            patch.setattr(resolve_module, "_store", die)
            with pytest.raises(KeyboardInterrupt):
                world.run(BOTH, ALONE_B)
        assert world.tables() == tables
        assert len(world.ledger.files()) == 2

        # Meanwhile the source has thought better of it.
        resolution = world.run(A, ALONE_B)
        assert resolution.examined == 2
        assert world.ids() == {A.id: A.own_id, B.id: B.own_id}
        assert_rebuild_is_equal(world)

    def test_a_failure_leaves_the_tables_and_no_ledger_file(self, world):
        world.run(A)
        tables = world.tables()
        world.con.execute(
            "create view broken as select * replace (cast(error('gone') as varchar) as sex) from account_fact"
        )
        with pytest.raises(duckdb.Error, match="gone"):
            resolve_module.resolve(
                world.con,
                world.ledger,
                accounts="broken",
                identifiers="identifier",
                instructions=[],
                rules=world.rules,
                run_id="broken",
                recorded_at="2025-01-05",
            )

        assert world.tables() == tables
        assert len(world.ledger.files()) == 1

    def test_an_older_warehouse_beside_a_newer_ledger(self, world, tmp_path):
        world.run(A, B)
        world.con.execute(f"export database '{tmp_path / 'copy'}'")
        world.run(A, B, instructions=[split(A.id, B.id)])
        parted = world.tables()

        world.con.close()
        world.con = duckdb.connect()
        world.con.execute(f"set TimeZone = 'UTC'; import database '{tmp_path / 'copy'}'")
        assert world.resolve([split(A.id, B.id)]).events == {}
        assert world.tables() == parted

    def test_new_rules_make_every_account_be_looked_at_and_keep_the_ids(self, world):
        world.run(A, B)
        ids = world.ids()
        world.rules = IdentityRules(max_conflicts=7)
        resolution = world.resolve()

        assert (resolution.examined, resolution.events) == (2, {})
        assert world.ids() == ids
        assert world.resolve().examined == 0


class TestFiles:
    def test_a_run_that_changes_something_writes_one_file(self, world):
        world.run(A)
        world.resolve()
        world.run(A, B)

        assert [file.name for file in world.ledger.files()] == ["000000001.parquet", "000000002.parquet"]
        described = world.con.execute(f"describe from {world.ledger.relation()}").fetchall()
        assert [name for name, *_ in described] == list(EVENT_COLUMNS)

    def test_what_a_dead_run_left_is_no_ledger(self, world):
        world.run(A)
        (world.folder / "000000002.new").write_bytes(b"half")
        world.run(A, B)

        assert len(world.ledger.files()) == 2

    def test_a_folder_whose_name_looks_like_a_pattern(self, tmp_path):
        with duckdb.connect() as con:
            ledger = Ledger(tmp_path / "[a]*?='")
            assert con.execute(f"select * from {ledger.relation()}").fetchall() == []
            con.execute(
                "create table event as select 'r' as run_id, date '2025-01-01' as recorded_at, 'created' as event, "
                "'pos:1' as account_id, 'c_1' as customer_id, null as former_customer_id, null as evidence"
            )
            assert ledger.append(con, "event") == 1
            assert con.execute(f"select seq, account_id from {ledger.relation()}").fetchall() == [(1, "pos:1")]

    def test_dates_of_birth_are_in_no_file(self, world):
        """Events name accounts and rules; facts of people are not kept in two places."""
        world.run(replace(A, born=date(1980, 3, 4)), B)

        told = world.con.execute(f"select cast(e as varchar) from {world.ledger.relation()} as e").fetchall()
        assert not [row for (row,) in told if "1980" in row or "王小明" in row]
