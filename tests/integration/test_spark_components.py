"""Components on Spark are those of one machine, in any shape of graph.

Spark works in a process of its own: its JVM would stay in the worker of the tests.
"""

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from pipelines.identity.components import connect
from pipelines.settings import load_settings
from pipelines.spark.components import connected
from pipelines.spark.session import start_session

NODES = 400


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


def on_spark(home: str, graphs: dict[str, list[tuple[int, int]]]) -> dict[str, dict[int, int]]:
    settings = load_settings({"WINBACK_DATA_DIR": home, "WINBACK_THREADS": "2"})
    spark = start_session(settings, Path(home) / "spark")
    found = {}
    for name, edges in graphs.items():
        table = connected(spark.createDataFrame(edges, "a long, b long"))
        found[name] = {row.node: row.component for row in table.collect()}
    return found


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


@pytest.mark.usefixtures("require_spark")
def test_components_are_those_of_one_machine(tmp_path):
    graphs = shapes()

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        found = process.submit(on_spark, str(tmp_path), graphs).result(timeout=600)

    assert found == {name: on_duckdb(edges) for name, edges in graphs.items()}
