"""The product's own models, rendered with the project's macros, for a database that has what they read.

What is evaluated and measured is the SQL that a run computes; only dbt itself is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import jinja2

PROJECT = Path(__file__).resolve().parent.parent
_MACROS = PROJECT / "dbt_project" / "macros"

# These belong to dbt's own machinery.
_OF_DBT = ("generate_schema_name.sql", "replace_dates.sql", "spark.sql", "table.sql")


class _Adapter:
    """dbt's dispatch, with the default of each macro."""

    module: jinja2.environment.TemplateModule

    def dispatch(self, name: str, _package: str) -> Callable[..., str]:
        found: Callable[..., str] = getattr(self.module, f"default__{name}")
        return found


class Models:
    """Models of the project over one schema that holds all that they name.

    Args:
        schema: of what is read and made; what the models call `control` stays in the schema `control`.
        names: names of the models' tables, where they are not all in that schema.
    """

    def __init__(self, schema: str, names: Mapping[str, str] | None = None) -> None:
        self.schema = schema
        self._hooks: list[str] = []
        self._rendered: dict[str, tuple[str, list[str]]] = {}
        self._environment = jinja2.Environment(extensions=["jinja2.ext.do"])
        known = names or {}
        self._environment.globals.update(
            {
                "ref": lambda name: known.get(name, f"{schema}.{name}"),
                "source": lambda source, name: f"{source}.{name}",
                "config": self._config,
                # Tables are made for the first time.
                "is_incremental": lambda: False,
            }
        )
        self._environment.globals.update(self._macros())

    def sql(self, model: str) -> str:
        """SQL of a model given as `<folder>/<name>`."""
        self._hooks.clear()
        text = (PROJECT / "dbt_project" / "models" / f"{model}.sql").read_text(encoding="utf-8")
        return self._environment.from_string(text).render()

    def hooks(self, model: str, this: str) -> list[str]:
        """SQL of what follows a model's own statement, in a table of that name."""
        self.sql(model)
        return [self._environment.from_string(hook).render(this=this) for hook in self._hooks]

    def make(self, con: duckdb.DuckDBPyConnection, model: str) -> None:
        """Replace the table of a model, its hooks included."""
        if model not in self._rendered:
            self._rendered[model] = (self.sql(model), list(self._hooks))
        sql, hooks = self._rendered[model]
        name = f"{self.schema}.{model.split('/')[1]}"
        con.execute(f"create or replace table {name} as {sql}")
        for hook in hooks:
            con.execute(self._environment.from_string(hook).render(this=name))

    def _config(self, post_hook: Sequence[str] = (), **_: object) -> str:
        self._hooks.extend([post_hook] if isinstance(post_hook, str) else post_hook)
        return ""

    def _macros(self) -> dict[str, object]:
        adapter = _Adapter()
        # dbt's `return` hands on what a macro gives.
        self._environment.globals.update({"return": lambda value: value, "adapter": adapter})
        files = [file for file in sorted(_MACROS.glob("*.sql")) if file.name not in _OF_DBT]
        text = "".join(file.read_text(encoding="utf-8") for file in files)
        adapter.module = self._environment.from_string(text).make_module()
        return {name: macro for name, macro in vars(adapter.module).items() if not name.startswith("_")}


def p_alive_sql(model: Mapping[str, float], known: Sequence[str]) -> str:
    """P(alive) by `mbg_cnbd_p_alive` with k = 1.

    Args:
        model: r, alpha, a and b.
        known: SQL of the repeat purchase-days, the age at the last one and the age now.
    """
    macros = jinja2.Template((_MACROS / "mbg_cnbd.sql").read_text(encoding="utf-8")).module
    fitted = (f"cast('{model[name]!r}' as double)" for name in ("r", "alpha", "a", "b"))
    sql: str = macros.mbg_cnbd_p_alive("1", *fitted, *known)  # type: ignore[attr-defined]
    return sql
