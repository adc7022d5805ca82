"""Where columns come from and what they mean, on queries made up for it."""

import pytest

from pipelines.columns import LineageError, described_columns, lineage_text, read_lineage, seen_from, trace

RAW = {"raw.sale": ["receipt", "amount", "member"], "raw.member": ["member", "name"]}
QUERIES = {
    "staging.sale": "select receipt, amount, member as customer_id from raw.sale",
    "core.hidden": """
        select s.*, m.name from staging.sale as s left join raw.member as m on s.customer_id = m.member
    """,
    "core.spent": """
        with sums as (
            select customer_id, sum(amount) as spent, count(*) as receipts from core.hidden group by all
        )
        select *, case when spent > 100 then name else 'x' end as label
        from sums
        left join (select customer_id as id, name from core.hidden) as named on sums.customer_id = named.id
    """,
}


def test_a_column_is_followed_through_joins_and_subqueries():
    traced = trace(QUERIES, RAW)

    assert traced["core.hidden"]["name"] == ["raw.member.name"]
    assert traced["core.spent"]["spent"] == ["core.hidden.amount"]
    assert traced["core.spent"]["receipts"] == []
    assert traced["core.spent"]["label"] == ["core.hidden.amount", "core.hidden.name"]


def test_what_is_hidden_is_seen_through():
    seen = seen_from(trace(QUERIES, RAW), {"core.spent", "raw.member", "staging.sale"})

    assert set(seen) == {"core.spent", "staging.sale"}
    assert seen["core.spent"]["label"] == ["raw.member.name", "staging.sale.amount"]


def test_a_table_made_of_its_own_earlier_rows_ends():
    made = {"a.b": {"x": ["a.loop.x"]}, "a.loop": {"x": ["a.loop.x", "a.c.y"]}}

    assert seen_from(made, {"a.b", "a.c"}) == {"a.b": {"x": ["a.c.y"]}}


@pytest.mark.parametrize(
    ("query", "told"), [("select * from nowhere.known", "core.x"), ("selec 1", "core.x")]
)
def test_a_query_that_cannot_be_followed_is_named(query, told):
    with pytest.raises(LineageError, match=told):
        trace({"core.x": query}, {})


def test_kept_lineage_is_read_back(tmp_path):
    traced = trace(QUERIES, RAW)
    (tmp_path / "column_lineage.json").write_text(lineage_text(traced), encoding="utf-8")

    assert read_lineage(tmp_path) == traced


def test_a_description_is_inherited_from_the_same_name_or_the_only_parent():
    lineage = trace(QUERIES, RAW)
    manifest = {
        "sources": {},
        "nodes": {
            "model.x.spent": {
                "resource_type": "model",
                "schema": "core",
                "name": "spent",
                "columns": {"receipts": {"description": "How many."}},
            }
        },
    }
    feeds = {"sale": {"amount": "Money paid.", "member": "Who paid."}, "member": {"name": "Of the member."}}

    columns = {each.name: each for each in described_columns(manifest, feeds, lineage)["core.spent"]}

    assert columns["receipts"].description == "How many."
    assert columns["customer_id"].description == "Who paid."
    assert columns["spent"].description == "Money paid.", "its only parent's"
    assert columns["label"].description == "", "two parents, none of its name"
    assert columns["label"].parents == ("core.hidden.amount", "core.hidden.name")
