"""Goods, prices and promotions: tables `category`, `product`, `promotion`; the same for every batch."""

from dataclasses import dataclass
from typing import Literal

import duckdb

from pipelines.demo import rates, words
from pipelines.demo.draws import DAY_SECONDS, texts

Rhythm = Literal["regular", "irregular", "durable", "seasonal"]


@dataclass(frozen=True)
class Category:
    """A category and how people buy it.

    Attributes:
        rhythm: regular (gamma gaps, shape 2), irregular and durable (exponential gaps), seasonal (within
        windows).
        share: of buyers who need it.
        gap_days: mean gap between purchases of a regular customer; for a seasonal one unused.
        extra_lines: lines of a purchase are 1 plus 0 … this, uniformly.
        price: lowest and highest price in cents.
        replenishment_days: what the shop states, if it does.
        seasons: first and last day of each season, counted from the first day.
    """

    code: str
    rhythm: Rhythm
    share: float
    gap_days: int
    extra_lines: int
    price: tuple[int, int]
    replenishment_days: int | None = None
    seasons: tuple[tuple[int, int], ...] = ()


CATEGORIES = (
    Category("coffee", "regular", 0.22, 62, 3, (3_000, 16_000), 30),
    Category("pet_food", "regular", 0.15, 55, 3, (2_500, 30_000), 45),
    Category("baby_care", "regular", 0.09, 42, 3, (3_500, 28_000), 28),
    Category("books", "irregular", 0.28, 156, 3, (2_000, 9_000)),
    Category("apparel", "irregular", 0.34, 156, 2, (6_900, 59_900)),
    Category("appliances", "durable", 0.15, 380, 1, (19_900, 299_900)),
    Category(
        "down_jackets", "seasonal", 0.18, 0, 1, (29_900, 149_900), None, ((0, 45), (305, 380), (670, 730))
    ),
    Category("mooncakes", "seasonal", 0.22, 0, 3, (5_800, 38_800), None, ((225, 260), (610, 643))),
)


def category_no(code: str) -> int:
    """The number of a category, from 0."""
    return [category.code for category in CATEGORIES].index(code)


def create_products(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `category`, `product`, `promotion` (times in seconds) and `price_day` (prices in cents)."""
    rows = ", ".join(
        f"({number}, '{each.code}', '{each.rhythm}', {each.share}, {each.gap_days}, {each.extra_lines}, "
        f"{each.price[0]}, {each.price[1]}, {each.replenishment_days or 'null'}, "
        f"{[list(season) for season in each.seasons]}::integer[][], {texts(words.PRODUCT_NOUNS[each.code])})"
        for number, each in enumerate(CATEGORIES)
    )
    con.execute(f"""
    create or replace table category (
        category_no bigint, code varchar, rhythm varchar, share double, gap_days bigint, extra_lines bigint,
        price_from bigint, price_to bigint, replenishment_days integer, seasons integer[][], nouns varchar[]
    );
    insert into category values {rows};
    """)
    low, high = rates.PRICE_RISE_PERCENT
    con.execute(f"""
    create or replace table product as
    with numbered as (
        select category.*, category_no * {rates.PRODUCTS_PER_CATEGORY} + range as product_no, range as place
        from category, range({rates.PRODUCTS_PER_CATEGORY})
    ),
    drawn as (
        select
            product_no,
            place,
            category_no,
            code as category,
            'P' || lpad(cast(10001 + product_no * 7 as varchar), 6, '0') as product_id,
            nouns[1 + product_no % len(nouns)] || ' ' || 
                pick({texts(words.PRODUCT_KINDS)}, 'kind of', product_no)
            || ' ' || cast(1 + product_no % 9 as varchar) || '号' as name,
            -- Prices end in .00 or .90, cheap goods are more frequent.
            cast(
                (price_from + (price_to - price_from) * pow(u('price', product_no), 2)) / 1000 as bigint
            ) * 1000 + 900 as base_cents,
            u('margin', product_no) as margin_draw,
            if(
                u('rises', product_no) < {rates.PRICE_RISE_SHARE},
                cast((120 + 500 * u('rise at', product_no)) as bigint) * {DAY_SECONDS}, null
            ) as rise_s,
            {low} + below({high - low + 1}, 'rise', product_no) as rise_percent,
            -- The first goods of a category are always there: there must be something to buy.
            place >= 8 and u('launched', product_no) < {rates.LAUNCHED_LATER_SHARE} as is_later,
            place < 8 or u('discontinued', product_no) >= {rates.DISCONTINUED_SHARE} as is_active,
            if(u('stock', product_no) < {rates.OUT_OF_STOCK_SHARE}, 0, 20 + below(900, 'units', product_no))
                as stock,
            replenishment_days
        from numbered
    )
    select
        * exclude (margin_draw, place),
        cast(base_cents * (0.45 + 0.3 * margin_draw) as bigint) as cost_cents,
        if(is_later, cast(60 + 500 * u('launch day', product_no) as bigint), -400 - place * 5)
            * {DAY_SECONDS}
            as launched_s
    from drawn
    order by product_no
    """)
    low, high = rates.PROMOTION_PERCENT
    con.execute(f"""
    create or replace table promotion as
    with months as (
        select category_no, range as month, category_no * 100 + range as id from category, range(24)
    )
    select
        category_no,
        (month * 30 + below(12, 'promotion day', id)) * {DAY_SECONDS} as from_s,
        (month * 30 + 12 + below(14, 'promotion end', id)) * {DAY_SECONDS} as to_s,
        {low} + below({high - low + 1}, 'promotion', id) as percent
    from months
    where u('promoted', id) < {rates.PROMOTION_MONTH_SHARE}
    union all
    -- 18 June and 11 November, when everybody has an offer.
    select category_no, day * {DAY_SECONDS}, (day + 11) * {DAY_SECONDS}, 20
    from category, unnest([158, 306, 523, 671]) as festival(day)
    order by all
    """)
    con.execute(f"""
    create or replace table price_day as
    with days as (select range as day from range({rates.DAYS})),
    reduced as (
        select category_no, day, max(percent) as percent
        from promotion
        inner join days on day * {DAY_SECONDS} >= from_s and day * {DAY_SECONDS} < to_s
        group by all
    )
    select
        product_no,
        day,
        cast(round(
            base_cents * (100 + if(rise_s <= day * {DAY_SECONDS}, rise_percent, 0)) / 100, 0
        ) as bigint) as list_cents,
        coalesce(percent, 0) as promotion_percent
    from product
    cross join days
    left join reduced using (category_no, day)
    """)
