"""Which purchase gave back a returned unit: the set-based model against a stack of single units.

The model computes all stacks at once by intervals of a running level. Here every unit is an object that is
pushed and popped, so the two can only agree by being right, or by reading the rule alike.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from in_dbt import dbt
from story import Story

from pipelines.resources.warehouse import Warehouse

pytestmark = pytest.mark.xdist_group("story")


@dataclass(frozen=True)
class Line:
    """A line of a product, bought (positive) or returned (negative)."""

    line_id: str
    customer_id: str
    product_id: str
    channel: str
    order_id: str
    line_no: int
    ordered_at: datetime
    quantity: int
    returned_order_id: str | None

    @property
    def place(self) -> tuple[datetime, bool, str, int]:
        """Order in time; in the same minute purchases come first."""
        return (self.ordered_at, self.quantity < 0, self.order_id, self.line_no)


@dataclass(frozen=True)
class Played:
    """Units by (return, purchase), and the return that took the last unit of each emptied purchase."""

    units: Counter[tuple[str, str]]
    emptied_by: dict[str, Line]


def play(lines: Iterable[Line]) -> Played:
    """Push and pop unit by unit. A product of a customer has stated returns or others, not both."""
    stacks: dict[tuple[str, str], list[str]] = defaultdict(list)
    orders: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    left: dict[str, int] = {}
    units: Counter[tuple[str, str]] = Counter()
    emptied_by: dict[str, Line] = {}
    ordered = sorted(lines, key=lambda line: line.place)
    # A statement holds for the whole order, also when a clock was wrong and the return seems to be earlier.
    for line in sorted(ordered, key=lambda line: line.line_no):
        if line.quantity > 0:
            order = orders[line.channel, line.customer_id, line.order_id, line.product_id]
            order += [line.line_id] * line.quantity
            left[line.line_id] = line.quantity
    for line in ordered:
        stack = stacks[line.customer_id, line.product_id]
        if line.quantity > 0:
            stack += [line.line_id] * line.quantity
            continue
        for _ in range(-line.quantity):
            if line.returned_order_id is None:
                taken = stack.pop() if stack else None
            else:
                stated = orders[line.channel, line.customer_id, line.returned_order_id, line.product_id]
                taken = stated.pop(0) if stated else None
            if taken is not None:
                units[line.line_id, taken] += 1
                left[taken] -= 1
                if left[taken] == 0:
                    emptied_by[taken] = line
    return Played(units, emptied_by)


def random_lines(seed: int, customers: int) -> list[Line]:
    """Customers who return about as much as they buy, many of them in the same minute."""
    rng = random.Random(seed)
    lines: list[Line] = []
    for customer in range(customers):
        moments = [datetime(2024, 1, rng.randrange(1, 8), rng.randrange(8, 20), tzinfo=UTC) for _ in range(6)]
        # Order ids that sort otherwise than time, and the same ones in both channels.
        ids = rng.sample(range(40), 8)
        for minute, channel in ((0, "pos"), (30, "ecommerce")):
            for number in ids:
                order_id = f"{customer}-{number:02d}"
                at = rng.choice(moments) + timedelta(minutes=minute)
                for line_no in range(1, rng.randrange(2, 6)):
                    product = rng.choice("pqr")
                    quantity = rng.choice((1, 1, 2, 3, -1, -2, -4))
                    # p is returned with the order stated (some orders never were), the others without.
                    stated = f"{customer}-{rng.choice([*ids, 99]):02d}" if product == "p" else None
                    lines.append(
                        Line(
                            f"{channel}:{order_id}:{line_no}",
                            f"c{customer}",
                            product,
                            channel,
                            order_id,
                            line_no,
                            at,
                            quantity,
                            stated if quantity < 0 else None,
                        )
                    )
    return lines


def compare(con: duckdb.DuckDBPyConnection, lines: list[Line]) -> Played:
    """Assert that the tables have what the game gives; returns it."""
    played = play(lines)
    found = con.execute(
        "select return_line_id, purchase_line_id, sum(units), any_value(returned_on) "
        "from core.int_return_allocation group by all"
    ).fetchall()
    days = {line.line_id: _day(line) for line in lines}
    assert {(back, bought): units for back, bought, units, _ in found} == played.units
    assert {back: day for back, _, _, day in found} == {back: days[back] for back, _ in played.units}
    returned: Counter[str] = Counter()
    for (_, bought), units in played.units.items():
        returned[bought] += units
    expected = {
        line.line_id: (
            line.quantity,
            returned[line.line_id],
            _day(played.emptied_by[line.line_id]) if line.line_id in played.emptied_by else None,
        )
        for line in lines
        if line.quantity > 0
    }
    by_line = con.execute(
        "select line_id, units, returned_units, emptied_on from core.int_purchase_line "
        "where product_id is not null"
    ).fetchall()
    assert {line_id: tuple(values) for line_id, *values in by_line} == expected
    published = dict(
        con.execute(
            "select line_id, returned_quantity from core.order_line "
            "where quantity > 0 and customer_id is not null and product_id is not null and not is_cancelled "
            "and line_kind = 'product'"
        ).fetchall()
    )
    assert published == {line_id: back for line_id, (_, back, _) in expected.items()}
    return played


def _day(line: Line) -> date:
    return line.ordered_at.date()


def test_the_shops_own_returns(story: Story, warehouse: Warehouse) -> None:
    with warehouse.connect() as con:
        # What analysts see of the lines, and the stated order from the feed.
        rows = con.execute(
            """
            select
                lines.line_id, lines.customer_id, lines.product_id, lines.channel,
                lines.order_id, lines.line_no, lines.ordered_at,
                cast(lines.quantity as integer) as quantity, feed.returned_order_id
            from core.order_line as lines
            left join raw.ecommerce_order_lines as feed
                on lines.channel = 'ecommerce' and lines.order_id = feed.order_id
                and lines.line_no = feed.line_no
            where lines.line_kind = 'product' and not lines.is_cancelled and lines.customer_id is not null
            """
        ).fetchall()
        played = compare(con, [Line(*row) for row in rows])
    channels = Counter(back.split(":")[0] for back, _ in played.units)
    assert channels["pos"] > 100, "returns without a stated order"
    assert channels["ecommerce"] > 20, "returns with one"


def test_thousands_of_random_returns(warehouse: Warehouse, tmp_path: Path) -> None:
    lines = random_lines(seed=3, customers=120)
    generated = pl.DataFrame([_sales_line(line) for line in lines], infer_schema_length=None)
    with warehouse.connect() as con:
        con.register("generated", generated)
        con.execute("create or replace table core.int_sales_line as from core.int_sales_line limit 0")
        con.execute("insert into core.int_sales_line by name from generated")
    models = ("int_return_allocation", "int_purchase_line", "order_line")
    result = dbt(warehouse, tmp_path, "run", "--select", *models)
    assert result.success, result.exception
    with warehouse.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        played = compare(con, lines)
    returned = -sum(line.quantity for line in lines if line.quantity < 0)
    assert 1000 < played.units.total() < returned, "some returns find their purchase and some find none"
    assert len(played.emptied_by) > 500


def _sales_line(line: Line) -> dict[str, object]:
    return {
        **vars(line),
        "ordered_on": _day(line),
        "is_cancelled": False,
        "line_kind": "product",
        "amount": line.quantity,
        "discount_amount": 0,
        "is_revenue": True,
        "is_purchase": line.quantity > 0,
        "is_return": line.quantity < 0,
    }
