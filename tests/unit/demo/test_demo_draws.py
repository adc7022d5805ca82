"""The draws: uniform, and independent between seeds, streams and neighbours."""

import duckdb
import pytest

from pipelines.demo.draws import create_macros, one_of


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    create_macros(connection, seed=7)
    return connection


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[float, ...]:
    row = con.sql(query).fetchone()
    assert row is not None
    return row


def test_draws_are_uniform(con: duckdb.DuckDBPyConnection) -> None:
    mean, variance, low, high = one(
        con, "select avg(x), var_pop(x), min(x), max(x) from (select u('a', range) as x from range(100000))"
    )
    assert mean == pytest.approx(1 / 2, abs=0.005)
    assert variance == pytest.approx(1 / 12, abs=0.002)
    assert 0 < low < high < 1


@pytest.mark.parametrize(
    "other", ["u('b', range)", "u('a', range + 1)", "u('a+', range)", "u('a', range * 8)"]
)
def test_streams_and_neighbours_are_uncorrelated(con: duckdb.DuckDBPyConnection, other: str) -> None:
    (correlation,) = one(con, f"select corr(u('a', range), {other}) from range(1, 100000)")
    # Five standard errors of a correlation of nothing.
    assert abs(correlation) < 5 / 100_000**0.5


def test_one_seed_says_nothing_of_another(con: duckdb.DuckDBPyConnection) -> None:
    with duckdb.connect() as other:
        create_macros(other, seed=8)
        first = con.sql("select u('a', range) as x from range(50000)").fetchnumpy()["x"]
        second = other.sql("select u('a', range) as x from range(50000)").fetchnumpy()["x"]
    covariance = ((first - first.mean()) * (second - second.mean())).mean()
    assert abs(covariance * 12) < 5 / 50_000**0.5


def test_waiting_times_have_their_means_and_spreads(con: duckdb.DuckDBPyConnection) -> None:
    exponential, exponential_sd, gamma, gamma_sd, normal, normal_sd = one(
        con,
        """
        select avg(w), stddev(w), avg(g), stddev(g), avg(n), stddev(n)
        from (
            select waiting(10, 'w', range) as w, gamma2(10, 'g', range) as g, normal('n', range) as n
            from range(100000)
        )
        """,
    )
    assert (exponential, exponential_sd) == (pytest.approx(10, abs=0.2), pytest.approx(10, abs=0.3))
    assert (gamma, gamma_sd) == (pytest.approx(10, abs=0.2), pytest.approx(10 / 2**0.5, abs=0.2))
    assert (normal, normal_sd) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))


def test_scrambled_numbers_and_phone_numbers_never_repeat(con: duckdb.DuckDBPyConnection) -> None:
    numbers, phones, digits = one(
        con,
        """
        select count(distinct scrambled(range, 3)), count(distinct phone_digits(range)),
            max(length(scrambled(range * 49999, 3)))
        from range(100000)
        """,
    )
    assert (numbers, phones, digits) == (100_000, 100_000, 10)


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match=r"add up to 0\.9"):
        one_of({"a": 0.4, "b": 0.5}, "u('x', 1)")
