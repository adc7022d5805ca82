"""The connected components of a graph on Spark, for edges that one machine cannot hold.

The hooking and shortcutting of `pipelines.identity.components`, on any values that have an order: each node
points at its smallest neighbour, the trees are flattened, and their roots are the next round's graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def connected(edges: DataFrame) -> DataFrame:
    """Each node that has an edge to another, with the smallest node that it is connected to.

    Args:
        edges: columns `a` and `b`, of one type that has an order; direction, repeats and loops make no
            difference.

    Returns:
        Columns `node` and `component`.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 - see the package

    left = (
        edges.where("a <> b")
        .select(f.greatest("a", "b").alias("high"), f.least("a", "b").alias("low"))
        .distinct()
        .localCheckpoint()
    )
    trees = []
    while not left.isEmpty():
        tree = _flattened(left.groupBy(f.col("high").alias("node")).agg(f.min("low").alias("parent")))
        trees.append(tree)
        left = _contracted(left, tree)
    return _joined(edges, trees)


def _flattened(tree: DataFrame) -> DataFrame:
    """Each node with its root as `parent`."""
    from pyspark.sql import functions as f  # noqa: PLC0415 - as above

    while True:
        above = tree.select(f.col("node").alias("parent"), f.col("parent").alias("upper"))
        tree = (
            tree.join(above, "parent", "left")
            .select(
                "node",
                f.coalesce("upper", "parent").alias("parent"),
                f.col("upper").isNotNull().alias("moved"),
            )
            .localCheckpoint()
        )
        if tree.where("moved").isEmpty():
            return tree.select("node", "parent")
        tree = tree.select("node", "parent")


def _contracted(edges: DataFrame, tree: DataFrame) -> DataFrame:
    """The edges between the roots of different trees."""
    from pyspark.sql import functions as f  # noqa: PLC0415 - as above

    high = tree.select(f.col("node").alias("high"), f.col("parent").alias("one"))
    low = tree.select(f.col("node").alias("low"), f.col("parent").alias("other"))
    return (
        edges.join(high, "high")
        .join(low, "low", "left")
        .select("one", f.coalesce("other", "low").alias("other"))
        .where("one <> other")
        .select(f.greatest("one", "other").alias("high"), f.least("one", "other").alias("low"))
        .distinct()
        .localCheckpoint()
    )


def _joined(edges: DataFrame, trees: list[DataFrame]) -> DataFrame:
    """From the last round to the first: a round's roots point at others in later ones only."""
    from pyspark.sql import functions as f  # noqa: PLC0415 - as above

    nodes = edges.where("a <> b").select(f.col("a").alias("node"))
    nodes = nodes.union(edges.where("a <> b").select("b")).distinct()
    found = nodes.select("node", f.col("node").alias("component"))
    for tree in trees:
        above = tree.select(f.col("node").alias("component"), "parent")
        found = found.join(above, "component", "left").select(
            "node", f.coalesce("parent", "component").alias("component")
        )
    return found.localCheckpoint()
