"""DuckDB's SQL as Spark's.

sqlglot does most of it. What belongs here is what it leaves as it is, and what both engines accept with
another result: a quotient of decimals, an average, an aggregate in an order. Nothing here looks at a table: a
statement is translated by its text alone, so that a translation can be kept and tested.

What a text cannot tell is left to the models: a column of floats or decimals that becomes a whole number is
rounded first, since DuckDB's cast rounds and Spark's cuts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.tokens import TokenType


class UntranslatableError(ValueError):
    """A statement has something for which Spark has no form; the message says what to write instead."""


@lru_cache(maxsize=1024)
def to_spark(sql: str) -> str:
    """A query or statement of DuckDB as Spark has it, with the same result.

    >>> to_spark("select a / b as share from t")
    'SELECT CAST(a AS DOUBLE) / b AS share FROM t'

    Raises:
        UntranslatableError: it has something that Spark has no form for.
        sqlglot.ParseError: it is no SQL of DuckDB.
    """
    tree = translated(sqlglot.parse_one(_with_list_lengths(sql), read="duckdb"))
    # Below another node queries stay within queries; at the top two of one name would meet.
    exp.Paren(this=tree)
    return Dialect.get_or_raise("spark").generate(tree, copy=False, comments=False)


def _with_list_lengths(sql: str) -> str:
    """With `array_length` for `len`, which is of lists; `length` is of texts. sqlglot takes both for one."""
    tokens = sqlglot.tokenize(sql, read="duckdb") if "len(" in sql.lower() else []
    for token, following in reversed(list(pairwise(tokens))):
        if token.text.lower() == "len" and following.token_type == TokenType.L_PAREN:
            sql = f"{sql[: token.start]}array_length{sql[token.end + 1 :]}"
    return sql


def translated(tree: exp.Expression) -> exp.Expression:
    """The tree of a statement, rewritten from the leaves up."""
    for select in list(tree.find_all(exp.Select)):
        _zip_unnests(select)
    for node in list(tree.find_all(*_REWRITES, bfs=False))[::-1]:
        new = _REWRITES[type(node)](node)
        if new is not node:
            if node is tree:
                tree = new
            else:
                node.replace(new)
    return tree


def _call(name: str, *arguments: exp.Expression) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _lambda(body: exp.Expression, *names: str) -> exp.Lambda:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name) for name in names])


def _field(struct: str, name: str) -> exp.Column:
    return exp.column(name, table=struct)


def _table(node: exp.Table) -> exp.Table:
    """Spark's catalog is another: the schema is enough."""
    node.set("catalog", None)
    return node


def _divided(node: exp.Div) -> exp.Div:
    """A quotient is a float, of decimals too; Spark's would be a decimal that is cut after a few digits."""
    if not _is_double(node.this):
        node.set("this", exp.cast(node.this.copy(), "double"))
    return node


def _is_double(node: exp.Expression) -> bool:
    node = node.unnest()
    return isinstance(node, exp.Cast) and node.to.is_type("double")


def _average(node: exp.Avg) -> exp.Avg:
    """An average is a float, as above."""
    if not isinstance(node.this, exp.Distinct) and not _is_double(node.this):
        node.set("this", exp.cast(node.this.copy(), "double"))
    return node


def _cast(node: exp.Cast) -> exp.Expression:
    digits = node.this.unnest()
    if isinstance(digits, exp.DPipe) and digits.this.is_string and digits.this.name == "0x":
        return exp.cast(_call("conv", digits.expression.copy(), *map(exp.Literal.number, (16, 10))), "bigint")
    if node.to.is_type(*exp.DataType.INTEGER_TYPES) and _is_float(node.this):
        # DuckDB rounds, halves to the even one; Spark cuts.
        node.set("this", _call("rint", node.this.copy()))
    return node


_FLOATS = (exp.Div, exp.Exp, exp.Ln, exp.Pow, exp.Sqrt, exp.Avg, exp.Median)


def _is_float(node: exp.Expression) -> bool:
    """Whether the text alone says that a value is a float; of a column it says nothing."""
    node = node.unnest()
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)):
        return _is_float(node.this) or _is_float(node.expression)
    return isinstance(node, _FLOATS) or _is_double(node)


def _sum_of_time(node: exp.Add) -> exp.Expression:
    """A day and a time of day given as HH:MM: Spark adds none."""
    time = node.expression
    if not (isinstance(time, exp.Cast) and time.to.is_type("time")):
        return node
    day = exp.cast(node.this.copy(), "varchar")
    return exp.cast(
        _call("concat", day, exp.Literal.string(" "), time.this.copy()), "timestamp_ntz", dialect="spark"
    )


def _extracted(node: exp.Extract) -> exp.Expression:
    if node.name.lower() == "isodow":
        return exp.paren(
            exp.Add(this=_call("weekday", node.expression.copy()), expression=exp.Literal.number(1))
        )
    return node


def _full_match(node: exp.RegexpFullMatch) -> exp.RegexpLike:
    pattern = node.expression
    if not pattern.is_string:
        raise UntranslatableError("regexp_full_match takes a pattern that is written out")
    return exp.RegexpLike(this=node.this.copy(), expression=exp.Literal.string(rf"\A(?:{pattern.name})\z"))


def _quantile(node: exp.PercentileDisc) -> exp.Expression:
    if not node.expression:
        return node
    ordered = exp.Order(expressions=[exp.Ordered(this=node.this.copy(), nulls_first=True)])
    return exp.WithinGroup(this=_call("percentile_disc", node.expression.copy()), expression=ordered)


def _seconds(node: exp.DateDiff) -> exp.Expression:
    """DuckDB counts the seconds' boundaries that lie between, Spark the seconds that have passed."""
    if str(node.args.get("unit")).lower() != "second":
        return node
    ends = [
        _call("date_trunc", exp.Literal.string("second"), end.copy()) for end in (node.expression, node.this)
    ]
    return _call("timestampdiff", exp.var("second"), *ends)


def _counted(node: exp.Count) -> exp.Expression:
    """Spark has no distinct count over a window."""
    if not isinstance(node.this, exp.Distinct) or not isinstance(node.parent, exp.Window):
        return node
    (value,) = node.this.expressions
    window = node.parent
    window.set("this", _call("collect_set", value.copy()))
    window.replace(exp.cast(_call("size", window.copy()), "bigint"))
    return node


def _aggregate(node: exp.AggFunc) -> exp.Expression:
    """An aggregate in an order, or of the best few, made of a sorted list."""
    if isinstance(node, (exp.Max, exp.ArgMax)) and node.args.get("count"):
        return _best(node)
    if isinstance(node.this, exp.Order):
        return _in_order(node)
    if isinstance(node, exp.ArrayAgg) and not isinstance(node.this, exp.Distinct):
        return _listed(node, [])
    return node


def _best(node: exp.Max | exp.ArgMax) -> exp.Expression:
    value = node.this if isinstance(node, exp.Max) else node.expression
    pair = _call("named_struct", *_named({"k": value, "v": node.this}))
    outer, items = _collected(node, pair)
    best = _call(
        "slice",
        _call("sort_array", items, exp.false()),
        exp.Literal.number(1),
        node.args["count"].copy(),
    )
    return _placed(node, outer, _call("transform", best, _lambda(_field("s", "v"), "s")))


def _named(values: dict[str, exp.Expression]) -> Iterable[exp.Expression]:
    for name, value in values.items():
        yield exp.Literal.string(name)
        yield value.copy()


def _collected(node: exp.Expression, value: exp.Expression) -> tuple[exp.Expression, exp.Expression]:
    """The filter around an aggregate, or itself, and the list of the values that pass it."""
    items: exp.Expression = _call("collect_list", value)
    outer = node.parent if isinstance(node.parent, exp.Filter) and node.parent.this is node else node
    if outer is not node:
        items = exp.Filter(this=items, expression=outer.expression.copy())
    return outer, items


def _placed(node: exp.Expression, outer: exp.Expression, new: exp.Expression) -> exp.Expression:
    if outer is node:
        return new
    outer.replace(new)
    return node


def _listed(node: exp.ArrayAgg, keys: list[exp.Ordered]) -> exp.Expression:
    """A list keeps its nulls, and a list of nothing is null."""
    value = node.this.this if isinstance(node.this, exp.Order) else node.this
    outer, items = _sorted(node, value, keys)
    values = _call("array", _call("transform", items, _lambda(_field("s", "v"), "s")))
    some = exp.GT(this=_call("size", exp.column("found")), expression=exp.Literal.number(0))
    filled = _call("filter", values, _lambda(some, "found"))
    return _placed(node, outer, _call("try_element_at", filled, exp.Literal.number(1)))


def _sorted(
    node: exp.Expression, value: exp.Expression, keys: list[exp.Ordered]
) -> tuple[exp.Expression, exp.Expression]:
    """The filter around an aggregate, or itself, and its structs in the order of the keys, `v` the value."""
    if any(key.args.get("desc") for key in keys):
        fields = {f"k{number}": key.this for number, key in enumerate(keys)} | {"v": value}
        outer, items = _collected(node, _call("named_struct", *_named(fields)))
        return outer, _call("array_sort", items, _lambda(_comparison(keys), "l", "r"))
    fields = {}
    for number, key in enumerate(keys):
        is_null = exp.Is(this=key.this.copy(), expression=exp.null())
        fields[f"n{number}"] = is_null.not_() if key.args.get("nulls_first") else is_null
        fields[f"k{number}"] = key.this
    outer, items = _collected(node, _call("named_struct", *_named(fields | {"v": value})))
    # Structs have an order of their own, which Spark need not be told by a comparison.
    return outer, _call("sort_array", items) if keys else items


def _comparison(keys: list[exp.Ordered]) -> exp.Expression:
    """Which of two structs comes first: -1 or 1, by the first of their keys that tells; 0 if none does."""
    case = exp.Case(default=exp.Literal.number(0))
    for number, key in enumerate(keys):
        left, right = (_field(side, f"k{number}") for side in ("l", "r"))
        descending = bool(key.args.get("desc"))
        first, last = (-1, 1) if key.args.get("nulls_first") else (1, -1)
        null = exp.null()
        case = case.when(
            exp.Is(this=left, expression=null) & exp.Is(this=right, expression=null).not_(), str(first)
        )
        case = case.when(
            exp.Is(this=right, expression=null) & exp.Is(this=left, expression=null).not_(), str(last)
        )
        case = case.when(exp.LT(this=left, expression=right), "1" if descending else "-1")
        case = case.when(exp.GT(this=left, expression=right), "-1" if descending else "1")
    return case


def _in_order(node: exp.AggFunc) -> exp.Expression:
    order = node.this
    value, keys = order.this, order.expressions
    if isinstance(value, exp.Distinct):
        return _distinct_in_order(node, value, keys)
    if isinstance(node, exp.ArrayAgg):
        return _listed(node, keys)
    outer, items = _sorted(node, value, keys)
    if isinstance(node, exp.First):
        first = _call("try_element_at", items, exp.Literal.number(1))
        return _placed(node, outer, exp.Dot(this=first, expression=exp.to_identifier("v")))
    if isinstance(node, exp.Sum):
        return _placed(node, outer, _summed(items))
    raise UntranslatableError(f"{node.sql('duckdb')}: this aggregate has no form in an order")


def _summed(items: exp.Expression) -> exp.Expression:
    """The floats of sorted structs, added up one after the other; null where there are none."""
    total, value = exp.column("total"), exp.cast(_field("s", "v"), "double")
    added = _call("coalesce", exp.Add(this=total, expression=value), total.copy(), value.copy())
    return _call("aggregate", items, exp.cast(exp.null(), "double"), _lambda(added, "total", "s"))


def _distinct_in_order(node: exp.AggFunc, distinct: exp.Distinct, keys: list[exp.Ordered]) -> exp.Expression:
    (value,) = distinct.expressions
    if (
        not isinstance(node, exp.ArrayAgg)
        or [key.this for key in keys] != [value]
        or keys[0].args.get("desc")
    ):
        raise UntranslatableError(f"{node.sql('duckdb')}: a list of distinct values is in their own order")
    return _call("sort_array", _call("collect_set", value.copy()))


def _json(node: exp.Expression) -> exp.Expression:
    """Spark leaves out what is null."""
    return _call(
        "to_json",
        node.expressions[0].copy(),
        _call("map", *map(exp.Literal.string, ("ignoreNullFields", "false"))),
    )


def _interval_of(name: str, *before: int) -> Callable[[exp.Expression], exp.Expression]:
    def made(node: exp.Expression) -> exp.Expression:
        amount = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
        return _call(name, *map(exp.Literal.number, before), amount.copy())

    return made


def _renamed(name: str) -> Callable[[exp.Expression], exp.Expression]:
    return lambda node: _call(name, *(each.copy() for each in node.expressions))


_NAMED: dict[str, Callable[[exp.Expression], exp.Expression]] = {
    "error": _renamed("raise_error"),
    "to_months": _interval_of("make_ym_interval", 0),
    "list_intersect": _renamed("array_intersect"),
    "to_json": _json,
}


def _named_function(node: exp.Anonymous) -> exp.Expression:
    rewrite = _NAMED.get(node.name.lower())
    return rewrite(node) if rewrite else node


def _refused(what: str) -> Callable[[exp.Expression], exp.Expression]:
    def refuse(node: exp.Expression) -> exp.Expression:
        raise UntranslatableError(f"{node.sql('duckdb')[:200]}: {what}")

    return refuse


def _star(node: exp.Star) -> exp.Expression:
    if node.args.get("replace"):
        _refused("Spark has no `replace`; list the columns")(node)
    return node


def _union(node: exp.Union) -> exp.Expression:
    if node.args.get("by_name"):
        _refused("Spark has no union by name; list the columns of both sides")(node)
    return node


def _zip_unnests(select: exp.Select) -> None:
    """Two lists side by side in one query: Spark takes one generator."""
    generators = [
        each for each in select.expressions if isinstance(each.unalias(), (exp.Explode, exp.Unnest))
    ]
    if len(generators) < 2:
        return
    lists = [each.unalias().this for each in generators]
    names = exp.Aliases(
        this=_call("inline", _call("arrays_zip", *(each.copy() for each in lists))),
        expressions=[exp.to_identifier(each.alias) for each in generators],
    )
    generators[0].replace(names)
    for each in generators[1:]:
        each.pop()


_REWRITES: dict[type[exp.Expression], Callable[..., exp.Expression]] = {
    exp.Table: _table,
    exp.Div: _divided,
    exp.Avg: _average,
    exp.Cast: _cast,
    exp.Add: _sum_of_time,
    exp.Extract: _extracted,
    exp.RegexpFullMatch: _full_match,
    exp.PercentileDisc: _quantile,
    exp.DateDiff: _seconds,
    exp.Count: _counted,
    exp.ArrayAgg: _aggregate,
    exp.Sum: _aggregate,
    exp.First: _aggregate,
    exp.GroupConcat: _aggregate,
    exp.Max: _aggregate,
    exp.ArgMax: _aggregate,
    exp.ToDays: _interval_of("make_dt_interval"),
    exp.Anonymous: _named_function,
    exp.Star: _star,
    exp.Union: _union,
}
