"""The connected components of a graph: which accounts are one customer, given the links between them.

What belongs here: the graph alone, as integers. What does not: what a link is, which links hold, and what
a customer is called.

The method is hooking and shortcutting (Shiloach and Vishkin 1982, "An O(log n) parallel connectivity
algorithm", Journal of Algorithms 3:57) on whole tables. In each round a node that has smaller neighbours
points at the smallest of them; the trees that come of it are flattened, each node pointing at what its parent
points at, until all point at their root; and the roots, with the edges between different trees, are the next
round's graph. Why that ends, and where:

- Pointers lead downwards, so that there are no circles, and a root is the smallest node of its tree.
- Call a root lonely if nobody points at it. Its neighbours then point at nodes that are smaller yet, so that
  in the next round it has a smaller neighbour and points at it. What two rounds leave was thus pointed at in
  the first of them: at most half of the nodes. n nodes take at most 2 log2(n) rounds, in any shape and
  numbering.
- A jump halves the depth of each tree: a round has at most log2(n) + 2 jumps, the last of which finds nothing
  to move. Each moves only what the one before has moved: the others are at their root.
- A node points at another one in one round only, and is gone from the next: all rounds together hold no more
  rows than there are nodes.
"""

from contextlib import suppress

import duckdb

_PREFIX = "connect__"
_NODES = f"{_PREFIX}nodes"
_EDGES = f"{_PREFIX}edges"
_COMPONENTS = f"{_PREFIX}components"


def connect(con: duckdb.DuckDBPyConnection, *, nodes: str, edges: str, into: str) -> int:
    """Writes each node with the smallest node that it is connected to, itself included.

    >>> with duckdb.connect() as con:
    ...     rounds = connect(
    ...         con,
    ...         nodes="(select unnest([1, 2, 3, 4, 5]) as node)",
    ...         edges="(select unnest([5, 2]) as a, unnest([2, 4]) as b)",
    ...         into="customer",
    ...     )
    ...     con.execute("select node, component from customer order by node").fetchall()
    [(1, 1), (2, 2), (3, 3), (4, 2), (5, 2)]

    Args:
        con: the connection; its temporary tables whose names begin with "connect__" are this function's.
        nodes: a table, or a query in parentheses, with a BIGINT `node` that is unique.
        edges: the same with BIGINTs `a` and `b`. Direction, repeats and loops make no difference.
        into: the table that is made or replaced, with BIGINTs `node` and `component`: one row for each row of
            `nodes`. A temporary table, unless the name is qualified.

    Returns:
        The number of rounds: 0 without edges, and at most twice log2 of the number of nodes that have edges.

    Raises:
        ValueError: an edge ends at null or at a node that is not among the nodes. `into` is as it was.
        RuntimeError: more rounds or jumps than there can be; a defect of this module. `into` is as it was.
    """
    try:
        con.execute(
            f"create or replace temp table {_NODES} as select cast(node as bigint) as node from {nodes}"
        )
        trees = _plant(con, edges)
        _join(con, trees)
        _check_ends(con)
        con.execute(
            f"""
            create or replace {"" if "." in into else "temp"} table {into} as
            select node, coalesce(linked.component, node) as component
            from {_NODES}
            left join {_COMPONENTS} as linked using (node)
            """
        )
        return len(trees)
    finally:
        # A transaction that an error has ended takes its tables along.
        with suppress(duckdb.TransactionException):
            _drop_all(con)


def _plant(con: duckdb.DuckDBPyConnection, edges: str) -> list[str]:
    """Makes one table per round, `node` and its root as `parent`, without the roots; returns their names."""
    left = _count(
        con,
        f"""
        create or replace temp table {_EDGES} as
        select greatest(end_a, end_b) as high, least(end_a, end_b) as low
        from (select cast(a as bigint) as end_a, cast(b as bigint) as end_b from {edges})
        where end_a is distinct from end_b or end_a is null
        """,
    )
    # Of a null and a number, the number is both the greatest and the least.
    if _count(con, f"select count(*) from {_EDGES} where high is not distinct from low"):
        raise ValueError("edges end at null: an edge takes two nodes")
    # There are at most two nodes to an edge.
    most = 2 * left.bit_length()
    trees: list[str] = []
    while left:
        if len(trees) == most:
            raise RuntimeError(f"{left} edges are left after {most} rounds, which take in any such graph")
        tree = f"{_PREFIX}tree_{len(trees) + 1}"
        _hook(con, tree)
        _flatten(con, tree)
        left = _contract(con, tree)
        trees.append(tree)
    return trees


def _hook(con: duckdb.DuckDBPyConnection, tree: str) -> None:
    """Points each node that has smaller neighbours at the smallest."""
    con.execute(
        f"""
        create or replace temp table {tree} as
        select high as node, min(low) as parent, true as moved from {_EDGES} group by high
        """
    )


def _flatten(con: duckdb.DuckDBPyConnection, tree: str) -> None:
    """Points each node at its root. Whoever does not move in a jump is there."""
    most = _count(con, f"select count(*) from {tree}").bit_length() + 1
    jumps = 0
    while _count(con, f"select count(*) from {tree} where moved"):
        if jumps == most:
            raise RuntimeError(f"{tree} is not flat after {jumps} jumps, which flatten any tree of its size")
        con.execute(
            f"""
            create or replace temp table {tree} as
            select node, parent, moved from {tree} where not moved
            union all
            select
                child.node,
                coalesce(parent.parent, child.parent) as parent,
                parent.node is not null as moved
            from {tree} as child
            left join {tree} as parent on child.parent = parent.node
            where child.moved
            """
        )
        jumps += 1


def _contract(con: duckdb.DuckDBPyConnection, tree: str) -> int:
    """Makes the edges those between different trees' roots; returns how many are left."""
    return _count(
        con,
        f"""
        create or replace temp table {_EDGES} as
        with between_roots as (
            select high.parent as one, coalesce(low.parent, edge.low) as other
            from {_EDGES} as edge
            inner join {tree} as high on edge.high = high.node
            left join {tree} as low on edge.low = low.node
        )
        select distinct greatest(one, other) as high, least(one, other) as low
        from between_roots
        where one <> other
        """,
    )


def _join(con: duckdb.DuckDBPyConnection, trees: list[str]) -> None:
    """Makes the components of the nodes that are not the smallest of theirs.

    From the last round to the first, as a round's roots point at others in later ones only.
    """
    con.execute(f"create or replace temp table {_COMPONENTS} (node bigint, component bigint)")
    for tree in reversed(trees):
        con.execute(
            f"""
            insert into {_COMPONENTS}
            select tree.node, coalesce(root.component, tree.parent)
            from {tree} as tree
            left join {_COMPONENTS} as root on tree.parent = root.node
            """
        )


def _check_ends(con: duckdb.DuckDBPyConnection) -> None:
    ((strange, example),) = con.execute(
        f"""
        with linked as (
            select node from {_COMPONENTS} union all select component from {_COMPONENTS}
        )
        select count(distinct node), min(node) from linked anti join {_NODES} using (node)
        """
    ).fetchall()
    if strange:
        raise ValueError(
            f"edges end at {strange} nodes that are not among the nodes, such as {example}: "
            "give the nodes of both ends, or leave these edges out"
        )


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The number that a query finds, or the number of rows that a statement makes."""
    ((count,),) = con.execute(sql).fetchall()
    return int(count)


def _drop_all(con: duckdb.DuckDBPyConnection) -> None:
    made = con.execute(
        f"select table_name from duckdb_tables() where temporary and starts_with(table_name, '{_PREFIX}')"
    ).fetchall()
    for (table,) in made:
        con.execute(f"drop table {table}")
