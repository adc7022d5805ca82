"""What people buy: tables `need`, `purchase`, `line` and `return_line`.

Every person has needs, one per category at most, each a renewal process with a personal rate, up to the
person's drop-out. A purchase is one visit for one need; what campaigns wake comes on top
(`pipelines.demo.campaigns`). `purchase_no` is a thousand times the person's number plus the visit's place in
the person's life.
"""

import duckdb

from pipelines.demo import rates
from pipelines.demo.draws import DAY_SECONDS, by_value, texts
from pipelines.demo.products import category_no

# Within a purchase_no: up to 900 visits of one's own, then one for each campaign, twice.
WOKEN_PLACE = 900
_END_S = rates.DAYS * DAY_SECONDS
_OPENING_S = 9 * 3_600
_OPEN_SECONDS = 12 * 3_600


def create_needs(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `need` (person_no, category_no, gap_days, from_s, until_s) from `person` and `sleep`."""
    segment_gap = by_value("segment", rates.SEGMENT_GAP)
    con.execute(f"""
    create or replace table need as
    with offered as (
        select person.*, category.*, person_no * 16 + category_no as need_no
        from person, category
        where kind = 'buyer'
    )
    select
        person_no,
        category_no,
        need_no,
        rhythm,
        extra_lines,
        seasons,
        gap_days * {segment_gap} * exp({rates.GAP_SPREAD} * normal('gap', need_no)) as gap_days,
        greatest(joined_s, 0) as from_s,
        coalesce(dropout_s, {_END_S}) as until_s
    from offered
    left join sleep using (person_no)
    where u('need', need_no) < share
        -- Nobody is without a need.
        or code = pick({texts(rates.DEFAULT_NEEDS)}, 'default need', person_no)
    """)


def create_visits(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `visit` (person_no, category_no, at_s, purchase_no): when people buy by themselves."""
    durable = category_no("appliances")
    con.execute(f"""
    create or replace table visit as
    with candidates as (
        select *, unnest(range(least(
            {rates.MAX_PURCHASES_PER_NEED},
            4 + cast(1.8 * (until_s - from_s) / {DAY_SECONDS} / gap_days as bigint)
        ))) as place
        from need
        where rhythm <> 'seasonal' and until_s > from_s
    ),
    gaps as (
        select *, need_no * 128 + place as visit_no,
            cast({DAY_SECONDS} * case
                -- The first comes within one gap, wherever the process stood when the person came.
                when place = 0 then gap_days * u('first', need_no)
                when rhythm = 'regular' then gamma2(gap_days, 'wait', need_no * 128 + place)
                else waiting(gap_days, 'wait', need_no * 128 + place)
            end as bigint) as gap_s
        from candidates
    ),
    reached as (
        select *, from_s + sum(gap_s) over (
            partition by need_no order by place rows between unbounded preceding and current row
        ) as at_s
        from gaps
    ),
    seasons as (
        select *, unnest(seasons) as season, generate_subscripts(seasons, 1) as season_no
        from need
        where rhythm = 'seasonal'
    ),
    seasonal as (
        select person_no, category_no, extra_lines, from_s, until_s, need_no * 128 + season_no as visit_no,
            cast({DAY_SECONDS} * (season[1] + (season[2] - season[1]) * u('season', visit_no))
                as bigint) as at_s
        from seasons
        where u('in season', need_no * 128 + season_no) < 0.75
    ),
    -- A need that is met: the last thing bought is one that lasts.
    satisfied as (
        select person_no, {durable} as category_no, 1 as extra_lines, greatest(joined_s, 0) as from_s,
            {_END_S} as until_s, person_no * 2048 + 2047 as visit_no, at_s
        from evidence
        inner join person using (person_no)
        where cause = 'need_satisfied'
    ),
    every as (
        select person_no, category_no, extra_lines, visit_no, from_s, until_s, at_s from reached
        union all
        select person_no, category_no, extra_lines, visit_no, from_s, until_s, at_s from seasonal
        union all
        select person_no, category_no, extra_lines, visit_no, from_s, until_s, at_s from satisfied
    ),
    timed as (
        select *,
            cast(at_s // {DAY_SECONDS} * {DAY_SECONDS} + {_OPENING_S}
                + below({_OPEN_SECONDS}, 'hour', visit_no) as bigint) as opening_s
        from every
        where at_s >= from_s and at_s < until_s
    ),
    within as (
        select person_no, category_no, extra_lines, visit_no,
            -- The day's hours, but neither before the person came nor after the person left.
            cast(if(opening_s between from_s and until_s - 1, opening_s, at_s) as bigint) as at_s
        from timed
    )
    select *, person_no * 1000 + row_number() over (partition by person_no order by at_s, visit_no)
        as purchase_no
    from within
    """)


def create_purchases(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `purchase` from `visit` and `woken_visit`: channel, account, order number, coupon, discount,
    delivery.

    A purchase without a customer key (a card left at home) keeps its true person here and in the truth only.
    """
    con.execute("""
    create or replace table buyer_account as
    select
        person_no,
        max(account_key) filter (where slot = 0) as online_1,
        max(opened_s) filter (where slot = 0) as online_1_s,
        max(account_key) filter (where slot = 1) as online_2,
        max(opened_s) filter (where slot = 1) as online_2_s,
        max(account_key) filter (where slot = 2) as store_1,
        max(opened_s) filter (where slot = 2) as store_1_s,
        max(account_key) filter (where slot = 3) as store_2,
        max(opened_s) filter (where slot = 3) as store_2_s
    from account
    where source in ('ecommerce', 'pos')
    group by person_no
    """)
    con.execute(f"""
    create or replace table purchase as
    with visits as (
        select person_no, category_no, extra_lines, at_s, purchase_no, cast(null as integer) as campaign_no,
            cast(null as varchar) as offer_id
        from visit
        union all
        select person_no, category_no, 1, at_s, purchase_no, campaign_no, offer_id from woken_visit
    ),
    channelled as (
        select
            visits.*, buyer_account.* exclude (person_no),
            at_s // {DAY_SECONDS} as day,
            case
                when store_1 is null or store_1_s > at_s then 'ecommerce'
                when online_1 is null or online_1_s > at_s then 'pos'
                -- Everybody has a share of online purchases of their own.
                when u('channel', purchase_no) < 0.15 + 0.7 * u('online share', visits.person_no)
                    then 'ecommerce'
                else 'pos'
            end as channel
        from visits
        inner join buyer_account using (person_no)
    ),
    troubled as (
        select channelled.*,
            price.person_no is not null as is_price_sensitive,
            bad.at_s is not null and channel = 'ecommerce' as is_badly_delivered
        from channelled
        left join (select * from evidence where cause = 'price_competition') as price
            on channelled.person_no = price.person_no and channelled.at_s > price.at_s - {300 * DAY_SECONDS}
        left join (select * from evidence where cause = 'bad_experience') as bad
            on channelled.person_no = bad.person_no and channelled.at_s
            between bad.at_s - {30 * DAY_SECONDS} and bad.at_s + {20 * DAY_SECONDS}
    )
    select
        purchase_no, person_no, category_no, extra_lines, at_s, day, channel, campaign_no,
        case channel
            when 'ecommerce' then if(online_2_s <= at_s and u('which', purchase_no) < 0.5, online_2, online_1)
            else if(store_2_s <= at_s and u('which', purchase_no) < 0.5, store_2, store_1)
        end as account_key,
        channel = 'pos' and u('card', purchase_no) < {rates.CARD_FORGOTTEN_SHARE} as is_card_forgotten,
        if(channel = 'ecommerce', 'W', 'B') || scrambled(purchase_no, 7) as order_id,
        'S' || lpad(cast(1 + below({rates.STORES}, 'store', person_no) as varchar), 2, '0') as store_id,
        case
            when offer_id in ('percent_10', 'amount_30') and u('redeems', purchase_no) < {rates.REDEEM_SHARE}
                then 'RC' || lpad(cast(campaign_no as varchar), 2, '0') || '-' || offer_id
            when u('coupon', purchase_no) < if(
                is_price_sensitive, {rates.COUPON_SHARE_PRICE_EVIDENCE}, {rates.COUPON_SHARE}
            ) then 'SAVE{rates.COUPON_PERCENT}'
        end as coupon,
        -- The effect of a campaign is one of purchases that stand.
        channel = 'ecommerce' and campaign_no is null
            and u('cancelled', purchase_no) < {rates.CANCELLED_SHARE} as is_cancelled,
        if(
            channel = 'ecommerce' and u('order discount', purchase_no) < {rates.ORDER_DISCOUNT_SHARE},
            {rates.ORDER_DISCOUNT_CENTS}, 0
        ) as order_discount_cents,
        pick(['web', 'app', 'app', 'mini_program'], 'shop channel', purchase_no) as shop_channel,
        at_s + {3 * DAY_SECONDS} as promised_s,
        at_s + cast({DAY_SECONDS} * case
            when is_badly_delivered then 3 + {rates.LATE_DELIVERY_EVIDENCE_DAYS} * u('late', purchase_no)
            when u('is late', purchase_no) < {rates.LATE_DELIVERY_SHARE} then 3 + 3 * u('late', purchase_no)
            else 1 + 1.9 * u('delivery', purchase_no)
        end as bigint) as delivered_s
    from troubled
    order by purchase_no
    """)


def create_lines(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `line` (goods bought, money in cents) and `return_line` (goods that came back)."""
    size = rates.PRODUCTS_PER_CATEGORY
    con.execute(f"""
    create or replace table line as
    with numbered as (
        select purchase_no, person_no, category_no, channel, day, at_s, coupon, is_cancelled,
            unnest(range(1 + below(extra_lines + 1, 'lines', purchase_no))) as place
        from purchase
    ),
    drawn as (
        select *, purchase_no * 8 + place as line_id from numbered
    ),
    chosen as (
        select *,
            category_no * {size} + if(
                u('favourite', line_id) < {rates.FAVOURITE_SHARE},
                -- A few goods that are always to be had, one's own favourites.
                below(8, 'favourite', (person_no * 16 + category_no) * 8
                    + below({rates.FAVOURITES}, 'which favourite', line_id)),
                cast(floor({size} * pow(u('product', line_id), 1.6)) as bigint)
            ) as wanted_no
        from drawn
    ),
    available as (
        select chosen.*,
            -- What is not yet sold gives way to the category's first product.
            if(product.launched_s > chosen.at_s, category_no * {size}, wanted_no) as product_no
        from chosen
        inner join (select product_no, launched_s from product) as product on product.product_no = wanted_no
    ),
    priced as (
        select available.*, list_cents,
            1 + cast(u('more', line_id) < 0.25 as bigint) + cast(u('more', line_id) < 0.06 as bigint)
                as units,
            promotion_percent + if(coupon is null, 0, {rates.COUPON_PERCENT}) as percent
        from available
        inner join price_day using (product_no, day)
    )
    select
        line_id, purchase_no, person_no, product_no, place + 1 as line_no, units, list_cents,
        channel, at_s, is_cancelled,
        cast(round(list_cents * units * percent / 100, 0) as bigint) as discount_cents,
        list_cents * units - cast(round(list_cents * units * percent / 100, 0) as bigint) as amount_cents
    from priced
    order by line_id
    """)
    con.execute(f"""
    create or replace table return_line as
    with bad as (
        select person_no, at_s as bad_s from evidence where cause = 'bad_experience'
    ),
    candidates as (
        select line.*,
            cast(line.at_s + {DAY_SECONDS} * (3 + 12 * u('return at', line_id)) as bigint) as returned_s,
            bad_s is not null and bad_s between line.at_s and line.at_s + {25 * DAY_SECONDS} as is_bad
        from line
        left join bad using (person_no)
        where not is_cancelled
    )
    select
        line_id, purchase_no, product_no, units, list_cents, amount_cents, channel, returned_s,
        u('states order', line_id) < {rates.RETURN_STATES_ORDER_SHARE} as states_order,
        if(channel = 'ecommerce', 'R', 'Q') || scrambled(purchase_no, 8) || cast(line_no as varchar)
            as return_id
    from candidates
    where u('returned', line_id) < if(is_bad, 0.35, {rates.RETURN_SHARE}) and returned_s < {_END_S}
    order by line_id
    """)
