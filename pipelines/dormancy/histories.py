"""What is known of each customer at a past date, and what the customer did next."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING

from pipelines.dormancy.main_category import MAIN_CATEGORY
from pipelines.dormancy.tuned_x import POOLED

if TYPE_CHECKING:
    import duckdb
    import numpy as np

SAMPLE_CUSTOMERS = 5_000
"""Customers of a category that a fit looks at: more moved P by less than .001 (DESIGN, section 8)."""

_SQL = f"""
with {MAIN_CATEGORY},
days as (
    select
        customer_id,
        purchased_on,
        purchased_on - lag(purchased_on) over (partition by customer_id order by purchased_on) as gap_days
    from (select distinct customer_id, purchased_on from kept)
),
life as (
    select
        customer_id,
        count(*) - 1 as repeats,
        max(purchased_on) - min(purchased_on) as age_at_last,
        $known_until - min(purchased_on) as age,
        -- In whole billionths: a sum of floats depends on the order of the rows in its last bits.
        coalesce(sum(cast(round(1e9 * ln(gap_days)) as bigint)), 0) / 1e9 as sum_log_gaps
    from days
    group by customer_id
),
member as (
    select
        life.*,
        coalesce(main_category.category, $pooled) as category,
        count(*) over (partition by main_category.category) as category_customers,
        row_number() over (partition by main_category.category order by md5(customer_id)) as category_rank,
        row_number() over (order by md5(customer_id)) as pooled_rank
    from life
    left join main_category using (customer_id)
),
gap as (
    select category, median(gap_days) as median_gap_days
    from days
    inner join member using (customer_id)
    where gap_days is not null
    group by category
),
pooled_gap as (
    select coalesce(median(gap_days), $default_gap_days) as median_gap_days from days
),
-- Of what came later only whether and when the customer bought next.
later as (
    select customer_id, min(purchased_on) as next_on
    from core.int_kept_category_day
    where purchased_on > $known_until and purchased_on <= $judged_until
        and (emptied_on is null or emptied_on > $judged_until)
    group by customer_id
),
sampled as (
    select
        member.*,
        least(greatest(
            ceil(2 * (2 * coalesce(gap.median_gap_days, pooled_gap.median_gap_days) + age_at_last)
                / (2 + repeats)),
            $min_horizon_days), $max_horizon_days) as own_horizon_days,
        later.next_on - $known_until as next_after_days
    from member
    left join gap using (category)
    cross join pooled_gap
    left join later using (customer_id)
    where category_rank <= $sample or pooled_rank <= $sample
)
select
    category,
    cast(category_customers as double) as category_customers,
    pooled_rank <= $sample as is_pooled,
    cast(repeats as double) as repeats,
    cast(age_at_last as double) as age_at_last,
    cast(age as double) as age,
    cast(sum_log_gaps as double) as sum_log_gaps,
    cast(own_horizon_days as double) as own_horizon_days,
    cast(coalesce(next_after_days, 'infinity'::double) as double) as next_after_days
from sampled
order by pooled_rank
"""


@dataclass(frozen=True)
class Histories:
    """One element per customer; durations are in days, whole numbers as floats.

    Attributes:
        category: the category with most purchase-days; `all` for who has none.
        category_customers: customers of that category, those outside the sample included.
        is_pooled: belongs to the sample of all customers.
        repeats: purchase-days after the first.
        age_at_last: from the first purchase to the last.
        age: from the first purchase to the cut-off.
        sum_log_gaps: sum of the logarithms of the gaps.
        own_horizon_days: twice the customer's own gap within the bounds; the same for all methods.
        next_after_days: from the cut-off to the next purchase; infinite where none is known.
    """

    category: np.ndarray
    category_customers: np.ndarray
    is_pooled: np.ndarray
    repeats: np.ndarray
    age_at_last: np.ndarray
    age: np.ndarray
    sum_log_gaps: np.ndarray
    own_horizon_days: np.ndarray
    next_after_days: np.ndarray

    def __len__(self) -> int:
        return len(self.repeats)

    @property
    def silent_days(self) -> np.ndarray:
        """Days since the last purchase."""
        import numpy as np  # noqa: PLC0415

        return np.asarray(self.age - self.age_at_last)

    def of(self, category: str) -> Histories:
        """Those of a category; of `all`, the sample of all customers."""
        return self.where(self.is_pooled if category == POOLED else self.category == category)

    def where(self, chosen: np.ndarray) -> Histories:
        """Those for whom `chosen` is true."""
        return Histories(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True)
class Bounds:
    """Bounds of a horizon, and the gap that stands in where nobody bought twice; in days."""

    min_horizon_days: int
    max_horizon_days: int
    default_gap_days: int


def read_histories(
    con: duckdb.DuckDBPyConnection,
    cutoff: date,
    known_until: date,
    bounds: Bounds,
    *,
    sample: int = SAMPLE_CUSTOMERS,
) -> Histories:
    """Read customers as they stood at the end of `cutoff`, from `core.int_kept_category_day`.

    Args:
        con: open on the warehouse.
        cutoff: last day that is known of each customer.
        known_until: last day on which a next purchase is looked for.
        bounds: of the own horizon.
        sample: customers per category, and of all, drawn by the hash of their id.
    """
    import numpy as np  # noqa: PLC0415

    found = con.execute(
        _SQL,
        {
            "known_until": cutoff,
            "judged_until": known_until,
            "pooled": POOLED,
            "min_horizon_days": bounds.min_horizon_days,
            "max_horizon_days": bounds.max_horizon_days,
            "default_gap_days": bounds.default_gap_days,
            "sample": sample,
        },
    ).fetchnumpy()
    # DuckDB gives masked arrays; no column here has empty values.
    return Histories(**{field.name: np.asarray(found[field.name]) for field in fields(Histories)})
