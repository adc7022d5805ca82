"""Contracts: the shipped ones are complete, and a wrong one is refused with file, key, value and remedy."""

from pathlib import Path

import pytest

from pipelines.feeds.contract import Column, FeedContract, load_contract, load_contracts
from pipelines.feeds.errors import ConfigError

FEEDS = {
    "ecommerce_customers",
    "ecommerce_orders",
    "ecommerce_order_lines",
    "pos_members",
    "pos_sales",
    "products",
    "service_tickets",
    "web_events",
    "devices",
    "social_accounts",
    "campaign_members",
    "campaign_events",
    "consents",
    "survey_responses",
}
CONTRACT = """
feed: things
description: One row is a thing.
key: [thing_id]
columns:
  - {name: thing_id, type: text, required: true, description: Number of the thing.}
"""


def test_every_feed_of_the_design_has_a_contract(contracts: dict[str, FeedContract]) -> None:
    assert set(contracts) == FEEDS


def test_addresses_and_names_are_classed_as_personal(contracts: dict[str, FeedContract]) -> None:
    personal = {
        "name",
        "phone",
        "email",
        "address",
        "push_token",
        "card_no",
        "birth_date",
        "text",
        "account_id",
    }
    for contract in contracts.values():
        for column in contract.columns:
            product_name = (contract.feed, column.name) == ("products", "name")
            if column.name in personal and not product_name:
                assert column.personal != "none", f"{contract.feed}.{column.name}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("type: text", "type: string"), "columns.0.type: .*'text', 'integer', .*given: 'string'"),
        (("required: true", "requird: true"), "unknown key 'requird'; accepted keys: name, type"),
        (("key: [thing_id]", "key: [id]"), "key names 'id'; accepted columns: thing_id"),
        (("key: [thing_id]", "key: [thing_id]\nversion: changed"), "version names 'changed'"),
        (("type: text", "type: decimal"), "column thing_id: scale .2 or 4."),
        (("type: text", "type: integer, allowed: [a]"), "allowed belongs to the type text"),
        (("type: text", "type: text, minimum: 1"), "minimum 1 does not fit the type text"),
        (("type: text", "type: integer, default: x"), "default 'x' does not fit the type integer"),
        (("required: true, ", ""), "at least one key column must be required"),
        (("feed: things", "feed: others"), "'others' must be the file's name, 'things'"),
        (("feed: things", "feed: things\nfeed: things"), "the key 'feed' is given twice"),
        (("feed: things", "feed: [things"), "is not valid YAML"),
        (("thing_id, type", "Thing-Id, type"), "a column name has lower-case letters"),
        (
            ("columns:", "columns:\n  - {name: thing_id, type: text, description: Number of the thing.}"),
            "columns given twice: thing_id",
        ),
    ],
)
def test_a_wrong_contract_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    file = tmp_path / "things.yaml"
    file.write_text(CONTRACT.replace(*change))
    with pytest.raises(ConfigError, match=message) as raised:
        load_contract(file)
    assert str(file) in str(raised.value)


def test_a_folder_without_contracts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no feed contract"):
        load_contracts(tmp_path)


def test_a_missing_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_contract(tmp_path / "things.yaml")
    (tmp_path / "things.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as UTF-8"):
        load_contract(tmp_path / "things.yaml")


@pytest.mark.parametrize(
    ("spec", "sql_type"),
    [
        ({"type": "text"}, "VARCHAR"),
        ({"type": "integer"}, "BIGINT"),
        ({"type": "decimal", "scale": 4}, "DECIMAL(18,4)"),
        ({"type": "timestamp"}, "TIMESTAMP WITH TIME ZONE"),
    ],
)
def test_sql_types(spec: dict[str, object], sql_type: str) -> None:
    column = Column.model_validate({"name": "a", "description": "A column of tests.", **spec})
    assert column.sql_type == sql_type
