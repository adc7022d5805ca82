"""Connected components against a union-find of a few lines, on generated graphs and on the two extremes."""

import random

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.identity import components
from pipelines.identity.components import connect

SMALLEST, LARGEST = -(2**63), 2**63 - 1
NO_EDGES = "(select 1::bigint as a, 2::bigint as b where false)"


def union_find(nodes, edges):
    """The smallest node of each node's component."""
    above = {node: node for node in nodes}

    def root(node):
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        above[high] = low
    return {node: root(node) for node in nodes}


def connected(nodes, edges):
    """What `connect` makes of Python's lists: the rounds and the components."""
    with duckdb.connect() as con:
        con.execute("create table nodes (node bigint)")
        con.execute("create table edges (a bigint, b bigint)")
        con.execute("insert into nodes select unnest($1::bigint[])", [list(nodes)])
        con.execute(
            "insert into edges select unnest($1::bigint[]), unnest($2::bigint[])",
            [[a for a, _ in edges], [b for _, b in edges]],
        )
        rounds = connect(con, nodes="nodes", edges="edges", into="found")
        rows = con.execute("select node, component from found").fetchall()
        assert not leftovers(con)
    assert len(rows) == len(nodes)
    return rounds, dict(rows)


def leftovers(con):
    made = {name for (name,) in con.execute("select table_name from duckdb_tables()").fetchall()}
    return made - {"nodes", "edges", "found"}


@st.composite
def graphs(draw):
    """A few nodes, small, huge and negative, and edges between them with loops and repeats."""
    number = st.integers(-5, 40) | st.integers(SMALLEST, LARGEST) | st.sampled_from([SMALLEST, LARGEST])
    nodes = draw(st.lists(number, min_size=1, max_size=40, unique=True))
    end = st.sampled_from(nodes)
    edges = draw(st.lists(st.tuples(end, end), max_size=60))
    return nodes, edges + draw(st.lists(st.sampled_from(edges), max_size=10) if edges else st.just([]))


@settings(deadline=None, max_examples=100)
@given(graph=graphs())
@example(graph=([3, 1, 2], [(3, 1), (1, 3), (2, 2)]))
def test_as_a_union_find_says(graph):
    nodes, edges = graph
    linked = {end for a, b in edges if a != b for end in (a, b)}

    rounds, found = connected(nodes, edges)

    assert found == union_find(nodes, edges)
    assert rounds <= 2 * max(len(linked).bit_length() - 1, 0)
    assert (rounds == 0) == (not linked)


@pytest.mark.parametrize("seed", range(3))
def test_graphs_of_some_size_too(seed):
    draws = random.Random(seed)
    nodes = draws.sample(range(-(10**12), 10**12), 4000)
    edges = [(draws.choice(nodes), draws.choice(nodes)) for _ in range(2500 * (seed + 1))]

    _, found = connected(nodes, edges)

    assert found == union_find(nodes, edges)


NUMBERINGS = {
    "sorted": "range",
    "reversed": "99999 - range",
    "shuffled": "row_number() over (order by hash(range)) - 1",
    # Every other one small: each node points away from the end that it would be nearer to.
    "alternating": "if(range % 2 = 0, range, 99999 - range)",
}


@pytest.mark.parametrize("numbering", NUMBERINGS.values(), ids=NUMBERINGS)
def test_a_chain_takes_few_rounds_in_any_numbering(numbering):
    with duckdb.connect() as con:
        con.execute(f"create table chain as select range as place, {numbering} as node from range(100_000)")
        next_ones = (
            "(select node as a, lead(node) over (order by place) as b from chain qualify b is not null)"
        )

        rounds = connect(con, nodes="chain", edges=next_ones, into="found")

        assert rounds <= 16  # half of the bound
        assert count(con, "select count(*) from found where component = 0") == 100_000


@pytest.mark.parametrize("hub", [0, 500_000, 1_000_000])
def test_a_star_takes_one_round_or_two(hub):
    with duckdb.connect() as con:
        con.execute("create table star as select range as node from range(1_000_001)")

        rounds = connect(con, nodes="star", edges=f"(select {hub} as a, node as b from star)", into="found")

        assert rounds <= 2
        assert count(con, "select count(*) from found where component = 0") == 1_000_001


def count(con, sql):
    return con.execute(sql).fetchone()[0]


def test_without_edges_each_node_is_its_own():
    assert connected([7, -7], []) == (0, {7: 7, -7: -7})


def test_without_nodes_there_is_nothing():
    assert connected([], []) == (0, {})


@pytest.mark.parametrize("strange", [[(1, 99)], [(99, 1)], [(1, 2), (99, 98), (97, 2)]])
def test_an_edge_that_ends_outside_the_nodes_is_an_error(strange):
    outside = {end for edge in strange for end in edge} - {1, 2}

    with pytest.raises(ValueError, match=f"end at {len(outside)} nodes .* such as {min(outside)}:"):
        connected([1, 2], strange)


@pytest.mark.parametrize("edge", [(1, None), (None, 1), (None, None)])
def test_an_edge_that_ends_at_null_is_an_error(edge):
    with pytest.raises(ValueError, match="end at null"):
        connected([1, 2], [(1, 2), edge])


def test_an_error_leaves_the_table_as_it_was_and_no_others():
    with duckdb.connect() as con:
        con.execute("create temp table found as select 1 as node, 1 as component")

        with pytest.raises(ValueError, match="such as 5"):
            connect(con, nodes="(select 1 as node)", edges="(select 1 as a, 5 as b)", into="found")

        assert con.execute("select table_name from duckdb_tables()").fetchall() == [("found",)]
        assert con.execute("select * from found").fetchall() == [(1, 1)]


def test_the_error_of_a_transaction_is_the_one_that_is_seen():
    with duckdb.connect() as con:
        con.execute("begin")

        with pytest.raises(duckdb.ConversionException):
            connect(con, nodes="(select 1 as node)", edges="(select 'x' as a, 2 as b)", into="found")

        con.execute("rollback")
        assert con.execute("select table_name from duckdb_tables()").fetchall() == []


@pytest.mark.parametrize(("into", "temporary"), [("found", True), ("core.found", False)])
def test_a_table_is_temporary_unless_its_name_is_qualified(into, temporary):
    with duckdb.connect() as con:
        con.execute("create schema core")
        for _ in range(2):  # made, then replaced
            connect(con, nodes="(select 1 as node)", edges=NO_EDGES, into=into)

        made = con.execute("select table_name, temporary from duckdb_tables()").fetchall()

    assert made == [("found", temporary)]


def test_the_table_of_the_nodes_can_be_the_one_that_is_replaced():
    with duckdb.connect() as con:
        con.execute("create temp table found as select unnest([1, 2, 3]) as node")

        connect(con, nodes="found", edges="(select 3 as a, 2 as b)", into="found")

        assert con.execute("select * from found order by node").fetchall() == [(1, 1), (2, 2), (3, 2)]


def test_rounds_that_get_nowhere_are_an_error(monkeypatch):
    monkeypatch.setattr(
        components, "_contract", lambda con, tree: count(con, "select count(*) from connect__edges")
    )

    with pytest.raises(RuntimeError, match="2 edges are left after 4 rounds"):
        connected([1, 2, 3], [(1, 2), (2, 3)])


def test_trees_that_do_not_get_flat_are_an_error(monkeypatch):
    def hook_in_a_circle(con, tree):
        con.execute(
            f"create temp table {tree} as select node, node % 3 + 1 as parent, true as moved from nodes"
        )

    monkeypatch.setattr(components, "_hook", hook_in_a_circle)

    with pytest.raises(RuntimeError, match="connect__tree_1 is not flat after 3 jumps"):
        connected([1, 2, 3], [(1, 2), (2, 3)])
