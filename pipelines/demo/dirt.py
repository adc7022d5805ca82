"""Dirty rows, planted in known numbers: each is a copy of a good row that is wrong in exactly one way.

Planted rows stand in one file per feed that no other file repeats, and only with the first batch of
customers. What was planted is kept in the table `planted` (feed, file, reason, is_loaded, key), one row per
row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from pipelines.demo import rates

# The kinds that extraction neither quarantines nor drops.
KEPT = ("orphan_reference", "formula_text", "control_characters")
# More than there are kinds: each kind can have good rows of its own where the file has that many.
_TEMPLATES_PER_ROW = 20
_PAST = "'1970-03-01 10:00:00'"
_FUTURE = "'2031-05-01 10:00:00'"


@dataclass(frozen=True)
class DirtyFeed:
    """What is planted into one feed.

    Attributes:
        feed: the feed.
        file: the file, without suffix, that gets the rows.
        key: SQL per source column of the contract's key that gives a planted row a key of its own, from the
            row's number `_i` and the reason, `$reason`.
        changes: reason to what makes a copy wrong, SQL per column.
        superseded: what makes a copy an older version of the row it is copied from; empty for none.
        in_place: kept kinds that change a good row where it stands, SQL per column.
        unreadable: a line that cannot be parsed, with `$i` for its number; null where the format has no
        lines.
        is_small: few rows whatever the shop's size, so the least number of dirty ones.
    """

    feed: str
    file: str
    key: Mapping[str, str]
    changes: Mapping[str, Mapping[str, str]]
    superseded: Mapping[str, str] = field(default_factory=dict)
    in_place: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unreadable: str | None = None
    is_small: bool = False
    has_duplicates: bool = True


def _fresh(column: str) -> dict[str, str]:
    return {column: "'BAD-$reason-' || _i"}


DIRTY_FEEDS = (
    DirtyFeed(
        "ecommerce_customers", "accounts_2024", _fresh("account"),
        {
            "wrong_type": {"birthday": "'nineteen eighty'"},
            "missing_value": {"account": "null"},
            "not_allowed": {"gender": "'robot'"},
            "out_of_range": {"birthday": "'1799-12-31'"},
            "future_date": {"registered": _FUTURE},
        },
        superseded={"updated": "'2023-12-31 00:00:00'", "city": "'旧城'"},
        in_place={
            "formula_text": {"name": "'=HYPERLINK(\"http://example.com\",\"name\")'"},
            "control_characters": {"name": "coalesce(name, '') || chr(7) || chr(27)"},
        },
        unreadable="### export interrupted, line $i",
    ),
    DirtyFeed(
        "ecommerce_orders", "orders_2025h1", _fresh("order_no"),
        {
            "wrong_type": {"created": "'yesterday evening'"},
            "missing_value": {"order_no": "null"},
            "not_allowed": {"status": "'lost_in_space'"},
            "out_of_range": {"order_discount": "'-5.00'"},
            "future_date": {"created": _FUTURE},
        },
        superseded={"updated": "'2023-12-31 00:00:00'", "status": "'placed'"},
    ),
    DirtyFeed(
        "ecommerce_order_lines", "order_lines_2025h1", _fresh("order_no"),
        {
            "missing_value": {"order_no": "null"},
            "not_allowed": {"kind": "'magic'"},
            "out_of_range": {"discount": "-1.00"},
            "absurd_amount": {"amount": "9999999.00", "quantity": "1"},
            "negative_quantity": {"kind": "'product'", "quantity": "-1", "amount": "25.00"},
            "orphan_reference": {},
        },
        superseded={"updated": "timestamp '2023-12-31 00:00:00'", "amount": "amount + 1"},
    ),
    DirtyFeed(
        "pos_members", "members", _fresh("会员号"),
        {
            "wrong_type": {"积分": "'很多'"},
            "missing_value": {"会员号": "null"},
            "not_allowed": {"性别": "'未知人士'"},
            "out_of_range": {"升级差额": "'-1.00'"},
            "future_date": {"入会时间": "'2031/05/01 10:00:00'"},
        },
        superseded={"更新时间": "'2001/01/01 00:00:00'", "城市": "'旧城'"},
        unreadable="### 导出中断 $i",
    ),
    DirtyFeed(
        "pos_sales", "sales_2025h1", _fresh("小票号"),
        {
            "wrong_type": {"金额": "'abc'"},
            "missing_value": {"小票号": "null"},
            "out_of_range": {"折扣": "'-3.00'"},
            "absurd_amount": {"金额": "'88888888.00'", "数量": "'1'"},
            "negative_quantity": {"数量": "'-2'", "金额": "'10.00'"},
            "future_date": {"销售时间": "'2031/05/01 10:00:00'"},
            "orphan_reference": {"会员号": "'M-UNKNOWN-' || _i"},
        },
        superseded={"销售时间": "'2023/12/31 23:00:00'", "金额": "'0.01'"},
        unreadable="*** 打印机错误 $i ***",
    ),
    DirtyFeed(
        "products", "catalogue_2024", _fresh("article"),
        {
            "wrong_type": {"price": "'ask'"},
            "missing_value": {"article": "null"},
            "out_of_range": {"price": "'-1.00'"},
        },
        superseded={"updated": "'2023-01-01 00:00:00'", "name": "'旧名'"},
        is_small=True,
    ),
    DirtyFeed(
        "service_tickets", "tickets_2025", _fresh("ticket"),
        {
            "wrong_type": {"opened": "'last week'"},
            "missing_value": {"ticket": "null"},
            "not_allowed": {"kind": "'rant'"},
            "out_of_range": {"rating": "'11'"},
            "future_date": {"opened": _FUTURE},
            "orphan_reference": {"account_id": "'A-UNKNOWN-' || _i", "member_id": "null", "order_no": "null"},
        },
        superseded={"updated": "'2023-12-31 00:00:00'", "text": "'draft'"},
        in_place={
            "formula_text": {"text": "'=cmd|''/C calc''!A0'"},
            "control_characters": {"text": "text || chr(11) || chr(2)"},
        },
        unreadable='{"ticket": "T-CUT-$i", "kind": "enqu',
    ),
    DirtyFeed(
        "web_events", "events_2025h1", _fresh("id"),
        {
            "wrong_type": {"time": "'soon'"},
            "missing_value": {"visitor": "null"},
            "not_allowed": {"kind": "'teleport'"},
            "out_of_range": {"seconds": "-30"},
            "future_date": {"time": "'2031-05-01T10:00:00Z'"},
            "orphan_reference": {"sku": "'P-UNKNOWN'"},
        },
        superseded={"time": "'2024-01-01T00:00:00Z'", "query": "'older'"},
    ),
    DirtyFeed(
        "devices", "devices_1", _fresh("device"),
        {
            "wrong_type": {"enabled": "'sometimes'"},
            "missing_value": {"device": "null"},
            "out_of_range": {"updated": _PAST},
        },
        superseded={"updated": "'2023-12-31 00:00:00'", "token": "'stale'"},
        unreadable='{"device": "D-CUT-$i", "acc',
    ),
    DirtyFeed(
        "social_accounts", "social_accounts", _fresh("open_id"),
        {
            "wrong_type": {"verified": "'maybe'"},
            "missing_value": {"platform": "null"},
            "out_of_range": {"updated": _PAST},
        },
        superseded={"updated": "'2001-01-01 00:00:00'", "nickname": "'旧名'"},
        unreadable="??? broken record $i",
    ),
    DirtyFeed(
        "campaign_members", "recall_2025", {"campaign": "'BAD-$reason-' || _i"},
        {
            "wrong_type": {"control": "'perhaps'"},
            "missing_value": {"campaign": "null"},
            "not_allowed": {"channel": "'pigeon'"},
            "out_of_range": {"cost": "'-0.5000'"},
            "future_date": {"assigned": _FUTURE},
        },
        superseded={"assigned": "'2023-12-31 00:00:00'", "arm": "'draft'"},
        unreadable="-- page break $i --",
    ),
    DirtyFeed(
        "campaign_events", "events_2025h1", _fresh("id"),
        {
            "wrong_type": {"happened": "'later'"},
            "missing_value": {"id": "null"},
            "not_allowed": {"kind": "'adored'"},
            "out_of_range": {"amount": "'-1.00'"},
            "future_date": {"happened": _FUTURE},
        },
        superseded={"happened": "'2023-12-31 00:00:00'", "disposition": "'draft'"},
    ),
    DirtyFeed(
        "consents", "consents", _fresh("id"),
        {
            "missing_value": {"id": "null"},
            "not_allowed": {"status": "'perhaps'"},
            "out_of_range": {"recorded": "timestamp '1970-03-01 10:00:00'"},
            "future_date": {"recorded": "timestamp '2031-05-01 10:00:00'"},
        },
        superseded={"recorded": "timestamp '2001-01-01 00:00:00'", "proof": "'draft'"},
    ),
    DirtyFeed(
        "survey_responses", "survey", _fresh("id"),
        {
            "wrong_type": {"score": "'great'"},
            # In the smallest shops two are copied from one row, and must not become equal.
            "missing_value": {"id": "null", "comment": "'no number ' || _i"},
            "out_of_range": {"score": "'77'"},
            "future_date": {"answered": _FUTURE},
        },
        unreadable="(page 2 of the questionnaire was not returned) $i",
        is_small=True,
        has_duplicates=False,
    ),
)  # fmt: skip


def dirty_rows_per_kind(customers: int) -> int:
    """How many rows of each kind each feed gets: more in a larger shop, within bounds."""
    wanted = customers // rates.CUSTOMERS_PER_DIRTY_ROW
    return max(rates.DIRTY_ROWS_MIN, min(rates.DIRTY_ROWS_MAX, wanted))


def unreadable_lines(dirty: DirtyFeed, customers: int) -> list[str]:
    """The lines for the end of the feed's file that no reader can parse."""
    if dirty.unreadable is None:
        return []
    rows = rates.DIRTY_ROWS_MIN if dirty.is_small else dirty_rows_per_kind(customers)
    return [dirty.unreadable.replace("$i", str(number)) for number in range(1, rows + 1)]


def create_planted(con: duckdb.DuckDBPyConnection) -> None:
    """Creates the empty table `planted`."""
    con.execute(
        "create table planted (feed varchar, file varchar, reason varchar, is_loaded boolean, key varchar)"
    )


def plant(con: duckdb.DuckDBPyConnection, dirty: DirtyFeed, customers: int) -> None:
    """Adds the feed's dirty rows to `out_<feed>` and to `planted`.

    Duplicates, older versions and changes in place each take good rows of their own; the other kinds, which
    bring new keys, are copied from whatever good rows there are.
    """
    table = f"out_{dirty.feed}"
    rows = rates.DIRTY_ROWS_MIN if dirty.is_small else dirty_rows_per_kind(customers)
    con.execute(f"""
    create or replace temp table template as
    select *, row_number() over (order by _key, _at) as _pick
    from (
        select * from {table}
        where _file = '{dirty.file}' and _place = 0
        order by hash(_key, _at), _key, _at
        limit {_TEMPLATES_PER_ROW * rows}
    )
    """)
    used = 0
    for reason, changes in dirty.in_place.items():
        assignments = ", ".join(f'"{column}" = {sql}' for column, sql in changes.items())
        where = _slice(used, rows)
        con.execute(
            f"insert into planted select '{dirty.feed}', _file, '{reason}', true, _key from template {where}"
        )
        con.execute(
            f"update {table} set {assignments} "
            f"where _file = '{dirty.file}' and _key in (select _key from template {where})"
        )
        used += rows
    copies = []
    for reason, changes in (("duplicate", {}), ("superseded_in_file", dirty.superseded)):
        if dirty.has_duplicates and (changes or reason == "duplicate"):
            copies.append(
                _copies(reason, changes, f"select *, _pick as _i from template {_slice(used, rows)}", 0)
            )
            used += rows
    for reason, changes in dirty.changes.items():
        # The n-th copy, from the beginning again where there are fewer good rows than that.
        source = f"""
            select template.*, numbers._i
            from (select range + 1 as _i from range({rows})) as numbers
            inner join template
                on template._pick = 1 + ({used} + numbers._i) % (select count(*) from template)
        """
        fresh = {column: sql.replace("$reason", reason) for column, sql in dirty.key.items()}
        copies.append(_copies(reason, {**fresh, **changes}, source, used))
        used += rows
    if dirty.feed == "service_tickets":
        long_cell = {"ticket": "'BAD-too_long'", "text": f"repeat('x', {rates.LONG_CELL_BYTES})"}
        copies.append(
            _copies("too_long", long_cell, "select *, _pick as _i from template where _pick = 1", used)
        )
    con.execute(f"create or replace temp table planting as {' union all by name '.join(copies)}")
    con.execute(f"insert into {table} by name select * exclude (_reason) from planting")
    kept = ", ".join(f"'{reason}'" for reason in KEPT)
    con.execute(
        f"insert into planted select '{dirty.feed}', _file, _reason, _reason in ({kept}), _key from planting"
    )
    con.execute("drop table planting")
    con.execute("drop table template")
    lines = unreadable_lines(dirty, customers)
    if lines:
        con.executemany(
            f"insert into planted values ('{dirty.feed}', '{dirty.file}', 'unreadable_line', false, ?)",
            [[line] for line in lines],
        )


def _slice(used: int, rows: int) -> str:
    return f"where _pick > {used} and _pick <= {used + rows}"


def _copies(reason: str, changes: Mapping[str, str], source: str, places_before: int) -> str:
    """A query for changed copies of template rows; `_place` tells them apart where key and time do not."""
    replaced = "".join(f', {sql} as "{column}"' for column, sql in changes.items())
    left_out = "".join(f', "{column}"' for column in changes)
    return (
        f"(select * exclude (_place, _pick, _i{left_out}){replaced}, "
        f"cast({places_before} + _i as integer) as _place, '{reason}' as _reason from ({source}))"
    )
