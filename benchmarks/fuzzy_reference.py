"""How well the fuzzy links find known persons: `python benchmarks/fuzzy_reference.py --data ../shared/data`.

Two public sets of a thousand records with known persons are linked with the settings of the product, which
were fixed without their labels; the labels are used for the figures only. Printed per set are the precision,
recall and F1 of pairs, for the links and for their transitive closure, and the same for a baseline: equal
e-mail, equal birth date or equal full name, closed. Then follows a line of JSON. What is not there, a set or
Splink (`pip install winback[fuzzy]`), is reported as "not evaluated".

Of febrl1 the street, the postcode, the state and the social security number are left out: a shop's accounts
have no such columns. It has no e-mail and no phone.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from pipelines.identity.fuzzy import (  # noqa: E402
    FuzzyError,
    FuzzySettings,
    fuzzy_links,
    load_fuzzy_settings,
)

Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class ReferenceSet:
    """A file of records and the SQL that makes accounts and their true person of it."""

    name: str
    select: str

    def file(self, data: Path) -> Path:
        return data / "identity" / f"{self.name}.parquet"


SETS = (
    ReferenceSet(
        "fake_1000",
        """
        select
            cast(unique_id as varchar) as account_id, first_name, surname,
            try_cast(dob as date) as birth_date, city, email,
            cast(null as varchar) as phone, cast(cluster as varchar) as person
        """,
    ),
    ReferenceSet(
        "febrl1",
        """
        select
            rec_id as account_id, given_name as first_name, surname,
            cast(try_strptime(date_of_birth, '%Y%m%d') as date) as birth_date, suburb as city,
            cast(null as varchar) as email, cast(null as varchar) as phone,
            regexp_extract(rec_id, '[0-9]+') as person
        """,
    ),
)

_EXACT_SQL = """
select a.account_id, b.account_id
from account as a
inner join account as b on a.account_id < b.account_id
where a.email = b.email or a.birth_date = b.birth_date
    or (a.first_name = b.first_name and a.surname = b.surname)
"""


def closure(links: Iterable[tuple[str, str]]) -> Pairs:
    """All pairs within what the links join.

    >>> sorted(closure([("a", "b"), ("b", "c")]))
    [('a', 'b'), ('a', 'c'), ('b', 'c')]
    """
    parent: dict[str, str] = {}

    def root(account: str) -> str:
        parent.setdefault(account, account)
        while parent[account] != account:
            parent[account] = parent[parent[account]]
            account = parent[account]
        return account

    for one, other in links:
        parent[root(one)] = root(other)
    groups = defaultdict(list)
    for account in sorted(parent):
        groups[root(account)].append(account)
    return {
        (one, other)
        for accounts in groups.values()
        for place, one in enumerate(accounts)
        for other in accounts[place + 1 :]
    }


def scores(found: Pairs, true: Pairs) -> dict[str, float]:
    """Pairwise precision, recall and F1 of the pairs found."""
    right = len(found & true)
    precision = right / len(found) if found else 0.0
    recall = right / len(true) if true else 0.0
    f1 = 2 * right / (len(found) + len(true)) if found or true else 0.0
    return {"pairs": len(found), "precision": precision, "recall": recall, "f1": f1}


def evaluate(chosen: ReferenceSet, data: Path, settings: FuzzySettings) -> dict[str, object]:
    """The figures of one set, or under `not_evaluated` why there are none."""
    file = chosen.file(data)
    if not file.is_file():
        return {"not_evaluated": f"there is no file {file}"}
    with duckdb.connect(config={"threads": 2}) as con:
        con.read_parquet(str(file)).create_view("source")
        con.execute(f"create table account as {chosen.select} from source")
        start = time.monotonic()
        try:
            result = fuzzy_links(con, records="account", into="link", settings=settings)
        except FuzzyError as error:
            return {"not_evaluated": str(error)}
        seconds = time.monotonic() - start
        links = set(con.execute("select account_a, account_b from link").fetchall())
        exact = con.execute(_EXACT_SQL).fetchall()
        true = set(
            con.execute(
                "select a.account_id, b.account_id from account as a inner join account as b "
                "on a.person = b.person and a.account_id < b.account_id"
            ).fetchall()
        )
    return {
        "records": result.records,
        "true_pairs": len(true),
        "pairs_compared": result.pairs,
        "expected_false_links": round(result.expected_false_links, 1),
        "learned_nothing_of": list(result.untrained),
        "seconds": round(seconds, 1),
        "links": scores(links, true),
        "closed links": scores(closure(links), true),
        "closed exact": scores(closure(exact), true),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("WINBACK_REFERENCE_DATA") or PROJECT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default), help="folder of the reference data")
    parser.add_argument("--settings", type=Path, help="by default the product's fuzzy.yaml")
    given = parser.parse_args(arguments)
    settings = load_fuzzy_settings(given.settings)
    found = {chosen.name: evaluate(chosen, given.data, settings) for chosen in SETS}
    print(f"links at probability {settings.threshold:g} or more")
    print(f"{'set':<10} {'of':<13} {'pairs':>6} {'precision':>9} {'recall':>7} {'F1':>7}")
    for name, figures in found.items():
        if "not_evaluated" in figures:
            print(f"{name:<10} not evaluated: {figures['not_evaluated']}")
            continue
        for of in ("closed exact", "links", "closed links"):
            each = figures[of]
            print(
                f"{name:<10} {of:<13} {each['pairs']:>6,} {each['precision']:>9.4f} {each['recall']:>7.4f} "
                f"{each['f1']:>7.4f}"
            )
        print(
            f"{name:<10} {figures['records']:,} records, {figures['true_pairs']:,} true pairs, "
            f"{figures['pairs_compared']:,} compared, {figures['expected_false_links']} links expected "
            f"false, {figures['seconds']} s"
        )
    print(json.dumps({"threshold": settings.threshold, **found}))


if __name__ == "__main__":
    main()
