"""What trying things out is worth: ninety days of a synthetic shop, with and without exploration.

`python benchmarks/evaluate_learning.py [--seeds N] [--days N] [--customers N]` makes the product's own
decisions day by day, twice for each seed: with the order of the policy's steps alone, and with an exploration
share of .1. What a message truly brings is planted: on average as much as a campaign of the demo shop
(`pipelines.demo.rates`), times what the policy assumes of its journey and channel against the others, times
factors of channel, offer and journey that are drawn for each seed, so that the policy is wrong in each shop.
Who is woken buys within ten days; the decisions learn of it as they would of any purchase.

The reward of a message is what it brings on average, by the planted truth: purchases that would not have come
anyway times the customer's margin, less the incentives of all who redeem and the contact. Target: the lower
95 % bound of the gain over the static policy is above 0.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb
import numpy as np
from scipy import stats

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from decision_models import CORE_MODELS, create_history, decide, emit, load_policy  # noqa: E402
from decision_world import answer, create_world, live_until, simulated_days  # noqa: E402
from model_sql import Models  # noqa: E402

from pipelines import control  # noqa: E402
from pipelines.demo.rates import EFFECT_BY_CHANNEL  # noqa: E402
from pipelines.settings import load_profile  # noqa: E402

SEEDS, DAYS, CUSTOMERS = 20, 90, 3_000
EXPLORATION_SHARE = 0.1
START = date(2025, 3, 1)
CHANNEL_SPREAD, OFFER_SPREAD, JOURNEY_SPREAD = 0.7, 0.3, 0.4
"""Standard deviations of the logarithms of the planted factors."""
LARGEST_LIFT = 0.3
MEAN_LIFT = float(np.mean(list(EFFECT_BY_CHANNEL.values())))
"""Of a message, before the factors; .09."""


_SELDOM = ("activation/int_contact_address", "activation/offer_audit")


@dataclass(frozen=True)
class Outcome:
    """What one policy brought in one shop: messages, their true reward, and how many were not as listed."""

    messages: int
    reward: float
    otherwise: int


def plant_truth(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Make `shop.truth`: the lift of each journey, channel and offer."""
    rng = np.random.default_rng(seed)
    listed = {
        name: [row[0] for row in con.execute(f"select {name} from shop.{table} order by 1").fetchall()]
        for name, table in (("channel", "channel"), ("offer_id", "offer"), ("journey", "journey"))
    }
    for name, values in listed.items():
        spread = CHANNEL_SPREAD if name == "channel" else OFFER_SPREAD
        # A mean of one, so that the assumptions are right on average.
        factors = np.exp(rng.normal(-(spread**2) / 2, spread, len(values))) if name != "journey" else 1.0
        con.execute(f"create or replace table shop.{name}_factor ({name} varchar, factor double)")
        con.executemany(
            f"insert into shop.{name}_factor values (?, ?)",
            list(zip(values, np.broadcast_to(factors, len(values)).tolist(), strict=True)),
        )
    cells = [(journey, channel) for journey in listed["journey"] for channel in listed["channel"]]
    own = np.exp(rng.normal(-(JOURNEY_SPREAD**2) / 2, JOURNEY_SPREAD, len(cells)))
    con.execute("create or replace table shop.cell_factor (journey varchar, channel varchar, factor double)")
    con.executemany(
        "insert into shop.cell_factor values (?, ?, ?)",
        [(*cell, factor) for cell, factor in zip(cells, own.tolist(), strict=True)],
    )
    con.execute(
        f"""
        create or replace table shop.truth as
        with assumed as (
            select avg(journeys.prior_lift * channels.lift_factor) as lift
            from shop.journey as journeys cross join shop.channel as channels
        )
        select cells.journey, cells.channel, coalesce(offers.offer_id, 'none') as offer_id,
            least(
                {MEAN_LIFT} * journeys.prior_lift * channels.lift_factor / assumed.lift
                * cells.factor * of_channel.factor * coalesce(offers.factor, 1), {LARGEST_LIFT}
            ) as lift
        from shop.cell_factor as cells
        inner join shop.journey as journeys using (journey)
        inner join shop.channel as channels using (channel)
        inner join shop.channel_factor as of_channel using (channel)
        cross join (from shop.offer_id_factor union all select null, 1.0) as offers
        cross join assumed
        """
    )


def wake(con: duckdb.DuckDBPyConnection, seed: int) -> Outcome:
    """Let the messages of the date have their planted effect, and say what they bring on average."""
    con.execute(
        """
        create or replace temp table sent as
        select decisions.customer_id, decisions.touch_id, decisions.choice, decisions.step,
            cast(decisions.send_after as date) as send_on, chosen.*,
            least(truth.lift, 1 - chosen.base_rate) as true_lift
        from shop.int_recall_decision as decisions
        inner join (
            select customer_id, base_rate, purchase_margin, take_up, incentive, contact_cost
            from shop.int_decision_channel
        ) as chosen using (customer_id)
        inner join shop.truth as truth
            on decisions.journey = truth.journey and decisions.channel = truth.channel
            and coalesce(decisions.offer_id, 'none') = truth.offer_id
        where decisions.decision = 'send'
        """
    )
    con.execute(
        f"""
        create or replace temp table woken as
        select customer_id, send_on + cast(hash(touch_id, 'day') % 10 as integer) as bought_on
        from sent where (hash(touch_id, 'woken', {seed}) % 1000000) / 1e6 < true_lift;
        insert into shop.int_kept_day select customer_id, bought_on, null from woken;
        insert into shop.int_revenue_day select customer_id, bought_on, 100.00, 40.00 from woken;
        """
    )
    row = con.execute(
        """
        select count(*), coalesce(sum(true_lift * purchase_margin
            - take_up * (base_rate + true_lift) * incentive - contact_cost), 0),
            count(*) filter (where choice != 'listed')
        from sent
        """
    ).fetchone()
    return Outcome(int(row[0]), float(row[1]), int(row[2])) if row else Outcome(0, 0.0, 0)


def simulate(seed: int, *, share: float, days: int, customers: int) -> Outcome:
    """Ninety days, or as many, of one shop under one exploration share."""
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set enable_progress_bar = false")
        create_world(con, "shop", customers=customers, start=START, days=days + 30, seed=seed)
        load_policy(con, "shop")
        con.execute("update shop.learning set exploration_share = ?", [share])
        # Something to choose from besides channels: two steps in three have another offer.
        con.execute(
            "update shop.journey_step set other_offers = 'small_coupon' where step = 1 "
            "and offer_id is not null and offer_id != 'small_coupon' and journey not like 'b%'"
        )
        con.execute("update shop.budget set daily_amount = 1000000")
        plant_truth(con, seed)
        create_history(con)
        control.write_profile(con, load_profile("demo"), "policy")
        models = Models("shop")
        outcomes = []
        for number, day in enumerate(simulated_days(START, days)):
            live_until(con, "shop", day)
            # Opt-outs are looked at once a week: they are not what is measured, and cost a third of the time.
            is_weekly = number % 7 == 0
            for model in CORE_MODELS if is_weekly else ("core/touch",):
                models.make(con, model)
            known_until = datetime.combine(day + timedelta(days=1), time(5))
            decide(con, models, day, known_until=known_until, without=() if is_weekly else _SELDOM)
            emit(con, "shop")
            answer(con, "shop", day)
            outcomes.append(wake(con, seed))
    return Outcome(
        sum(each.messages for each in outcomes),
        sum(each.reward for each in outcomes),
        sum(each.otherwise for each in outcomes),
    )


def compare(task: tuple[int, int, int]) -> tuple[int, Outcome, Outcome]:
    """The static policy and the learning one in the shop of a seed."""
    seed, days, customers = task
    return (
        seed,
        simulate(seed, share=0.0, days=days, customers=customers),
        simulate(seed, share=EXPLORATION_SHARE, days=days, customers=customers),
    )


def lower_bound(gains: list[float]) -> float:
    """Lower end of the two-sided 95 % interval of the mean, by Student's t."""
    spread = float(np.std(gains, ddof=1)) / len(gains) ** 0.5
    return float(np.mean(gains)) - float(stats.t.ppf(0.975, len(gains) - 1)) * spread


def main() -> int:
    """Print the table; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    options = parser.parse_args()
    tasks = [(seed, options.days, options.customers) for seed in range(1, options.seeds + 1)]
    print(f"{'seed':>4} {'static':>12} {'learning':>12} {'gain':>8}   messages (not as listed)")
    gains = []
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for seed, static, learning in pool.imap(compare, tasks):
            gains.append(learning.reward / static.reward - 1)
            print(
                f"{seed:>4} {static.reward:>12,.0f} {learning.reward:>12,.0f} {gains[-1]:>8.1%}   "
                f"{static.messages:,} / {learning.messages:,} ({learning.otherwise:,})",
                flush=True,
            )
    if len(gains) < 2:
        return 0
    bound = lower_bound(gains)
    print(f"mean gain {np.mean(gains):.2%}, lower 95 % bound {bound:.2%}: {'met' if bound > 0 else 'MISSED'}")
    return int(bound <= 0)


if __name__ == "__main__":
    sys.exit(main())
