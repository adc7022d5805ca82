"""What analysts find in the published copy, and what they must not find there."""

import duckdb
import pytest
from published_contract import faults
from story import Story

pytestmark = pytest.mark.xdist_group("story")


def test_the_published_copy_keeps_the_contract(story: Story) -> None:
    with story.home.published() as con:
        assert faults(con) == []


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        ("drop table kpi.redormancy", "kpi.redormancy is missing"),
        ("create table core.extra (a int)", "core.extra is not in the contract"),
        ("alter table core.product drop category", "core.product has the columns"),
        ("comment on table kpi.target is null", "kpi.target has no comment"),
        ("comment on column kpi.target.met is null", "kpi.target.met has no comment"),
        ("alter table core.customer add column phone text", "core.customer.phone is personal data"),
        ("alter table marts.customer_rfm alter monetary type double", "monetary is DOUBLE; money is"),
        ("alter table marts.segment_movement alter moved_on type timestamp", "moved_on is TIMESTAMP;"),
    ],
)
def test_a_break_of_the_contract_is_seen(story: Story, tmp_path, spoil: str, fault: str) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(story.home.settings.published_file.read_bytes())
    with duckdb.connect(str(copy)) as con:
        con.execute(spoil)
        assert any(fault in line for line in faults(con)), faults(con)


def test_no_address_of_a_customer_is_in_the_published_copy(story: Story) -> None:
    addresses = (story.home.shop.folder / "accounts.csv").read_text(encoding="utf-8")
    assert "person5@example.org" in addresses
    with story.home.published() as con:
        texts = con.execute(
            "select schema_name || '.' || table_name, column_name from duckdb_columns() "
            "where not internal and data_type in ('VARCHAR', 'VARCHAR[]')"
        ).fetchall()
        found = [
            f"{table}.{column}"
            for table, column in texts
            if con.execute(
                f"select count(*) from {table} where cast({column} as varchar) like '%@%'"
            ).fetchone()
            != (0,)
        ]
    assert found == []
    # It is there in private, so the scan had something to find.
    with duckdb.connect(str(story.home.settings.warehouse_file), read_only=True) as con:
        assert con.execute("select count(*) from raw.ecommerce_customers where email like '%@%'").fetchone()[
            0
        ]
