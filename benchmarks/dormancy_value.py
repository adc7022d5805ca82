"""What a purchase-day, and a customer over a horizon, is foretold to be worth, and what it was worth.

Candidates for the margin of a customer's next purchase-day: the customer's own mean (all margin booked until
the cut-off over kept purchase-days), the category's mean, Bühlmann's estimate between both
(`pipelines/dormancy/value.py`), and the Gamma–Gamma model (Fader & Hardie 2013, "The Gamma-Gamma Model of
Monetary Value", equations 1a and 5), for which own means must be positive: customers without one are not
fitted, and foretold at the mean of all.

Over the horizon H, the margin of a purchase-day is multiplied by one of: the probability of a purchase;
P(alive) · H ÷ gap with the gap at the last purchase, k (α + t_x) ÷ (r + kx); the same with the gap by now,
k (α + T) ÷ (r + kx).
"""

from dataclasses import dataclass
from datetime import timedelta

import duckdb
import numpy as np
from dormancy_holdout import HeldOut, model_of, p_alive
from scipy.special import digamma, gammaln

from pipelines.dormancy.fitting import maximise
from pipelines.dormancy.tuned_x import POOLED

PUBLISHED_GAMMA_GAMMA = {"p": 6.25, "q": 3.74, "v": 15.45}
"""On the 946 repeat customers of the CDNOW sample, by the quick start of the package lifetimes."""


@dataclass(frozen=True)
class GammaGamma:
    """Margins of a customer are Gamma(p, ν), the ν of customers Gamma(q, v)."""

    p: float
    q: float
    v: float

    def expected(self, days: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Margin of another purchase-day of customers with such days and such a mean."""
        return np.asarray((self.v + days * mean) * self.p / (self.p * days + self.q - 1))


@dataclass(frozen=True)
class Foretold:
    """Foretold amounts against what happened: mean absolute error, and the ratio of the totals."""

    mean_absolute_error: float
    total_ratio: float


@dataclass(frozen=True)
class Worth:
    """How a data set's amounts were foretold.

    Attributes:
        returners: customers with a purchase-day in the window.
        next_day: by candidate, the margin of the returners' next purchase-day.
        horizon: by form, everybody's margin over the whole window.
    """

    returners: int
    next_day: dict[str, Foretold]
    horizon: dict[str, Foretold]


def fit_gamma_gamma(days: np.ndarray, mean: np.ndarray) -> GammaGamma:
    """Fit to customers' numbers of purchase-days and positive mean margins."""
    log_mean, log_days = np.log(mean), np.log(days)

    def objective(log_values: np.ndarray) -> tuple[float, np.ndarray]:
        p, q, v = np.exp(log_values)
        both = p * days + q
        log_scale = np.log(days * mean + v)
        log_likelihood = (
            gammaln(both)
            - gammaln(p * days)
            - gammaln(q)
            + q * np.log(v)
            + (p * days - 1) * log_mean
            + p * days * log_days
            - both * log_scale
        )
        by_p = days * (digamma(both) - digamma(p * days) + log_mean + log_days - log_scale)
        by_q = digamma(both) - digamma(q) + np.log(v) - log_scale
        by_v = q / v - both / (days * mean + v)
        gradient = np.array([p * by_p.mean(), q * by_q.mean(), v * by_v.mean()])
        return -float(log_likelihood.mean()), -gradient

    starts = [(1.0, 2.0, float(mean.mean())), (5.0, 4.0, float(np.median(mean)))]
    return GammaGamma(*maximise(objective, starts, ("p", "q", "v"), decided=("p",)).values)


_SQL = """
with kept as (
    select distinct customer_id, purchased_on, emptied_on
    from (
        select
            customer_id, purchased_on,
            case when count(*) = count(emptied_on) then max(emptied_on) end as emptied_on
        from core.int_kept_category_day
        group by customer_id, purchased_on
    )
),
past as (
    select customer_id, count(*) as days
    from kept
    where purchased_on <= $cutoff and (emptied_on is null or emptied_on > $cutoff)
    group by customer_id
),
life as (
    select customer_id, sum(margin_amount) as margin
    from core.int_revenue_day
    where booked_on <= $cutoff
    group by customer_id
),
next_day as (
    select customer_id, min(purchased_on) as next_on
    from kept
    where purchased_on > $cutoff and purchased_on <= $until
        and (emptied_on is null or emptied_on > $until)
    group by customer_id
),
window_total as (
    select customer_id, sum(margin_amount) as margin
    from core.int_revenue_day
    where booked_on > $cutoff and booked_on <= $until
    group by customer_id
)
select
    cast(past.days as double) as days,
    cast(life.margin as double) as margin,
    next_day.next_on is not null as came_back,
    cast(coalesce(revenue.margin_amount, 0) as double) as next_margin,
    cast(coalesce(window_total.margin, 0) as double) as window_margin
from past
inner join life using (customer_id)
left join next_day using (customer_id)
left join core.int_revenue_day as revenue
    on next_day.customer_id = revenue.customer_id and next_day.next_on = revenue.booked_on
left join window_total on past.customer_id = window_total.customer_id
order by md5(past.customer_id)
"""
"""Customers in the order of `read_histories`."""


def judge_worth(con: duckdb.DuckDBPyConnection, held_out: HeldOut) -> Worth:
    """Foretell the amounts of the shop in `core`, of one category, and compare them with the window's."""
    until = held_out.cutoff + timedelta(days=held_out.horizon_days)
    found = con.execute(_SQL, {"cutoff": held_out.cutoff, "until": until}).fetchnumpy()
    known = {name: np.asarray(values) for name, values in found.items()}
    days, margin, came_back = known["days"], known["margin"], known["came_back"]
    histories = held_out.histories
    assert np.array_equal(days, histories.repeats + 1), "the customers of the histories, in their order"
    own_mean = margin / days
    positive = own_mean > 0
    gamma_gamma = fit_gamma_gamma(days[positive], own_mean[positive])
    prior = next(fit.prior for fit in held_out.fit.fits if fit.model_category == POOLED)
    credibility = (prior.weight * prior.mean + margin) / (prior.weight + days)
    candidates = {
        "own mean": own_mean,
        "category mean": np.full(len(days), prior.mean),
        "Bühlmann": credibility,
        "Gamma–Gamma": np.where(positive, gamma_gamma.expected(days, own_mean), prior.mean),
    }
    model = model_of(held_out.fit, POOLED)
    alive = p_alive(held_out.fit, histories)
    horizon_days = held_out.horizon_days
    gap_days = model.expected_gap_days(histories.repeats, histories.age_at_last)
    # Of who is alive, the silence until now tells as much as the gaps before.
    gap_by_now_days = model.expected_gap_days(histories.repeats, histories.age)
    purchases = {
        "P(active)": held_out.p_active,
        "P(alive) · H ÷ gap": alive * horizon_days / gap_days,
        "P(alive) · H ÷ gap by now": alive * horizon_days / gap_by_now_days,
    }
    return Worth(
        returners=int(came_back.sum()),
        next_day={
            name: _compare(amount[came_back], known["next_margin"][came_back])
            for name, amount in candidates.items()
        },
        horizon={
            f"{form}, {name}": _compare(days_bought * np.maximum(candidates[name], 0), known["window_margin"])
            for form, days_bought in purchases.items()
            for name in ("Bühlmann", "Gamma–Gamma")
        },
    )


def _compare(foretold: np.ndarray, happened: np.ndarray) -> Foretold:
    return Foretold(float(np.abs(foretold - happened).mean()), float(foretold.sum() / happened.sum()))
