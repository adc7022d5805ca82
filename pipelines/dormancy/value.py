"""What one more purchase of a customer is worth: the customer's own mean, shrunk towards the category's.

Bühlmann's credibility estimate (Bühlmann 1967, ASTIN Bulletin 4:199): (w · mean + own total) / (w + own
days), where the weight w is the variance within customers over the variance between them. The Gamma–Gamma
model of Fader & Hardie has the same form with another w, and needs positive amounts; margins can be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pipelines.dormancy.main_category import MAIN_CATEGORY
from pipelines.dormancy.tuned_x import POOLED

if TYPE_CHECKING:
    import duckdb

MAX_WEIGHT = 1_000.0
"""Purchase-days that the prior counts for when customers do not differ at all."""


@dataclass(frozen=True)
class ValuePrior:
    """Margin of a purchase-day in the shop's currency, and how many own purchase-days weigh as much."""

    mean: float
    weight: float


_SQL = f"""
with {MAIN_CATEGORY},
booked as (
    -- Whole cents, so that no sum depends on the order of the rows.
    select
        days.customer_id,
        cast(round(100 * coalesce(revenue.margin_amount, 0)) as hugeint) as cents
    from (select distinct customer_id, purchased_on from kept) as days
    left join core.int_revenue_day as revenue
        on days.customer_id = revenue.customer_id and days.purchased_on = revenue.booked_on
),
customer as (
    select customer_id, count(*) as days, sum(cents) as cents, sum(cents * cents) as squares
    from booked
    group by customer_id
),
member as (
    select category, customer.* from customer inner join main_category using (customer_id)
    union all
    select $pooled as category, customer.* from customer
),
parts as (
    select
        category,
        count(*) as customers,
        sum(days) as days,
        sum(days * days) as squared_days,
        sum(cents) as cents,
        sum(squares) as squares,
        -- Sum of days times squared mean, per customer to a whole number.
        sum(cast(round(1.0 * cents * cents / days) as hugeint)) as mean_squares
    from member
    group by category
),
variances as (
    select
        *,
        (squares - mean_squares)::double / nullif(days - customers, 0) as within_variance,
        days - squared_days / days as spread,
        mean_squares - (cents::double / days) * cents as between_squares
    from parts
)
select
    category,
    cents / days / 100 as mean,
    within_variance / 10000 as within_variance,
    -- Bühlmann–Straub: what the means differ by, less what chance makes them differ by.
    (between_squares - (customers - 1) * within_variance) / nullif(spread, 0) / 10000 as between_variance
from variances
where category = $pooled or customers >= $min_customers
order by category
"""


def fit_value_priors(
    con: duckdb.DuckDBPyConnection, fitted_on: date, *, min_customers: int
) -> dict[str, ValuePrior]:
    """Estimate the prior per category; `all` is always there.

    Args:
        con: open on the warehouse, with `core.int_kept_category_day` and `core.int_revenue_day`.
        fitted_on: last day the fit knows.
        min_customers: categories with fewer customers are pooled.
    """
    rows = con.execute(
        _SQL, {"known_until": fitted_on, "pooled": POOLED, "min_customers": min_customers}
    ).fetchall()
    priors = {POOLED: ValuePrior(0.0, MAX_WEIGHT)}
    for category, mean, within, between in rows:
        priors[category] = ValuePrior(float(mean), _weight(within, between))
    return priors


def _weight(within: float | None, between: float | None) -> float:
    if within is None:
        return 1.0  # Nobody bought twice: own and others' day count alike.
    if between is None or between <= 0:
        return MAX_WEIGHT
    return min(within / between, MAX_WEIGHT)
