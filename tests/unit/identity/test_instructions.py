"""What people decide: the file, its kept versions, and what a decision does to the customers."""

from dataclasses import replace

import pytest
from identity_world import Account, merge, split

from pipelines.feeds.errors import ConfigError
from pipelines.identity.instructions import Instruction, current_instructions, read_instructions

HEADER = "instruction,account_a,account_b,decided_by,decided_on,note\n"

A = Account("ecommerce:a", name="王小明", phones=("1",), opened=1)
B = Account("ecommerce:b", name="王小明", phones=("1",), opened=2)
STRANGER = Account("pos:s", name="Grace Hopper", opened=3)


def together(world, *accounts):
    return frozenset(each.id for each in accounts) in world.customers()


class TestFile:
    def read(self, tmp_path, text, encoding="utf-8"):
        file = tmp_path / "identity_instructions.csv"
        file.write_text(text, encoding=encoding)
        return read_instructions(file)

    def test_rows_become_instructions_each_once_and_in_an_order_of_their_own(self, tmp_path):
        found = self.read(
            tmp_path,
            HEADER
            + 'split,pos:M7,ecommerce:A1,anna,2025-03-02,"mother, and daughter"\n'
            + " Merge , social:weibo:9 ,ecommerce:A1,,,\n"
            + "\n"
            + "split,ecommerce:A1,pos:M7,ben,,again\n",
        )

        assert found == [
            Instruction("merge", "ecommerce:A1", "social:weibo:9"),
            Instruction("split", "ecommerce:A1", "pos:M7"),
        ]

    def test_three_columns_are_enough_and_a_spreadsheet_s_mark_does_no_harm(self, tmp_path):
        found = self.read(
            tmp_path, "account_b, account_a,instruction\npos:1,pos:顧客 2,merge\n", encoding="utf-8-sig"
        )

        assert found == [Instruction("merge", "pos:1", "pos:顧客 2")]

    def test_a_header_alone_decides_nothing(self, tmp_path):
        assert self.read(tmp_path, HEADER) == []

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("join,pos:1,pos:2,,,", "row 2: instruction: 'join': accepted: merge, split"),
            ("merge,pos:1,pos:1,,,", "row 2: account_b: 'pos:1' is account_a"),
            ("merge,pos:1,till:2,,,", "row 2: account_b: 'till:2': accepted: <source>:<account key>"),
            ("merge,pos: ,pos:2,,,", "row 2: account_a: 'pos: ': accepted: <source>:<account key>"),
            ("merge,pos:1,A2,,,", "row 2: account_b: 'A2': accepted"),
            ("merge,pos:1,pos:2,anna,3/2/2025,", "row 2: decided_on: '3/2/2025': accepted: a date such as"),
            ("merge,pos:1,pos:2", "row 2: has not as many cells"),
            ("merge,pos:1,pos:2,anna,,mother, daughter", "row 2: has not as many cells"),
            ('merge,pos:1,"pos:2,,,', "is not valid CSV"),
        ],
    )
    def test_a_row_that_breaks_a_rule_is_named(self, tmp_path, row, said):
        with pytest.raises(ConfigError) as error:
            self.read(tmp_path, f"{HEADER}{row}\n")

        assert said in str(error.value)
        assert str(tmp_path / "identity_instructions.csv") in str(error.value)

    @pytest.mark.parametrize("header", ["", "instruction,account_a", HEADER.strip() + ",reason"])
    def test_a_header_that_breaks_a_rule_says_what_is_accepted(self, tmp_path, header):
        with pytest.raises(ConfigError, match="accepted columns: instruction, account_a, account_b, decided_by"):
            self.read(tmp_path, header)

    def test_a_file_in_another_encoding(self, tmp_path):
        with pytest.raises(ConfigError, match="cannot be read as UTF-8 text"):
            self.read(tmp_path, f"{HEADER}merge,pos:顧客,pos:2,,,\n", encoding="big5")

    @pytest.mark.parametrize(
        "rows",
        [
            "merge,pos:1,pos:2,,,\nsplit,pos:2,pos:1,,,\n",
            "split,pos:1,pos:4,,,\nmerge,pos:1,pos:2,,,\nmerge,pos:4,pos:3,,,\nmerge,pos:3,pos:2,,,\n",
        ],
        ids=["two rows", "a chain of merges"],
    )
    def test_contradictions_are_refused(self, tmp_path, rows):
        with pytest.raises(ConfigError, match=r"pos:1 and pos:[24] are to be split, but merges make them one"):
            self.read(tmp_path, HEADER + rows)

    def test_a_split_beside_a_merge_is_no_contradiction(self, tmp_path):
        assert len(self.read(tmp_path, f"{HEADER}merge,pos:1,pos:2,,,\nsplit,pos:2,pos:3,,,\n")) == 2


class TestKeptVersions:
    @pytest.fixture
    def file(self, tmp_path):
        return tmp_path / "identity_instructions.csv"

    @pytest.fixture
    def kept(self, tmp_path):
        return tmp_path / "kept"

    def test_without_a_file_nothing_is_decided_and_nothing_kept(self, file, kept):
        assert current_instructions(file, kept) == []
        assert not kept.exists()

    def test_each_new_version_is_kept_once(self, file, kept):
        for text in (HEADER, HEADER, f"{HEADER}merge,pos:1,pos:2,,,\n", HEADER):
            file.write_text(text, encoding="utf-8")
            current_instructions(file, kept)

        assert [each.name for each in sorted(kept.iterdir())] == ["000001.csv", "000002.csv", "000003.csv"]

    def test_the_newest_version_counts_where_the_file_is_missing(self, file, kept):
        file.write_text(f"{HEADER}merge,pos:1,pos:2,,,\n", encoding="utf-8")
        told = current_instructions(file, kept)
        file.unlink()

        assert current_instructions(file, kept) == told == [Instruction("merge", "pos:1", "pos:2")]

    def test_a_version_that_breaks_a_rule_is_not_kept(self, file, kept):
        file.write_text(f"{HEADER}merge,pos:1,pos:1,,,\n", encoding="utf-8")
        with pytest.raises(ConfigError):
            current_instructions(file, kept)

        assert not kept.exists()


class TestDecisions:
    def test_a_merge_joins_and_taking_it_back_parts_again(self, world):
        world.run(A, STRANGER)
        before = world.ids()
        world.run(A, STRANGER, instructions=[merge(A.id, STRANGER.id)])
        assert together(world, A, STRANGER)
        assert world.evidence(STRANGER.id) == (
            '{"rule":"merge_instruction","kinds":[],"with":"ecommerce:a"}'
        )

        world.run(A, STRANGER)
        assert world.ids() == before
        assert world.aliases() == {}

    def test_a_split_parts_and_taking_it_back_joins_again(self, world):
        world.run(A, B)
        before = world.ids()
        world.run(A, B, instructions=[split(A.id, B.id)])
        assert not together(world, A, B)

        world.run(A, B)
        assert world.ids() == before
        assert world.aliases() == {B.own_id: A.own_id}

    def test_an_instruction_examines_only_whom_it_names_and_theirs(self, world):
        world.run(A, B, STRANGER)

        assert world.run(A, B, STRANGER, instructions=[split(A.id, B.id)]).examined == 2
        assert world.run(A, B, STRANGER, instructions=[split(A.id, B.id)]).examined == 0

    @pytest.mark.parametrize("first", [A, STRANGER], ids=["the older first", "the younger first"])
    def test_a_merge_waits_for_an_account_that_is_not_there_yet(self, world, first):
        told = [merge(A.id, STRANGER.id)]
        assert world.run(first, instructions=told).waiting == 1

        assert world.run(A, STRANGER, instructions=told).waiting == 0
        assert together(world, A, STRANGER)

    @pytest.mark.parametrize("first", [A, B], ids=["the older first", "the younger first"])
    def test_a_split_waits_for_an_account_that_is_not_there_yet(self, world, first):
        told = [split(A.id, B.id)]
        assert world.run(first, instructions=told).waiting == 1

        assert world.run(A, B, instructions=told).waiting == 0
        assert not together(world, A, B)

    def test_a_merge_counts_again_when_an_account_returns(self, world):
        told = [merge(A.id, STRANGER.id)]
        world.run(A, STRANGER, instructions=told)
        world.run(STRANGER, instructions=told)
        assert together(world, STRANGER)

        world.run(A, STRANGER, instructions=told)
        assert together(world, A, STRANGER)

    def test_a_merge_turned_into_a_split(self, world):
        world.run(A, B, instructions=[merge(A.id, B.id)])
        world.run(A, B, instructions=[split(A.id, B.id)])

        assert not together(world, A, B)

    def test_a_merge_brings_both_ones_groups_together(self, world):
        friend = replace(STRANGER, id="pos:f", phones=("9",))
        stranger = replace(STRANGER, phones=("9",))
        world.run(A, B, stranger, friend, instructions=[merge(B.id, stranger.id)])

        assert together(world, A, B, stranger, friend)
