"""Random draws as pure SQL functions of seed, stream and id, so that no draw depends on threads or on order.

`hash(seed, stream, id)` alone will not do: DuckDB combines the parts with an exclusive or, so that two
streams of one id are the same number up to a fixed mask (correlation .998 measured). The outer hash mixes the
result once more; `tests/unit/demo/test_demo_draws.py` measures what is left.
"""

from collections.abc import Iterable, Mapping

import duckdb

from pipelines.demo.rates import FIRST_DAY

DAY_SECONDS = 86_400
# Scrambles a running number into one that shows neither its order nor its person: x -> a x + b modulo
# a prime, a bijection of ten digits. The product stays below 2**63 for x below 1.4e10.
_PRIME = 9_999_999_967
_FACTOR = 618_033_989
_PHONE_PRIME = 99_999_989
_PHONE_FACTOR = 38_196_601


def create_macros(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Creates the macros all generating SQL uses.

    - `u(stream, id)`: uniform in (0, 1); `below(n, stream, id)`: whole number 0 … n - 1;
      `normal(stream, id)`; `waiting(mean, stream, id)`: exponential; `gamma2(mean, stream, id)`:
      gamma of shape 2
    - `pick(list, stream, id)`: an element of a list
    - `moment(seconds)`: the local timestamp so many seconds after the first day's midnight
    - `scrambled(n, salt)`: ten digits that differ for different n; `phone_digits(n)`: the last eight
      digits of a mobile number, likewise
    - `money(cents)`: DECIMAL(18,2)
    """
    offset = (seed * 1_000_003) % _PRIME
    statements = f"""
    create macro u(stream, id) as
        (cast(hash(hash({seed}::bigint, stream, cast(id as bigint))) >> 11 as double) + 0.5)
        / 9007199254740992.0;
    create macro below(n, stream, id) as cast(floor(n * u(stream, id)) as bigint);
    create macro waiting(mean, stream, id) as -(mean) * ln(u(stream, id));
    create macro gamma2(mean, stream, id) as -(mean) / 2.0 * ln(u(stream, id) * u(stream || '+', id));
    create macro normal(stream, id) as
        sqrt(-2.0 * ln(u(stream, id))) * cos(2.0 * pi() * u(stream || '+', id));
    create macro pick(choices, stream, id) as choices[1 + below(len(choices), stream, id)];
    create macro moment(seconds) as timestamp '{FIRST_DAY} 00:00:00' + to_seconds(cast(seconds as bigint));
    create macro scrambled(n, salt) as
        lpad(cast((cast(n as bigint) * {_FACTOR} + {offset} + salt * 7777777) % {_PRIME} as varchar),
            10, '0');
    create macro phone_digits(n) as
        lpad(cast(1 + (cast(n as bigint) * {_PHONE_FACTOR} + {offset % _PHONE_PRIME}) % {_PHONE_PRIME}
            as varchar), 8, '0');
    create macro money(cents) as cast(cents as decimal(16, 0)) * cast(0.01 as decimal(2, 2));
    """
    con.execute(statements)


def texts(values: Iterable[str]) -> str:
    """A SQL list of texts."""
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


def one_of(shares: Mapping[str, float], draw: str) -> str:
    """SQL that turns a uniform draw into one of the names, by their shares, which add up to 1.

    Example:
        >>> one_of({"a": 0.25, "b": 0.75}, "u('kind', id)")
        "(case when u('kind', id) < 0.25 then 'a' else 'b' end)"
    """
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"shares add up to {sum(shares.values())}, not to 1: {dict(shares)}")
    names = list(shares)
    if len(names) == 1:
        return f"'{names[0]}'"
    branches, reached = [], 0.0
    for name in names[:-1]:
        reached += shares[name]
        branches.append(f"when {draw} < {round(reached, 9)} then '{name}'")
    return f"(case {' '.join(branches)} else '{names[-1]}' end)"


def by_value(column: str, values: Mapping[str, object], otherwise: str = "null") -> str:
    """SQL `case` that maps a column's texts to SQL expressions."""
    branches = " ".join(f"when '{key}' then {value}" for key, value in values.items())
    return f"(case {column} {branches} else {otherwise} end)"
