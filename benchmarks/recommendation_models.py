"""The product's own models of recommendations, run in a database that has what they read.

Only the dates, which a run takes from its window, are given here.
"""

from collections.abc import Callable
from datetime import date

import duckdb
from model_sql import Models

MODELS = (
    "int_product_ticket",
    "int_recommendation_own",
    "int_recommendation_product",
    "int_recommendation_barred",
    "int_recommendation_neighbour",
    "int_recommendation_had",
    "int_recommendation_related",
    "int_recommendation_reminder",
    "int_recommendation",
    "recommendation",
)
"""In the order in which they need each other."""


def run_models(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    as_of_date: date,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Make the tables of the models in a schema that has the tables of `core` and `staging` which they read.

    Args:
        con: where the schema is.
        schema: of what is read and made.
        as_of_date: the date to recommend for.
        progress: told the name of each model when it is made.
    """
    con.execute(
        f"create or replace table {schema}.int_recommendation_date as select cast(? as date) as as_of_date",
        [as_of_date],
    )
    models = Models(schema)
    for model in MODELS:
        models.make(con, f"marts/{model}")
        if progress:
            progress(model)
