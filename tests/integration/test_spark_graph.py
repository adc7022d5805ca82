"""Components and customers on Spark are those of one machine.

Spark works in a process of its own: its JVM would stay in the worker of the tests.
"""

import multiprocessing
import random
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.identity.components import connect
from pipelines.identity.instructions import Instruction
from pipelines.identity.ledger import Ledger
from pipelines.identity.rules import IdentityRules
from pipelines.settings import PROJECT_DIR, load_settings
from pipelines.spark.components import connected
from pipelines.spark.identity import write_identity
from pipelines.spark.session import start_session

sys.path.insert(0, str(PROJECT_DIR / "tests" / "unit" / "identity"))

from identity_world import Account, World, split

NODES = 400


def in_a_process(work: Callable[..., Any], *arguments: object) -> Any:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result(timeout=600)


def shapes() -> dict[str, list[tuple[int, int]]]:
    drawn = random.Random(7)
    order = list(range(NODES))
    drawn.shuffle(order)
    return {
        "nothing": [],
        "loops alone": [(3, 3), (5, 5)],
        "a path in its order": [(n, n + 1) for n in range(NODES - 1)],
        "a path in disorder": list(pairwise(order)),
        "a star": [(NODES, n) for n in range(50)],
        "chance": [(drawn.randrange(NODES), drawn.randrange(NODES)) for _ in range(300)],
    }


def on_duckdb(edges: list[tuple[int, int]]) -> dict[int, int]:
    """Of the nodes that are connected to another one."""
    ends = sorted({end for edge in edges for end in edge})
    with duckdb.connect() as con:
        con.execute("create table node (node bigint); create table edge (a bigint, b bigint)")
        if edges:
            con.executemany("insert into node values (?)", [(end,) for end in ends])
            con.executemany("insert into edge values (?, ?)", edges)
        connect(con, nodes="node", edges="edge", into="found")
        found = dict(con.execute("select node, component from found").fetchall())
    linked = {end for a, b in edges if a != b for end in (a, b)}
    return {node: component for node, component in found.items() if node in linked}


def on_spark(
    folder: Path, graphs: dict[str, list[tuple[int, int]]], instructions: Sequence[Instruction]
) -> tuple[dict[str, dict[int, int]], set[tuple], set[tuple]]:
    """Components of the graphs; accounts and aliases of the world whose tables are in the folder."""
    settings = load_settings({"WINBACK_DATA_DIR": str(folder), "WINBACK_THREADS": "2"})
    spark = start_session(settings, folder / "spark")
    found = {}
    for name, edges in graphs.items():
        table = connected(spark.createDataFrame(edges, "a long, b long"))
        found[name] = {row.node: row.component for row in table.collect()}
    spark.sql("create schema identity")
    for name in ("account_fact", "identifier"):
        file = folder / f"{name}.parquet"
        spark.sql(f"create table identity.{name} using parquet options (path '{file}')")
    write_identity(
        spark,
        Ledger(folder / "ledger"),
        instructions=instructions,
        rules=IdentityRules(),
        time_zone="UTC",
    )
    accounts = spark.table("identity.account").select("account_id", "customer_id")
    aliases = spark.table("identity.alias").selectExpr("alias_id", "customer_id", "unix_seconds(merged_at)")
    return found, set(map(tuple, accounts.collect())), set(map(tuple, aliases.collect()))


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """Three days: strangers; two of them turn out to be one, two are parted; an anchor goes."""
    one = Account("pos:1", name="王小明", phones=("1",))
    other = Account("ecommerce:2", name="Wang Xiaoming", phones=("2",), opened=1)
    crowd = [Account(f"pos:9{number}", phones=("9",)) for number in range(11)]
    pair = [Account("pos:5", card="c"), Account("ecommerce:6", card="c", opened=2)]
    heirs = [Account("pos:7", card="d"), Account("ecommerce:8", card="d", opened=3)]
    world = World(tmp_path_factory.mktemp("world") / "ledger")
    world.fill([one, other, *crowd, *pair, *heirs])
    world.resolve()
    known = replace(other, phones=("1", "2"))
    parted = [split("pos:5", "ecommerce:6")]
    for accounts in ([one, known, *crowd, *pair, *heirs], [one, known, *crowd, *pair, heirs[1]]):
        world.fill(accounts)
        world.resolve(parted)
    for name in ("account_fact", "identifier"):
        world.con.execute(f"copy {name} to '{world.folder.parent / name}.parquet' (format parquet)")
    return world


@pytest.fixture(scope="module")
def found(require_spark, world) -> tuple[dict[str, dict[int, int]], set[tuple], set[tuple]]:
    return in_a_process(on_spark, world.folder.parent, shapes(), [split("pos:5", "ecommerce:6")])


def test_components_are_those_of_one_machine(found):
    components, _, _ = found

    assert components == {name: on_duckdb(edges) for name, edges in shapes().items()}


def test_customers_and_their_former_ids_are_those_of_one_machine(found, world):
    _, accounts, aliases = found
    wanted = world.con.execute("select account_id, customer_id from identity.account").fetchall()
    retired = world.con.execute(
        "select alias_id, customer_id, cast(epoch(merged_at) as bigint) from identity.alias"
    ).fetchall()

    assert accounts == set(wanted)
    assert aliases == set(retired)
    assert len(retired) == 1
    customers = dict(wanted)
    assert customers["pos:1"] == customers["ecommerce:2"]
    assert customers["pos:5"] != customers["ecommerce:6"]
