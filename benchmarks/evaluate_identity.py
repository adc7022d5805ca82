"""How right the identity graph is: `python benchmarks/evaluate_identity.py`.

For each seed a demo shop is written, its files are taken in and its accounts resolved as in a daily run; the
customers are then compared with the truth, pair by pair of accounts. Then the optional fuzzy links are
measured on the reference data sets (see benchmarks/fuzzy_reference.py). Prints tables and a line of JSON.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from dagster import DagsterInstance

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

SEEDS = (101, 202, 303, 404, 505)
"""Never used while the links were made; the demo shop's own seed was."""

_METRICS = (
    "accounts",
    "customers",
    "true_pairs",
    "reachable_pairs",
    "precision",
    "recall_reachable",
    "recall_overall",
    "precision_without_contacts",
    "recall_without_contacts",
    "households_with_a_shared_phone",
    "households_glued",
    "contacts_at_a_housemate",
)


def build(home: Path, seed: int, customers: int) -> Path:
    """Writes a seed's shop below the folder and runs its stages up to identity; returns the warehouse."""
    from pipelines.build import build_definitions  # noqa: PLC0415 - imports only once the arguments are right
    from pipelines.demo import write_demo_shop  # noqa: PLC0415
    from pipelines.resources.instance import prepare_home  # noqa: PLC0415
    from pipelines.settings import PROFILES_DIR, load_settings  # noqa: PLC0415

    write_demo_shop(home / "landing", home / "demo_truth", customers=customers, seed=seed)
    # The profile would have the shop of its own seed made.
    profile = home / "demo.yaml"
    text = (PROFILES_DIR / "demo.yaml").read_text(encoding="utf-8")
    profile.write_text(text.replace("generated: true", "generated: false"), encoding="utf-8")
    environment = {**os.environ, "WINBACK_PROFILE": str(profile), "WINBACK_DATA_DIR": str(home)}
    settings = load_settings({**environment, "WINBACK_SETTLE_SECONDS": "0"})
    prepare_home(settings)
    definitions = build_definitions(settings)
    nodes = definitions.resolve_asset_graph().asset_nodes
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection={
            node.key for node in nodes if node.group_name in ("raw", "policy", "staging", "identity")
        },
        asset_check_selection=set(),
    )
    with DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance, run_config={"loggers": {"console": {}}})
    return settings.warehouse_file


def evaluate(warehouse: Path, truth: Path) -> dict[str, float]:
    """The figures of one shop.

    Pairs are of accounts of the truth. A contact of the help desk is the address it came from: the product
    can't tell two people who wrote from one. `reachable` pairs are joined by a chain of identifiers that
    nobody else has.
    """
    with duckdb.connect() as con:
        con.execute(f"attach '{warehouse}' as warehouse (read_only)")
        for table in ("account", "account_pair"):
            con.execute(f"create view {table} as from read_parquet('{truth}/{table}/*.parquet')")
        con.execute(
            """
            create table found as
            select account.account_no, account.person_no, account.household_no, account.source,
                account.phone_norm, account.name, known.customer_id
            from account
            left join warehouse.identity.account as known
                on known.source = case account.source when 'helpdesk' then 'service' else account.source end
                and known.account_key = case account.source
                    when 'helpdesk' then 's_' || substr(md5(
                        (select private_key from warehouse.control.private_key) || chr(31)
                        || coalesce(lower(account.email_norm), '+86' || account.phone_norm)), 1, 16)
                    when 'social' then null
                    else account.account_key
                end
            where account.source <> 'social'
            union all
            select account.account_no, account.person_no, account.household_no, account.source,
                account.phone_norm, account.name, known.customer_id
            from account
            left join warehouse.core.int_address as addresses
                on addresses.source = 'social' and addresses.kind = 'social'
                and addresses.address = account.account_key
            left join warehouse.identity.account as known
                on known.source = 'social' and known.account_key = addresses.account_key
            where account.source = 'social'
            """
        )
        # A contact that never wrote within the two years is in nobody's files.
        con.execute("delete from found where source = 'helpdesk' and customer_id is null")
        missing = con.execute("select count(*) from found where customer_id is null").fetchone()
        if missing and missing[0]:
            raise SystemExit(f"{missing[0]} accounts of the truth are not among the shop's accounts")
        con.execute(
            """
            create table joined as
            select one.account_no as a, other.account_no as b, one.person_no = other.person_no as is_true,
                one.source = 'helpdesk' or other.source = 'helpdesk' as has_contact,
                one.household_no = other.household_no as is_household, one.household_no
            from found as one
            inner join found as other
                on one.customer_id = other.customer_id and one.account_no < other.account_no
            """
        )
        con.execute(
            """
            create table truth as
            select pairs.*, one.customer_id = other.customer_id as is_found,
                one.source = 'helpdesk' or other.source = 'helpdesk' as has_contact
            from account_pair as pairs
            inner join found as one on pairs.account_a = one.account_no
            inner join found as other on pairs.account_b = other.account_no
            """
        )
        row = con.execute(
            """
            select
                (select count(*) from found),
                (select count(distinct customer_id) from found),
                (select count(*) from truth),
                (select count(*) from truth where is_reachable),
                (select avg(is_true::int) from joined),
                (select avg(is_found::int) from truth where is_reachable),
                (select avg(is_found::int) from truth),
                (select avg(is_true::int) from joined where not has_contact),
                (select avg(is_found::int) from truth where is_reachable and not has_contact),
                (select count(distinct household_no) from (
                    select phone_norm, min(household_no) as household_no from found
                    where phone_norm is not null and name is not null and source <> 'helpdesk'
                    group by phone_norm having count(distinct person_no) > 1
                )),
                (select count(distinct household_no) from joined
                    where not is_true and is_household and not has_contact),
                (select count(distinct case when found.source = 'helpdesk' then a else b end)
                    from joined inner join found on found.account_no = joined.a
                    where not is_true and has_contact)
            """
        ).fetchone()
    assert row is not None
    return dict(zip(_METRICS, row, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, help="a folder in which the shops stay")
    parser.add_argument("--skip-reference", action="store_true", help="the demo shops alone")
    given = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    results = {}
    for seed in given.seeds:
        with TemporaryDirectory(prefix="winback-identity-") as temporary:
            home = (given.keep or Path(temporary)) / str(seed)
            warehouse = home / "warehouse" / "winback.duckdb"
            if not warehouse.is_file():
                warehouse = build(home, seed, given.customers)
            results[seed] = evaluate(warehouse, home / "demo_truth")
        print(_table(results), flush=True)
    print(json.dumps({"customers": given.customers, "seeds": results}))
    if not given.skip_reference:
        from fuzzy_reference import main as fuzzy_reference  # noqa: PLC0415 - beside this file

        fuzzy_reference([])


def _table(results: dict[int, dict[str, float]]) -> str:
    lines = [f"{'seed':>32}" + "".join(f"{seed:>12}" for seed in results)]
    for metric in _METRICS:
        cells = "".join(
            f"{value:>12,.5f}" if isinstance(value, float) else f"{value:>12,}"
            for value in (found[metric] for found in results.values())
        )
        lines.append(f"{metric:>32}{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
