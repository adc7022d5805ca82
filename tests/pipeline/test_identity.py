"""One customer across channels, on the demo shop: right, stable, and as people decided."""

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.util import find_spec

import duckdb
import pytest
from dagster import Failure
from demo_home import DEMO, TO_CORE, DemoHome

from pipelines.identity.ledger import Ledger
from pipelines.identity.resolve import resolve
from pipelines.identity.rules import IdentityRules
from pipelines.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

from evaluate_identity import evaluate

pytestmark = pytest.mark.xdist_group("demo")

STEPS = 12
GRAPH = ("account", "alias", "link", "shared_identifier")


def rows(home: DemoHome, query: str, *values: object) -> list[tuple]:
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        return con.execute(query, list(values)).fetchall()


def test_customers_are_the_true_people(demo: DemoHome) -> None:
    """The short form of `make evaluate-identity`; 250 customers have some 230 pairs."""
    found = evaluate(demo.settings.warehouse_file, demo.settings.demo_truth_dir)

    assert found["reachable_pairs"] > 150
    assert found["recall_reachable"] > 0.97
    assert found["precision_without_contacts"] > 0.97
    assert found["precision"] > 0.95


def test_visits_before_the_log_in_are_the_customer_s(demo: DemoHome) -> None:
    truth = demo.settings.demo_truth_dir
    ((visits, own, foreign),) = rows(
        demo,
        f"""
        with owners as (
            select visitor_id, any_value(person_no) as person_no
            from read_parquet('{truth}/visitor_owner/*.parquet') group by visitor_id
        ),
        customers as (
            select identity.account.customer_id, any_value(people.person_no) as person_no
            from identity.account
            join read_parquet('{truth}/account/*.parquet') as people
                on identity.account.source = people.source
                and identity.account.account_key = people.account_key
            group by identity.account.customer_id having count(distinct people.person_no) = 1
        ),
        visits as (
            select session.customer_id, owners.person_no
            from core.session
            join staging.stg_web__events as events on session.session_id = 'v:' || events.event_id
            join owners on events.visitor_id = owners.visitor_id
            where events.account_id is null
        )
        select count(*), count(*) filter (where customers.person_no = visits.person_no),
            count(*) filter (where customers.person_no <> visits.person_no)
        from visits join customers on visits.customer_id = customers.customer_id
        """,
    )
    assert visits > 500
    assert foreign == 0
    assert own == visits


def test_what_people_decide_holds_for_ever(demo: DemoHome, tmp_path) -> None:
    """A split stays through new rows with the same number and through the loss of warehouse and file."""
    home = demo.copy(tmp_path / "home")
    home = DemoHome(DEMO, home.path)
    ((one, other, customer),) = rows(
        home,
        """
        select links.account_a, links.account_b, accounts.customer_id
        from identity.link as links
        join identity.account as accounts on links.account_a = accounts.account_id
        where links.rule = 'same_name' and links.kinds = ['phone'] and links.is_applied
            and starts_with(links.account_a, 'ecommerce') and starts_with(links.account_b, 'pos')
            and accounts.customer_id in (
                select customer_id from identity.account group by customer_id having count(*) = 2
            )
        order by all limit 1
        """,
    )
    before = dict(rows(home, "select account_id, customer_id from identity.account"))
    instructions = home.path / "identity_instructions.csv"
    instructions.write_text(f"instruction,account_a,account_b\nsplit,{one},{other}\n", encoding="utf-8")
    # A third account of that name with that number.
    ((name, phone),) = rows(
        home,
        "select name, phone from raw.ecommerce_customers where 'ecommerce:' || account_id = ? limit 1",
        one,
    )
    new = home.landing / "ecommerce_customers" / "accounts_new.csv"
    with new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                *("account", "name", "mobile", "email", "email_verified", "birthday", "gender", "city"),
                *("registered", "updated"),
            ]
        )
        writer.writerow(["A1", name, phone, "", "", "", "", "", "2025-12-30 10:00:00", ""])
    home.build(*TO_CORE)

    after = dict(rows(home, "select account_id, customer_id from identity.account"))
    assert after[one] != after[other]
    assert customer in (after[one], after[other])
    assert after.pop("ecommerce:A1") in (after[one], after[other])
    assert {key: value for key, value in after.items() if key not in (one, other)} == {
        key: value for key, value in before.items() if key not in (one, other)
    }

    core = home.core()
    instructions.unlink()
    home.settings.warehouse_file.unlink()
    home.build(*TO_CORE)
    assert home.core() == core


def test_a_wrong_instruction_is_an_error_that_names_it(demo: DemoHome, tmp_path) -> None:
    home = DemoHome(DEMO, demo.copy(tmp_path / "home").path)
    file = home.path / "identity_instructions.csv"
    file.write_text("instruction,account_a,account_b\nunite,ecommerce:A1,pos:M1\n", encoding="utf-8")

    with pytest.raises(Failure, match=r"identity_instructions.csv: row 2: instruction: 'unite': accepted: "):
        home.build("identity")


def test_a_year_of_runs_gives_the_groups_of_one_load_and_keeps_its_ids(demo: DemoHome, tmp_path) -> None:
    """Accounts arrive as they were opened; the ledger then gives a rebuild the same ids."""
    with world(demo) as con:
        first, last = con.execute("select min(opened_at), max(opened_at) from fact").fetchone()
        for step in range(1, STEPS + 1):
            until = first + (last - first) * step / STEPS + timedelta(seconds=1)
            daily = graph(con, Ledger(tmp_path / "daily"), until)
    with world(demo) as con:
        assert graph(con, Ledger(tmp_path / "daily"), until) == daily
    with world(demo) as con:
        assert groups(graph(con, Ledger(tmp_path / "one load"), until)) == groups(daily)


@contextmanager
def world(home: DemoHome) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the home's accounts and identifiers, in which nothing was resolved."""
    with duckdb.connect() as con:
        con.execute(f"attach '{home.settings.warehouse_file}' as winback (read_only)")
        con.execute("create table fact as from winback.identity.account_fact")
        con.execute("create table carried as from winback.identity.identifier")
        con.execute("detach winback")
        yield con


def graph(con: duckdb.DuckDBPyConnection, ledger: Ledger, until: datetime) -> dict[str, list[tuple]]:
    """The tables of the graph once the accounts that had been opened until then are resolved."""
    known = f"(select * from fact where opened_at <= timestamptz '{until.isoformat()}')"
    resolve(
        con,
        ledger,
        accounts=known,
        identifiers=f"(select * from carried where account_id in (select account_id from {known}))",
        instructions=[],
        rules=IdentityRules(),
        run_id="test",
        recorded_at="2026-01-01T00:00:00+00:00",
    )
    return {table: con.execute(f"from identity.{table} order by all").fetchall() for table in GRAPH}


def groups(tables: dict[str, list[tuple]]) -> set[frozenset[str]]:
    """The accounts of each customer."""
    members: dict[str, set[str]] = {}
    for row in tables["account"]:
        members.setdefault(row[-1], set()).add(row[0])
    return {frozenset(accounts) for accounts in members.values()}


def test_fuzzy_links_are_off_unless_the_profile_asks(demo: DemoHome, tmp_path, require_absent) -> None:
    """They join what an exact link does not, and say why."""
    assert rows(demo, "select count(*) from identity.link where rule = 'fuzzy'") == [(0,)]
    if not find_spec("splink"):
        require_absent("splink")
    home = DemoHome(DEMO, demo.copy(tmp_path / "home").path)
    profile = tmp_path / "fuzzy.yaml"
    profile.write_text(
        DEMO.profile.read_text(encoding="utf-8") + "\nidentity: {fuzzy: {enabled: true}}\n", encoding="utf-8"
    )
    home.shop = replace(DEMO, profile=profile)
    home.build("raw", "identity", "staging")
    evidence = rows(home, "select evidence from identity.link where rule = 'fuzzy' and is_applied")
    assert evidence
    assert all(json.loads(text).keys() >= {"birth_date", "email"} for (text,) in evidence)
