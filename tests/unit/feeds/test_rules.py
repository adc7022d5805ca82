"""Every rule of extraction: what makes a row a duplicate, a quarantined row or a loaded one."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from feed_shop import MAPPING, SALES, Shop

from pipelines.feeds.accounts import check_reconciliation
from pipelines.feeds.contract import FeedContract
from pipelines.feeds.errors import ReconciliationError

ALL = {name: name for name in SALES.column_names if name != "sale_id"} | {"sale_id": "id"}


def test_rows_keep_their_line_and_origin(shop: Shop) -> None:
    ingestion = shop.extract_csv("id,amount\nx,1.50\ny,2\n")
    assert shop.rows("sale_id, amount, price, kind, paid, _ingestion_id, _source, _line") == [
        ("x", Decimal("1.50"), Decimal("0.0000"), "a", True, ingestion.ingestion_id, "sales.csv", 1),
        ("y", Decimal("2.00"), Decimal("0.0000"), "a", True, ingestion.ingestion_id, "sales.csv", 2),
    ]
    assert ingestion.ingestion_id == f"000001-{ingestion.content_sha256[:12]}"


def test_exact_duplicates_are_dropped_and_counted_and_the_first_line_kept(shop: Shop) -> None:
    ingestion = shop.extract_csv("id,amount,note\nx,1,\ny,2,b\nx,1,\nx,1,\n")
    assert (ingestion.rows_read, ingestion.rows_loaded, ingestion.rows_duplicate) == (4, 2, 2)
    assert shop.rows("sale_id, _line") == [("x", 1), ("y", 2)]


def test_duplicates_are_taken_out_before_quarantine(shop: Shop) -> None:
    ingestion = shop.extract_csv("id,amount\nx,wrong\nx,wrong\n")
    assert (ingestion.rows_read, ingestion.rows_quarantined, ingestion.rows_duplicate) == (2, 1, 1)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("sold_at", "tomorrow", "wrong_type"),
        ("sold_at", "infinity", "wrong_type"),
        ("sold_at", "2010-02-30 10:00:00", "wrong_type"),
        ("day", "31.12.2017", "wrong_type"),
        ("units", "1.5", "wrong_type"),
        ("units", "many", "wrong_type"),
        ("units", "99999999999999999999", "wrong_type"),
        ("amount", "1,50", "wrong_type"),
        ("amount", "12345678901234567890", "wrong_type"),
        ("paid", "perhaps", "wrong_type"),
        ("price", "cheap", "wrong_type"),
        ("amount", "", "missing_value"),
        ("id", "  ", "missing_value"),
        ("kind", "c", "not_allowed"),
        ("units", "101", "out_of_range"),
        ("units", "-1", "out_of_range"),
        ("sold_at", "1999-12-31 12:00:00", "out_of_range"),
    ],
)
def test_a_bad_value_is_quarantined_with_reason_column_and_row(
    shop: Shop, column: str, value: str, reason: str
) -> None:
    good = {"id": "x", "sold_at": "2010-01-01 10:00", "updated_at": "", "day": "2010-01-01", "units": "1"}
    good |= {"amount": "1", "price": "1", "kind": "b", "paid": "yes"}
    bad = good | {"id": "y"} | {column: value}
    lines = [",".join(good), ",".join(good.values()), ",".join(f'"{each}"' for each in bad.values())]
    ingestion = shop.extract_csv("\n".join(lines), columns=ALL)
    assert ingestion.quarantined_by_reason == {reason: 1}
    ((line, found, column_name, original),) = shop.quarantine("_line, reason, column_name, original")
    assert (line, found, column_name) == (2, reason, "sale_id" if column == "id" else column)
    assert json.loads(original)[column] == (value or None)
    assert shop.rows("sale_id") == [("x",)]


def test_the_first_reason_wins(shop: Shop) -> None:
    shop.extract_csv(
        "id,amount,units,kind\n,wrong,500,z\n,1,500,z\nx,1,500,z\ny,1,500,a\nz,wrong,1,reject me\n",
        columns={**MAPPING, "units": "units", "kind": "kind"},
        reject=[{"when": "kind = 'reject me'", "reason": "unwanted"}, {"when": "id = 'z'", "reason": "late"}],
    )
    assert shop.quarantine() == [
        (1, "wrong_type", "amount"),
        (2, "missing_value", "sale_id"),
        (3, "not_allowed", "kind"),
        (4, "out_of_range", "units"),
        (5, "unwanted", None),
    ]


def test_reject_tells_source_and_mapped_values_apart(shop: Shop) -> None:
    shop.extract_csv(
        "id,amount,extra\nx,1,0\ny,2,0\nz,3,0\nw,9,1\n",
        columns={"sale_id": "id", "amount": "try_cast(amount as integer) * 10", "units": "extra"},
        reject=[
            {"when": "amount = '1'", "reason": "by_bare_source_name"},
            {"when": "source.amount = '2'", "reason": "by_source_name"},
            {"when": "mapped.amount = 30", "reason": "by_mapped_name"},
            {"when": "sale_id = 'w' and units = '1'", "reason": "by_bare_mapped_name"},
        ],
    )
    assert [reason for (reason,) in shop.quarantine("reason")] == [
        "by_bare_source_name",
        "by_source_name",
        "by_mapped_name",
        "by_bare_mapped_name",
    ]


def test_of_two_rows_with_one_key_the_newest_version_wins(shop: Shop) -> None:
    ingestion = shop.extract_csv(
        "id,amount,updated_at,sold_at\n"
        "x,1,2010-01-02 00:00,2010-01-01 00:00\n"  # newest version
        "x,2,2010-01-01 00:00,2010-01-09 00:00\n"
        "x,3,,2010-01-10 00:00\n"
        "y,1,,2010-01-02 00:00\n"  # newest event
        "y,2,,2010-01-01 00:00\n"
        "z,1,,\n"
        "z,2,,\n"  # last line
        "z,bad,,\n",
        columns={**MAPPING, "updated_at": "updated_at", "sold_at": "sold_at"},
    )
    assert shop.rows("sale_id, amount") == [("x", Decimal(1)), ("y", Decimal(1)), ("z", Decimal(2))]
    assert ingestion.quarantined_by_reason == {"superseded_in_file": 4, "wrong_type": 1}
    assert shop.quarantine("_line, reason")[0] == (2, "superseded_in_file")


def test_the_mapping_may_use_window_functions_over_line(shop: Shop) -> None:
    shop.extract_csv(
        "id,amount\nb,5\na,5\nb,6\n",
        columns={
            "sale_id": "id || '-' || row_number() over (partition by id order by _line)",
            "amount": "amount",
        },
    )
    assert shop.rows("sale_id") == [("b-1",), ("a-1",), ("b-2",)]


def test_a_query_replaces_the_source_and_is_counted_after_it(shop: Shop) -> None:
    shop.write("names.csv", "id,name\nx,b\n")
    ingestion = shop.extract_csv(
        "id,amount\nx,1\nx,2\ny,4\n",
        also={"names": {"type": "file", "path": "names.csv"}},
        query="""
            select id, sum(try_cast(amount as integer)) as amount, any_value(names.name) as kind,
                min(source._line) as _line
            from source left join names using (id)
            group by id -- one per id
        """,
        columns={**MAPPING, "kind": "kind"},
    )
    assert ingestion.rows_read == 2
    assert shop.rows("sale_id, amount, kind, _line") == [("x", 3, "b", 1), ("y", 4, "a", 3)]


def test_rows_of_a_query_without_lines_are_numbered_by_their_values(shop: Shop) -> None:
    shop.extract_csv("id,amount\nz,1\ny,2\nz,3\n", query="select id, '1' as amount from source group by id;")
    assert shop.rows("sale_id, _line") == [("y", 1), ("z", 2)]


def test_any_of_asks_for_one_of_the_columns(shop: Shop) -> None:
    shop.contract = FeedContract.model_validate(SALES.model_dump() | {"any_of": [["day", "units"]]})
    shop.extract_csv(
        "id,amount,units,day\nx,1,1,\ny,1,,2010-01-01\nz,1,,\n",
        columns={**MAPPING, "units": "units", "day": "day"},
    )
    assert shop.quarantine() == [(3, "missing_value", None)]


def test_constants_may_stand_in_the_mapping(shop: Shop) -> None:
    shop.extract_csv("id,amount\nx,1\n", columns={**MAPPING, "units": 7, "paid": False, "kind": "'b'"})
    assert shop.rows("units, paid, kind") == [(7, False, "b")]


def test_a_timestamp_without_zone_is_in_the_source_s_zone(shop: Shop) -> None:
    content = (
        "id,amount,at\n"
        "a,1,2010-07-01 10:00:00\n"
        "b,1,2010-07-01T10:00:00Z\n"
        "c,1,2010-07-01 10:00:00-05:00\n"
        "d,1,2010-01-01\n"
    )
    columns = {**MAPPING, "sold_at": "at", "day": "at"}
    shop.extract_csv(content, columns=columns)
    assert shop.rows("sold_at") == [
        (datetime(2010, 7, 1, 9, tzinfo=UTC),),
        (datetime(2010, 7, 1, 10, tzinfo=UTC),),
        (datetime(2010, 7, 1, 15, tzinfo=UTC),),
        (datetime(2010, 1, 1, tzinfo=UTC),),
    ]
    shop.extract_csv(content, columns=columns, source={"time_zone": "America/New_York"})
    assert shop.rows("sold_at")[0] == (datetime(2010, 7, 1, 14, tzinfo=UTC),)


def test_a_date_taken_from_an_instant_is_the_business_date(shop: Shop) -> None:
    shop.time_zone = "Asia/Shanghai"
    shop.extract_csv(
        "id,amount,at\na,1,2010-07-01T20:00:00Z\nb,1,2010-07-01\n", columns={**MAPPING, "day": "at"}
    )
    assert shop.rows("day") == [(date(2010, 7, 2),), (date(2010, 7, 1),)]


def test_parquet_types_are_kept_and_its_naive_timestamps_zoned(shop: Shop) -> None:
    shop.con.execute(
        f"""
        copy (
            select 13085.0::double as id, 1.005::double as amount, timestamp '2010-07-01 10:00:00' as at,
                timestamptz '2010-07-01 10:00:00+00' as changed, 3::tinyint as units, true as paid
        ) to '{shop.folder / "sales.parquet"}'
        """
    )
    shop.extract(
        "sales.parquet",
        columns={
            **MAPPING,
            "sold_at": "at",
            "updated_at": "changed",
            "units": "units",
            "paid": "paid",
            "day": "at",
        },
    )
    ((sale_id, sold_at, updated_at, units, paid, day),) = shop.rows(
        "sale_id, sold_at, updated_at, units, paid, day"
    )
    assert (sale_id, units, paid, day) == ("13085", 3, True, date(2010, 7, 1))
    assert sold_at.astimezone(UTC) == datetime(2010, 7, 1, 9, tzinfo=UTC)
    assert updated_at.astimezone(UTC) == datetime(2010, 7, 1, 10, tzinfo=UTC)


def test_numbers_and_dates_as_the_source_writes_them(shop: Shop) -> None:
    ingestion = shop.extract_csv(
        "id;amount;at;day\n"
        "a;1.234,56;31.12.2010 23:30;31.12.10\n"
        "b;1,5;2010-12-31T23:30:00;1/2/2010\n"
        "c;1 5;;\n",
        source={
            "delimiter": ";",
            "decimal_separator": ",",
            "thousands_separator": ".",
            "timestamp_formats": ["%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S"],
            "date_formats": ["%d.%m.%y", "%d/%m/%Y"],
        },
        columns={**MAPPING, "sold_at": "at", "day": "day"},
    )
    assert shop.rows("amount, sold_at, day") == [
        (Decimal("1234.56"), datetime(2010, 12, 31, 23, 30, tzinfo=UTC), date(2010, 12, 31)),
        (Decimal("1.50"), datetime(2010, 12, 31, 23, 30, tzinfo=UTC), date(2010, 2, 1)),
    ]
    assert ingestion.quarantined_by_reason == {"wrong_type": 1}


def test_a_point_is_no_number_where_the_comma_is_decimal(shop: Shop) -> None:
    shop.extract_csv("id;amount\na;1.5\n", source={"delimiter": ";", "decimal_separator": ","})
    assert shop.quarantine() == [(1, "wrong_type", "amount")]


def test_money_is_rounded_half_away_from_zero(shop: Shop) -> None:
    shop.extract_csv("id,amount\na,2.675\nb,-2.675\nc,2.6749\n")
    assert shop.rows("amount") == [(Decimal("2.68"),), (Decimal("-2.68"),), (Decimal("2.67"),)]


def test_booleans_and_whole_numbers_as_text(shop: Shop) -> None:
    shop.extract_csv(
        "id,amount,paid,units\na,1,Yes,3.0\nb,1,0,4\nc,1,F,\n",
        columns={**MAPPING, "paid": "paid", "units": "units"},
    )
    assert shop.rows("paid, units") == [(True, 3), (False, 4), (False, None)]


def test_blanks_around_text_are_taken_off(shop: Shop) -> None:
    shop.extract_csv('id,amount\n" 47503J ",1\n"a\u00a0",1\n')
    assert shop.rows("sale_id") == [("47503J",), ("a",)]


def test_temporary_tables_are_dropped_and_settings_restored(shop: Shop) -> None:
    shop.con.execute("set preserve_insertion_order = false")
    shop.extract_csv("id,amount\nx,1\nx,1,1\n")
    assert shop.con.sql("select count(*) from duckdb_tables() where temporary").fetchone() == (0,)
    assert shop.con.sql("select current_setting('preserve_insertion_order')").fetchone() == (False,)


def test_counts_that_do_not_add_up_are_an_error(shop: Shop) -> None:
    ingestion = shop.extract_csv("id,amount\nx,1\n")
    object.__setattr__(ingestion, "rows_read", 2)
    with pytest.raises(ReconciliationError, match="2 rows read, but 1 loaded"):
        check_reconciliation(ingestion)
