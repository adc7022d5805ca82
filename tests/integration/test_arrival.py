"""Late, repeated and changed files: when all have come, in whatever order, the rows are those of one load."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.extract import extract_feed
from pipelines.feeds.lake import Lake
from pipelines.feeds.raw import refresh_raw

CONTRACT = FeedContract.model_validate(
    {
        "feed": "sales",
        "description": "One row is a sale, for the tests.",
        "key": ["sale_id"],
        "event_time": "sold_at",
        "version": "updated_at",
        "columns": [
            {"name": "sale_id", "type": "text", "required": True, "description": "Number of the sale."},
            {"name": "sold_at", "type": "timestamp", "description": "When it was."},
            {"name": "updated_at", "type": "timestamp", "description": "When it was changed."},
            {"name": "amount", "type": "decimal", "scale": 2, "required": True, "description": "Money paid."},
        ],
    }
)
BINDING = FeedBinding.model_validate(
    {
        "source": {"type": "file", "path": "in/*.csv"},
        "columns": {"sale_id": "id", "sold_at": "sold", "updated_at": "updated", "amount": "amount"},
    }
)

_days = st.one_of(st.just(""), st.integers(1, 4).map(lambda day: f"2024-01-0{day}"))
_amounts = st.one_of(st.integers(0, 9).map(str), st.just("much"))
_rows = st.tuples(st.integers(1, 5).map(str), _days, _days, _amounts).map(",".join)
_contents = st.lists(_rows, min_size=1, max_size=6).map("\n".join)
# A delivery is a file's new content; after some of them a run takes in what is there.
_deliveries = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d"]), _contents, st.booleans()), min_size=1, max_size=8
)


def _extract(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    extract_feed(
        con,
        CONTRACT,
        BINDING,
        Lake(folder / "lake"),
        profile_file=Path("shop.yaml"),
        base_dir=folder,
        time_zone="UTC",
        settle_seconds=0,
    )


def _newest(con: duckdb.DuckDBPyConnection, folder: Path) -> list[tuple[Any, ...]]:
    """The rows as staging takes them (macro `newest_by_key`): those that a sort of the feed gives."""
    refresh_raw(con, Lake(folder / "lake"), {"sales": CONTRACT})
    taken, sorted_out = (
        con.sql(f"select sale_id, sold_at, updated_at, amount, _source, _line {rows} order by all").fetchall()
        for rows in (
            "from raw.sales as given anti join superseded.sales as older using (sale_id, _source)",
            """
            from raw.sales
            qualify row_number() over (
                partition by sale_id
                order by updated_at desc nulls last, sold_at desc nulls last, _source desc, _line desc
            ) = 1
            """,
        )
    )
    assert taken == sorted_out
    named = con.sql("from superseded.sales").fetchall()
    assert len(named) == len(set(named))
    return taken


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(deliveries=_deliveries, order=st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_rows_of_one_load(deliveries, order) -> None:
    final = {name: content for name, content, _ in deliveries}
    with TemporaryDirectory() as root, duckdb.connect(config={"threads": 1}) as con:
        con.execute("set TimeZone = 'UTC'")
        orderly, other = Path(root, "orderly"), Path(root, "other")
        for folder in (orderly, other):
            (folder / "in").mkdir(parents=True)
        for name, content in final.items():
            _deliver(orderly, name, content)
        _extract(con, orderly)
        # Any order, but each file's last version is its last.
        earlier = [(name, content, run) for name, content, run in deliveries if content != final[name]]
        last = [(name, content, order.random() < 0.5) for name, content in final.items()]
        repeated = [(name, content, True) for name, content in final.items() if order.random() < 0.5]
        for part in (earlier, last, repeated):
            order.shuffle(part)
            for name, content, run in part:
                _deliver(other, name, content)
                if run:
                    _extract(con, other)
                    _newest(con, other)
        _extract(con, other)
        assert _newest(con, other) == _newest(con, orderly)


def _deliver(folder: Path, name: str, content: str) -> None:
    (folder / "in" / f"{name}.csv").write_text(f"id,sold,updated,amount\n{content}\n", encoding="utf-8")
