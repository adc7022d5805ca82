"""The product's own models of recommendations, run in a database that has what they read.

The SQL is that of `dbt_project/models/marts`, rendered with the macros of the project: what is evaluated is
what a run computes. Only the dates, which a run takes from its window, are given here.
"""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import duckdb
import jinja2

PROJECT = Path(__file__).resolve().parent.parent

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

_MACROS = ("portable.sql", "recommendation.sql", "recommendation_related.sql")


class _Adapter:
    """dbt's dispatch, with the default of each macro."""

    module: jinja2.environment.TemplateModule

    def dispatch(self, name: str, _package: str) -> Callable[..., str]:
        found: Callable[..., str] = getattr(self.module, f"default__{name}")
        return found


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
    hooks: list[str] = []

    def config(post_hook: Sequence[str] = (), **_: object) -> str:
        hooks.extend(post_hook)
        return ""

    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    environment.globals.update({"ref": lambda name: f"{schema}.{name}", "config": config})
    environment.globals.update(_macros(environment))
    for model in MODELS:
        text = (PROJECT / "dbt_project" / "models" / "marts" / f"{model}.sql").read_text(encoding="utf-8")
        hooks.clear()
        sql = environment.from_string(text).render()
        con.execute(f"create or replace table {schema}.{model} as {sql}")
        for hook in hooks:
            con.execute(environment.from_string(hook).render(this=f"{schema}.{model}"))
        if progress:
            progress(model)


def _macros(environment: jinja2.Environment) -> dict[str, object]:
    """The project's macros by name, made in an environment that has `ref`."""
    adapter = _Adapter()
    # dbt's `return` hands on what a macro gives.
    environment.globals.update({"return": lambda value: value, "adapter": adapter})
    folder = PROJECT / "dbt_project" / "macros"
    text = "".join((folder / file).read_text(encoding="utf-8") for file in _MACROS)
    adapter.module = environment.from_string(text).make_module()
    return {name: macro for name, macro in vars(adapter.module).items() if not name.startswith("_")}
