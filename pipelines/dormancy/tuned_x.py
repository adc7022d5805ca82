"""The best "X days" rule per category: the baseline that a model of dormancy has to beat.

A customer counts as asleep after X days of silence. X is tuned on the past: at four cut-offs, one to four
horizons before the fit date, the X that separates best those who stayed away for the next horizon from those
who came back, by Youden's J (true-positive rate less false-positive rate; Youden 1950, Cancer 3:32).
Categories with too few customers, or whose customers all did the same, get no fit of their own and use the
pooled one, `all`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipelines.dormancy.main_category import MAIN_CATEGORY

if TYPE_CHECKING:
    import duckdb

METHOD = "tuned_x"
POOLED = "all"

_FIT_SQL = f"""
with {MAIN_CATEGORY},
days as (
    select distinct customer_id, purchased_on from kept
),
member as (
    select customer_id, category as model_category from main_category where category <> $pooled
    union all
    select distinct customer_id, $pooled from days
),
gaps as (
    select
        customer_id,
        purchased_on - lag(purchased_on) over (partition by customer_id order by purchased_on) as gap_days
    from days
),
category as (
    select
        member.model_category,
        count(distinct member.customer_id) as customers,
        median(gaps.gap_days) as median_gap_days
    from member
    left join gaps on member.customer_id = gaps.customer_id and gaps.gap_days is not null
    group by member.model_category
),
horizon as (
    select
        *,
        cast(least(greatest(ceil(2 * coalesce(median_gap_days, $default_gap_days)), $min_horizon_days),
            $max_horizon_days) as integer) as horizon_days
    from category
    where model_category = $pooled or customers >= $min_customers
),
cutoff as (
    -- One horizon back, two, three, four: a single past date would let X jump from week to week.
    select model_category, horizon_days, cast($known_until as date) - step * horizon_days as cutoff
    from horizon
    cross join (select unnest([1, 2, 3, 4]) as step)
),
labelled as (
    select
        cutoff.model_category,
        member.customer_id,
        cutoff.cutoff
            - max(days.purchased_on) filter (where days.purchased_on <= cutoff.cutoff) as silent_days,
        count(*) filter (where days.purchased_on > cutoff.cutoff) = 0 as stayed_away
    from cutoff
    inner join member on cutoff.model_category = member.model_category
    inner join days
        on member.customer_id = days.customer_id
        and days.purchased_on <= cutoff.cutoff + cutoff.horizon_days
    group by cutoff.model_category, cutoff.cutoff, member.customer_id
    having silent_days is not null
),
counted as (
    select
        model_category,
        silent_days,
        count(*) filter (where stayed_away) as sleepers,
        count(*) filter (where not stayed_away) as returners
    from labelled
    where silent_days > 0
    group by model_category, silent_days
),
totals as (
    select
        model_category,
        count(*) filter (where stayed_away) as all_sleepers,
        count(*) filter (where not stayed_away) as all_returners
    from labelled
    group by model_category
),
judged as (
    -- Everybody silent for X days or longer is flagged. J times both totals, so that equals are equal:
    -- shares would differ in their last bit.
    select
        model_category,
        silent_days,
        sum(sleepers) over longer * all_returners - sum(returners) over longer * all_sleepers as scaled_j
    from counted
    inner join totals using (model_category)
    where all_sleepers > 0 and all_returners > 0
    window longer as (
        partition by model_category order by silent_days desc
        rows between unbounded preceding and current row
    )
),
best as (
    -- Of equally good values the smallest: the sleeper is seen earlier.
    select model_category, arg_min(silent_days, (-scaled_j, silent_days)) as tuned_x_days
    from judged
    group by model_category
)
select
    horizon.model_category,
    horizon.customers,
    horizon.median_gap_days,
    horizon.horizon_days,
    best.tuned_x_days
from horizon
left join best using (model_category)
order by horizon.model_category
"""


@dataclass(frozen=True)
class TunedX:
    """One category's rule. Durations are in days."""

    model_version: str
    model_category: str
    fitted_on: date
    customers: int
    median_gap_days: float
    horizon_days: int
    tuned_x_days: int
    converged: bool


def fit_date(as_of_date: date) -> date:
    """The date whose fit judges `as_of_date`: the last Sunday not after it, as the fit is weekly.

    >>> fit_date(date(2011, 12, 9))
    datetime.date(2011, 12, 4)
    """
    return as_of_date - timedelta(days=as_of_date.isoweekday() % 7)


def fit_tuned_x(
    connection: duckdb.DuckDBPyConnection,
    fitted_on: date,
    *,
    min_category_customers: int,
    min_horizon_days: int,
    max_horizon_days: int,
    fallback_x_days: int,
) -> list[TunedX]:
    """Tune X per category on all purchase-days until `fitted_on`, from `core.int_kept_category_day`.

    The pooled category `all` is always among the results. Where the past cannot decide (no customers before
    the cut-off, or all of them did the same), `converged` is false: a category is then left to the pooled
    rule, and the pooled rule falls back to `fallback_x_days`.

    Args:
        connection: open on the warehouse.
        fitted_on: last day the fit knows.
        min_category_customers: categories with fewer customers are pooled.
        min_horizon_days: lower bound of the horizon, which is twice the category's median gap.
        max_horizon_days: upper bound of the horizon.
        fallback_x_days: X, and the gap, where no purchase history can tell.
    """
    rows = connection.execute(
        _FIT_SQL,
        {
            "known_until": fitted_on,
            "pooled": POOLED,
            "min_customers": min_category_customers,
            "min_horizon_days": min_horizon_days,
            "max_horizon_days": max_horizon_days,
            "default_gap_days": fallback_x_days,
        },
    ).fetchall()
    fits = [row for row in rows if row[0] == POOLED or row[4] is not None]
    if not any(row[0] == POOLED for row in fits):
        fits.append((POOLED, 0, None, max_horizon_days, None))
    pooled_gap = next(row[2] for row in fits if row[0] == POOLED)
    default_gap = float(pooled_gap) if pooled_gap is not None else float(fallback_x_days)
    version = _version(fitted_on, fits)
    return [
        TunedX(
            model_version=version,
            model_category=category,
            fitted_on=fitted_on,
            customers=customers,
            median_gap_days=default_gap if gap is None else float(gap),
            horizon_days=horizon,
            tuned_x_days=fallback_x_days if x is None else int(x),
            converged=x is not None,
        )
        for category, customers, gap, horizon, x in fits
    ]


def _version(fitted_on: date, fits: list[tuple[object, ...]]) -> str:
    digest = hashlib.sha256(repr((METHOD, fits)).encode()).hexdigest()[:8]
    return f"{fitted_on.isoformat()}-{digest}"
