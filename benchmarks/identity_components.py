"""How long it takes to connect accounts: `python benchmarks/identity_components.py --people 1000000`.

A seeded graph of people with three accounts each on average, and 1.2 links per account, is connected by

- ours: `pipelines.identity.components.connect`;
- daily: the same after 1 % of the accounts are new, of which only the components that these touch are
  connected again;
- splink: Splink's own clustering, on the same DuckDB;
- networkx: `connected_components`, with the building of the graph from arrays.

Each run is a process of its own, in turns. Seconds are the median, without the loading of the graph. Memory
is the highest resident set (VmHWM), with the graph and the libraries, and for daily with the making of
yesterday's components. That networkx's nodes are given their labels is in neither. Stops unless all
have found the same components. Prints a table and a line of JSON.
networkx comes with dbt; Splink is not among the requirements: `pip install splink` beside them.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from pipelines.identity.components import connect  # noqa: E402

# Of twenty people in a row, how many accounts each has: three on average.
_ACCOUNTS = [1] * 3 + [2] * 5 + [3] * 5 + [4] * 4 + [5] * 2 + [6]
# So many groups, of a thousandth of the people each, hang together by a value that they share.
_LARGE_GROUPS = 5

_GRAPH_SQL = """
create table account as
with person as (
    select range as person, list_extract($accounts, cast(range % len($accounts) as integer) + 1) as accounts
    from range($people)
),
numbered as (
    select person, unnest(range(accounts)) as place from person
)
-- Numbered in no order: neighbours in the graph are not neighbours in the table.
select person, place, row_number() over (order by hash(person, place, $seed), person, place) as node
from numbered;

create table link as
with tied as (
    -- A hub value (a member number) ties each account to the first one, or each to the one before.
    select person, node, place, if(person % 2 = 0, 0, place - 1) as to_place from account where place > 0
    union all
    -- And four in five share a second value with any of those before: a link that adds nothing, or a repeat.
    select person, node, place, hash(node, $seed, 'which') % place as to_place
    from account
    where place > 0 and hash(node, $seed, 'whether') % 5 < 4
),
grouped as (
    select person, node, person // greatest($people // 1000, 2) as large_group
    from account
    where place = 0 and large_group < $large_groups
)
select tied.node as a, other.node as b
from tied
inner join account as other on tied.person = other.person and tied.to_place = other.place
union all
select node as a, if(large_group % 2 = 0, first_value(node) over in_group, lag(node) over in_group) as b
from grouped
window in_group as (partition by large_group order by person)
qualify row_number() over in_group > 1;
"""


def write_graph(file: Path, people: int, seed: int) -> dict[str, int]:
    """Writes the accounts and links to a DuckDB file; returns how many there are."""
    given = {"people": people, "seed": seed, "accounts": _ACCOUNTS, "large_groups": _LARGE_GROUPS}
    with duckdb.connect(str(file)) as con:
        for statement in con.extract_statements(_GRAPH_SQL):
            con.execute(statement, {name: given[name] for name in statement.named_parameters})
        accounts = _number(con, "select count(*) from account")
        return {"accounts": accounts, "links": _number(con, "select count(*) from link")}


def _number(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    ((number,),) = con.execute(sql).fetchall()
    return int(number)


def _since(start: float) -> dict[str, float]:
    """The seconds since the start, and this process's highest resident bytes so far."""
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {"seconds": seconds, "peak_rss_bytes": int(peak.split()[1]) * 1024}


def run_ours(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """All accounts anew."""
    start = time.perf_counter()
    rounds = connect(con, nodes="account", edges="link", into="found")
    return _since(start) | {"rounds": rounds}


def run_daily(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """What a day with 1 % new accounts touches; yesterday's components are there."""
    con.execute("create temp table new_account as select node from account where hash(node) % 100 = 0")
    con.execute(
        "create temp table old_account as select node from account where node not in (from new_account)"
    )
    con.execute(
        "create temp table old_link as select a, b from link "
        "where a in (from old_account) and b in (from old_account)"
    )
    con.execute(
        "create temp table new_link as select a, b from link "
        "where a in (from new_account) or b in (from new_account)"
    )
    connect(con, nodes="old_account", edges="old_link", into="found")
    start = time.perf_counter()
    con.execute(
        "create temp table touched as select distinct component from found "
        "where node in (select a from new_link union all select b from new_link)"
    )
    con.execute(
        "create temp table again as select node from found where component in (from touched) "
        "union all select node from new_account"
    )
    con.execute(
        "create temp table again_link as select a, b from old_link where a in (from again) "
        "union all select a, b from new_link"
    )
    rounds = connect(con, nodes="again", edges="again_link", into="renewed")
    con.execute("delete from found where component in (from touched)")
    con.execute("insert into found select node, component from renewed")
    found = _since(start)
    return found | {"rounds": rounds, "connected": _number(con, "select count(*) from again")}


def run_splink(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Splink's clustering with every link taken for a match."""
    from splink import DuckDBAPI  # noqa: PLC0415
    from splink.clustering import cluster_pairwise_predictions_at_threshold  # noqa: PLC0415

    start = time.perf_counter()
    clusters = cluster_pairwise_predictions_at_threshold(
        "account",
        "link",
        DuckDBAPI(con),
        node_id_column_name="node",
        edge_id_column_name_left="a",
        edge_id_column_name_right="b",
    )
    found = _since(start)
    con.execute(f"create view found as select node, cluster_id as component from {clusters.physical_name}")
    return found


def run_networkx(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """networkx, in memory and in Python."""
    import networkx  # noqa: PLC0415
    import pyarrow  # noqa: PLC0415

    nodes = con.execute("select node from account").fetchnumpy()["node"]
    links = con.execute("select a, b from link").fetchnumpy()
    start = time.perf_counter()
    graph = networkx.Graph()
    graph.add_nodes_from(nodes.tolist())
    graph.add_edges_from(zip(links["a"].tolist(), links["b"].tolist(), strict=True))
    groups = list(networkx.connected_components(graph))
    found = _since(start)
    labelled = [(node, place) for place, group in enumerate(groups) for node in group]
    columns = dict(zip(("node", "component"), zip(*labelled, strict=True), strict=True))
    con.register("found", pyarrow.table({name: list(values) for name, values in columns.items()}))
    return found


METHODS: dict[str, Callable[[duckdb.DuckDBPyConnection], dict[str, float]]] = {
    "ours": run_ours,
    "daily": run_daily,
    "splink": run_splink,
    "networkx": run_networkx,
}
_NEEDS_PACKAGE = ("splink", "networkx")


def run_once(method: str, folder: Path, memory_limit: str, threads: int) -> dict[str, float]:
    """One run, in this process; what it has found lies in the folder."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "threads": str(threads),
        "temp_directory": str(folder / "spill"),
    }
    with duckdb.connect(config=config) as con:
        con.execute(f"attach '{folder / 'graph.duckdb'}' as graph (read_only)")
        con.execute("create table account as select node from graph.account")
        con.execute("create table link as select a, b from graph.link")
        found = METHODS[method](con)
        con.execute(
            "copy (select node, min(node) over (partition by component) as component from found) "
            f"to '{folder / method}.parquet' (format parquet)"
        )
    return found


def same_partition(folder: Path, methods: list[str]) -> int:
    """Returns the number of components that all methods have found; stops the benchmark if they differ."""
    first, *others = (f"'{folder / method}.parquet'" for method in methods)
    with duckdb.connect() as con:
        for other in others:
            differing = _number(
                con,
                f"select count(*) from {first} as one full join {other} as other using (node) "
                "where one.component is distinct from other.component",
            )
            if differing:
                raise SystemExit(f"{first} and {other} differ in {differing} nodes: nothing was measured")
        return _number(con, f"select count(distinct component) from {first}")


def measure(
    people: int, methods: list[str], *, repeats: int, seed: int, memory_limit: str, threads: int
) -> dict[str, Any]:
    """Runs the methods in turns, each run in a process of its own."""
    with TemporaryDirectory(prefix="winback-benchmark-") as name:
        folder = Path(name)
        graph = write_graph(folder / "graph.duckdb", people, seed)
        command = [sys.executable, __file__, "--memory-limit", memory_limit, "--threads", str(threads)]
        runs: dict[str, list[dict[str, float]]] = {method: [] for method in methods}
        for _ in range(repeats):
            for method in methods:
                done = subprocess.run(
                    [*command, "--child", name, "--methods", method],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                runs[method].append(json.loads(done.stdout.splitlines()[-1]))
        components = same_partition(folder, methods)
    measured = {method: _summary(runs[method]) for method in methods}
    for each in measured.values():
        each["ratio_to_ours"] = round(each["seconds"] / measured["ours"]["seconds"], 2)
    return {"people": people, **graph, "components": components, "methods": measured}


def _summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    return runs[-1] | {
        "seconds": round(median(run["seconds"] for run in runs), 2),
        "all_seconds": [round(run["seconds"], 2) for run in runs],
        "peak_rss_bytes": max(run["peak_rss_bytes"] for run in runs),
    }


def installed(methods: list[str]) -> dict[str, str | None]:
    """The version of the package of each method that needs one; none if it is not installed."""
    found: dict[str, str | None] = {}
    for package in (method for method in methods if method in _NEEDS_PACKAGE):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="and ours")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory-limit", default="4GB", help="of each run's DuckDB")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(run_once(given.methods[0], given.child, given.memory_limit, given.threads)))
        return
    packages = installed(given.methods)
    missing = [package for package, found in packages.items() if found is None]
    methods = [method for method in METHODS if method in {"ours", *given.methods} - set(missing)]
    config = {"memory_limit": given.memory_limit, "threads": given.threads, "seed": given.seed}
    found = measure(given.people, methods, repeats=given.repeats, **config)
    print(f"{found['accounts']:,} accounts, {found['links']:,} links, {found['components']:,} components")
    print(f"{'':>10} {'seconds':>10} {'to ours':>10} {'peak MB':>10}")
    for method, each in found["methods"].items():
        megabytes = each["peak_rss_bytes"] / 1e6
        print(f"{method:>10} {each['seconds']:>10.2f} {each['ratio_to_ours']:>10.2f} {megabytes:>10,.0f}")
    for method in missing:
        print(f"{method:>10} not measured: not installed")
    print(json.dumps({**config, "repeats": given.repeats, "versions": packages, **found}))


if __name__ == "__main__":
    main()
