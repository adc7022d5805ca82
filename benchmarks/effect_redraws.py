"""Whether effects are judged as promised: `python benchmarks/effect_redraws.py`.

Outcomes of recalls are drawn again and again with a known truth and judged by
`pipelines.measurement.measure`, each redraw a campaign. Sections, each with its targets: how often
intervals contain the true lift (`coverage`); campaigns without effect, and with one that should just be
seen (`campaigns`); 30 segments without effect (`segments`); 30 daily looks (`looks`); splits that went
wrong (`split`). `limits` has no target: it tells how far the intervals of margins hold where what they
assume does not. Prints tables, each target with "met" or "MISSED", and a line of JSON; ends with 1 if a
target is missed.

A person buys with the arm's probability. The margin of who buys is lognormal with mean 30 and a standard
deviation of its logarithm of .9: as unequal as what CDNOW's customers spent in the 30 days that followed 60
days of silence (E(x²)/E(x)² is 2.25 here and 2.20 there). Who does not buy leaves nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import t

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from pipelines.measurement import MeasurementSettings, measure  # noqa: E402
from pipelines.measurement.cells import ARMS as ARMS_SCHEMA  # noqa: E402
from pipelines.measurement.power import minimum_detectable_lift  # noqa: E402

REDRAWS = 2_000
SEED = 20_260_301
MATURED_ON = date(2026, 3, 31)
KINDS = {"conversion": "share", "net_margin": "mean"}
SETTINGS = MeasurementSettings()
Z = 1.959964

MEAN_MARGIN, SPREAD = 30.0, 0.9
DISPERSION = {"conversion": 1.0, "net_margin": MEAN_MARGIN * float(np.exp(SPREAD**2))}
UNIT = {"conversion": 1.0, "net_margin": MEAN_MARGIN}

ARMS = ((1_000, 1_000), (10_000, 10_000), (1_800, 200), (9_000, 1_000), (18_000, 2_000))
BASES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.3)
LIFTS = (0.0, 0.01, 0.02, 0.05)
FEWEST_EXPECTED = 5
FINER = 5
"""So many times the redraws where the highest and lowest of many cells count: 2,000 leave ± 1 point, and the
bounds of coverage are hardly wider."""
SEGMENTS, LOOKS = 30, 30
TENTH_HELD_OUT = ((1_800, 200), (18_000, 2_000))
OFFERS = {
    "a tenth off": (0.9, 0.0),
    "three tenths off": (0.7, 0.0),
    "8 off": (1.0, 8.0),
    "28 off": (1.0, 28.0),
}

COVERAGE = (0.935, 0.97)
MOST_FALSE = 0.035
MOST_FALSE_OF_SEGMENTS = 0.06
MOST_FALSE_OF_LOOKS = 0.05
POWER = (0.75, 0.85)
MOST_FALSE_SPLITS, FEWEST_FOUND_SPLITS = 0.0012, 0.98


@dataclass(frozen=True)
class Outcomes:
    """What the people of one arm did: arrays with one row per redraw and, maybe, one column per segment or
    day."""

    people: np.ndarray
    orders: np.ndarray
    margin: np.ndarray
    squares: np.ndarray

    def all(self) -> tuple[np.ndarray, ...]:
        """The arrays in their order."""
        return self.people, self.orders, self.margin, self.squares

    def with_everybody(self) -> Outcomes:
        """With a last column that is the sum of the others."""
        return Outcomes(*(np.column_stack([each, each.sum(axis=1)]) for each in self.all()))

    def until(self, day: int) -> Outcomes:
        """The sum of the first days."""
        return Outcomes(*(each[:, :day].sum(axis=1) for each in self.all()))

    def sums(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Sum and sum of squares of the metric."""
        return (self.orders, self.orders) if metric == "conversion" else (self.margin, self.squares)


def draw(
    rng: np.random.Generator,
    people: int,
    share: float,
    shape: tuple[int, ...],
    *,
    offer: tuple[float, float] = (1.0, 0.0),
    spread: float = SPREAD,
) -> Outcomes:
    """Draw arms of which a share buys; the offer leaves factor · margin − cost of each order."""
    orders = rng.binomial(people, share, shape)
    owner = np.repeat(np.arange(orders.size), orders.ravel())
    margin = MEAN_MARGIN * np.exp(spread * rng.standard_normal(owner.size) - spread**2 / 2)
    left = offer[0] * margin - offer[1]
    sums = (np.bincount(owner, left**power, orders.size).reshape(shape) for power in (1, 2))
    return Outcomes(np.full(shape, people), orders, *sums)


def cells(
    treated: Outcomes, holdout: Outcomes, *, looks: str = "once", is_matured: bool = True
) -> pl.DataFrame:
    """The cells of the redraws; of several columns the last is everybody, the others are segments."""
    redraws, columns = treated.people.reshape(len(treated.people), -1).shape
    segments = [*(f"tier_{number}" for number in range(columns - 1)), "all"]
    parts = []
    for metric, kind in KINDS.items():
        sums = {
            f"{name}_{power}": values.ravel().astype(float)
            for name, arm in (("treated", treated), ("holdout", holdout))
            for power, values in zip(("sum", "squares"), arm.sums(metric), strict=True)
        }
        parts.append(
            pl.DataFrame(
                {
                    "campaign_id": np.repeat([f"{redraw:06}" for redraw in range(redraws)], columns),
                    "segment": np.tile(segments, redraws),
                    "treated": treated.people.ravel(),
                    "holdout": holdout.people.ravel(),
                    **sums,
                }
            ).with_columns(metric=pl.lit(metric), kind=pl.lit(kind))
        )
    return pl.concat(parts).with_columns(
        arm=pl.lit("treated"),
        control_arm=pl.lit("holdout"),
        segment_dim=pl.when(segment="all").then(pl.lit("all")).otherwise(pl.lit("value_tier")),
        variant=pl.lit(""),
        looks=pl.lit(looks),
        window_days=30,
        matured_on=pl.lit(MATURED_ON),
        is_matured=pl.lit(is_matured),
        contact_cost=0.0,
        incentive_cost=0.0,
    )


def judge(treated: Outcomes, holdout: Outcomes, **how: str | bool) -> pl.DataFrame:
    """The verdicts on the redraws, whose split is not tested."""
    return measure(cells(treated, holdout, **how), pl.DataFrame(schema=ARMS_SCHEMA), SETTINGS)


def share_of_campaigns(result: pl.DataFrame, metric: str, *verdicts: str) -> float:
    """The part of the campaigns that have one of the verdicts on the metric, in any of their rows."""
    has = pl.col("verdict").is_in(verdicts).any()
    return result.filter(metric=metric).group_by("campaign_id").agg(has)["verdict"].mean()


@dataclass
class Report:
    """What was measured, and which targets were missed."""

    figures: dict[str, float] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def note(self, name: str, value: float, target: str = "") -> None:
        """Print and keep one figure."""
        print(f"  {name}: {value:.2%}{target}", flush=True)
        self.figures[name] = round(value, 5)

    def at_most(self, name: str, value: float, highest: float) -> None:
        """One figure and the most it may be."""
        self._judged(name, value, value <= highest, f"at most {highest:.2%}")

    def between(self, name: str, value: float, bounds: tuple[float, float]) -> None:
        """One figure and the bounds it must be in."""
        self._judged(name, value, bounds[0] <= value <= bounds[1], f"{bounds[0]:.2%} to {bounds[1]:.2%}")

    def at_least(self, name: str, value: float, lowest: float) -> None:
        """One figure and the least it must be."""
        self._judged(name, value, value >= lowest, f"at least {lowest:.2%}")

    def _judged(self, name: str, value: float, is_met: bool, target: str) -> None:
        self.note(name, value, f" ({target}) {'met' if is_met else 'MISSED'}")
        if not is_met:
            self.missed.append(name)


def coverage(report: Report, rng: np.random.Generator, redraws: int) -> None:
    """How often 95 % intervals contain the true lift, in each cell with five expected conversions per arm."""
    print("Coverage of 95 % intervals (in brackets how often all of it is above, and below the true lift)")
    print(f"{'treated':>8}{'holdout':>8}{'base':>7}{'lift':>7}", end="")
    print("".join(f"{title:>22}" for title in ("conversion", "net margin", "by Welch")))
    covered: dict[str, list[float]] = {metric: [] for metric in KINDS}
    for people, base in sizes():
        for lift in LIFTS:
            treated, holdout = (
                draw(rng, each, share, (FINER * redraws,))
                for each, share in zip(people, (base + lift, base), strict=True)
            )
            result = judge(treated, holdout)
            misses = [interval_misses(result, metric, lift * unit) for metric, unit in UNIT.items()]
            for metric, (above, below) in zip(KINDS, misses, strict=True):
                covered[metric].append(1 - above - below)
            misses.append(welch_misses(treated, holdout, lift * MEAN_MARGIN))
            told = (f"{1 - above - below:>8.1%} ({above:>5.1%},{below:>5.1%})" for above, below in misses)
            print(f"{people[0]:>8}{people[1]:>8}{base:>7.1%}{lift:>7.1%}{''.join(told)}", flush=True)
    for metric, values in covered.items():
        report.between(f"coverage, {metric}, lowest of {len(values)} cells", min(values), COVERAGE)
        report.between(f"coverage, {metric}, highest of {len(values)} cells", max(values), COVERAGE)


def sizes() -> list[tuple[tuple[int, int], float]]:
    """People in both arms and the base share, where each arm can expect five conversions."""
    return [(people, base) for people in ARMS for base in BASES if min(people) * base >= FEWEST_EXPECTED]


def interval_misses(result: pl.DataFrame, metric: str, truth: float) -> tuple[float, float]:
    """How often the interval is above the truth, and below it."""
    rows = result.filter(metric=metric)
    return (rows["ci_low"] > truth).mean(), (rows["ci_high"] < truth).mean()


def welch_misses(treated: Outcomes, holdout: Outcomes, truth: float) -> tuple[float, float]:
    """The same of Welch's interval of the margin, which the product does not use for it."""
    arms = (treated, holdout)
    means = [arm.margin / arm.people for arm in arms]
    parts = [
        (arm.squares - arm.people * mean**2) / (arm.people - 1) / arm.people
        for arm, mean in zip(arms, means, strict=True)
    ]
    # Where nobody bought there is no interval, and so no miss.
    with np.errstate(invalid="ignore"):
        freedom = sum(parts) ** 2 / sum(
            part**2 / (arm.people - 1) for part, arm in zip(parts, arms, strict=True)
        )
    half_width = t.isf((1 - SETTINGS.confidence) / 2, freedom) * np.sqrt(sum(parts))
    off = means[0] - means[1] - truth
    return float(np.mean(off > half_width)), float(np.mean(off < -half_width))


def limits(report: Report, rng: np.random.Generator, redraws: int) -> None:
    """Coverage of the margin's intervals where their assumptions do not hold."""
    print("Net margin: an offer takes from each order of the treated (base 5 %, lift 2 points)")
    for name, offer in OFFERS.items():
        for people in TENTH_HELD_OUT:
            treated = draw(rng, people[0], 0.07, (redraws,), offer=offer)
            holdout = draw(rng, people[1], 0.05, (redraws,))
            truth = 0.07 * (offer[0] * MEAN_MARGIN - offer[1]) - 0.05 * MEAN_MARGIN
            note_coverage(report, f"{name}, {people[0]} and {people[1]}", (treated, holdout), truth)
    print("Net margin without effect: orders as unequal as a lognormal of 1.2, and two expected conversions")
    for name, base, spread in (("1.2", 0.05, 1.2), ("two expected", 0.01, SPREAD)):
        for people in ((200, 200), TENTH_HELD_OUT[0]):
            treated, holdout = (draw(rng, each, base, (redraws,), spread=spread) for each in people)
            note_coverage(report, f"{name}, {people[0]} and {people[1]}", (treated, holdout), 0.0)


def note_coverage(report: Report, name: str, arms: tuple[Outcomes, Outcomes], truth: float) -> None:
    """The coverage of the product's interval of the margin, and of Welch's."""
    report.note(f"coverage, {name}", 1 - sum(interval_misses(judge(*arms), "net_margin", truth)))
    report.note(f"coverage by Welch, {name}", 1 - sum(welch_misses(*arms, truth)))


def campaigns(report: Report, rng: np.random.Generator, redraws: int) -> None:
    """Campaigns without effect, and with an effect of the size that should just be seen."""
    print("Campaigns")
    false: dict[tuple[str, str], list[float]] = {}
    seen: dict[str, list[float]] = {metric: [] for metric in KINDS}
    for people, base in sizes():
        without = judge(*(draw(rng, each, base, (FINER * redraws,)) for each in people))
        holdout = draw(rng, people[1], base, (redraws,))
        for metric, unit in UNIT.items():
            for verdict in ("effective", "harmful"):
                false.setdefault((verdict, metric), []).append(share_of_campaigns(without, metric, verdict))
            share = base + detectable(metric, base, people) / unit
            lifted = judge(draw(rng, people[0], share, (redraws,)), holdout)
            seen[metric].append(share_of_campaigns(lifted, metric, "effective"))
    for metric in KINDS:
        effective, harmful = (false[verdict, metric] for verdict in ("effective", "harmful"))
        report.at_most(f"effective without effect, {metric}", float(np.mean(effective)), MOST_FALSE)
        report.at_most(f"effective without effect, {metric}, highest cell", max(effective), MOST_FALSE)
        report.note(f"harmful without effect, {metric}", float(np.mean(harmful)))
        report.note(f"harmful without effect, {metric}, highest cell", max(harmful))
        report.between(
            f"power at the minimum detectable effect, {metric}", float(np.mean(seen[metric])), POWER
        )
        report.note(f"power, {metric}, lowest cell", min(seen[metric]))
        report.note(f"power, {metric}, highest cell", max(seen[metric]))
    undecided(report, rng, redraws)


def detectable(metric: str, base: float, people: tuple[int, int]) -> float:
    """The minimum detectable effect at the true base."""
    arrays = (np.array([each]) for each in (base * UNIT[metric], DISPERSION[metric], *people))
    return float(minimum_detectable_lift(*arrays, z=Z, power=SETTINGS.power)[0])


def undecided(report: Report, rng: np.random.Generator, redraws: int) -> None:
    """What a small and a large campaign without effect are told."""
    for people, verdict in (((450, 50), "too_small_to_tell"), ((100_000, 100_000), "no_effect_seen")):
        result = judge(*(draw(rng, each, 0.05, (redraws,)) for each in people))
        for metric in KINDS:
            rows = result.filter(~pl.col("verdict").is_in(["effective", "harmful"]), metric=metric)
            told = (rows["verdict"] == verdict) & rows["minimum_detectable_effect"].is_not_null()
            name = f"{verdict} among undecided, {metric}, {people[0]} and {people[1]}"
            report.at_least(name, told.mean(), 0.99)


def segments(report: Report, rng: np.random.Generator, redraws: int) -> None:
    """Thirty segments without effect, and everybody."""
    for people in ((900, 100), (500, 500)):
        print(
            f"{SEGMENTS} segments of {people[0]} treated and {people[1]} held out, base 5 %, and all of them"
        )
        result = judge(*(draw(rng, each, 0.05, (redraws, SEGMENTS)).with_everybody() for each in people))
        single = result.filter(pl.col("p_value") <= 1 - SETTINGS.confidence, pl.col("lift") > 0)
        for metric in KINDS:
            where = f"{metric}, {people[0]} and {people[1]}"
            false = share_of_campaigns(result, metric, "effective")
            report.at_most(f"false effective anywhere, {where}", false, MOST_FALSE_OF_SEGMENTS)
            report.note(f"false harmful anywhere, {where}", share_of_campaigns(result, metric, "harmful"))
            campaigns_found = single.filter(metric=metric)["campaign_id"].n_unique() / redraws
            report.note(f"without adjustment, {where}", campaigns_found)


def looks(report: Report, rng: np.random.Generator, redraws: int) -> None:
    """Thirty daily looks at a campaign without effect."""
    for people, base in (((600, 600), 0.05), ((600, 67), 0.05), ((600, 67), 0.01)):
        campaign = f"{people[0]} treated and {people[1]} held out a day, base {base:.0%}"
        print(f"{LOOKS} daily looks without effect: {campaign}")
        ever = ever_said([draw(rng, each, base, (redraws, LOOKS)) for each in people])
        for metric in KINDS:
            where = f"{metric}, {campaign}"
            report.at_most(f"once: effective, {where}", ever["once", metric, "effective"], MOST_FALSE)
            report.at_most(f"any: either, {where}", ever["any", metric, "either"], MOST_FALSE_OF_LOOKS)
            report.note(f"naive: either, {where}", ever["naive", metric, "either"])


def ever_said(arms: list[Outcomes]) -> dict[tuple[str, str, str], float]:
    """The part of the campaigns that are ever called effective, and either effective or harmful.

    By way of looking and metric; `naive` judges on each day as if it were the last.
    """
    said: dict[tuple[str, str, str], np.ndarray] = {}
    for day in range(1, LOOKS + 1):
        known = [arm.until(day) for arm in arms]
        last = day == LOOKS
        for way, how, is_matured in (("once", "once", last), ("any", "any", last), ("naive", "once", True)):
            result = judge(*known, looks=how, is_matured=is_matured)
            for metric in KINDS:
                verdict = result.filter(metric=metric)["verdict"]
                for name, verdicts in (("effective", ["effective"]), ("either", ["effective", "harmful"])):
                    now = verdict.is_in(verdicts).to_numpy()
                    said[way, metric, name] = now | said.get((way, metric, name), False)
    return {key: float(flags.mean()) for key, flags in said.items()}


def split(report: Report, rng: np.random.Generator, redraws: int) -> None:
    """Splits that went wrong, and splits that did not."""
    print("Sample ratios")
    outcomes = [draw(rng, 100, 0.05, (redraws,)) for _ in range(2)]
    wrong = splits(outcomes, rng.binomial(20_000, 0.48, redraws), 20_000, 0.5)
    report.at_least("invalid_split, 48 to 52 of 20,000 planned as halves", wrong, FEWEST_FOUND_SPLITS)
    wrong = splits(outcomes, rng.binomial(20_000, 0.115, redraws), 20_000, 0.1)
    report.at_least("invalid_split, 11.5 % of 20,000 planned as a tenth", wrong, FEWEST_FOUND_SPLITS)
    many = 50 * redraws
    outcomes = [draw(rng, 100, 0.05, (many,)) for _ in range(2)]
    for units, share in ((20_000, 0.5), (20_000, 0.1), (300, 0.1), (60, 0.1), (1_000, 0.02)):
        wrong = splits(outcomes, rng.binomial(units, share, many), units, share)
        report.at_most(
            f"invalid_split, right split of {units}, {share:.0%} held out", wrong, MOST_FALSE_SPLITS
        )


def splits(outcomes: Sequence[Outcomes], held_out: np.ndarray, units: int, share: float) -> float:
    """The part of the campaigns whose split is called invalid."""
    table = cells(*outcomes).filter(metric="conversion")
    arms = pl.concat(
        pl.DataFrame({"campaign_id": table["campaign_id"], "units": counts}).with_columns(
            arm=pl.lit(arm), is_control=pl.lit(arm == "holdout"), planned_share=pl.lit(part)
        )
        for arm, counts, part in (("treated", units - held_out, 1 - share), ("holdout", held_out, share))
    )
    return share_of_campaigns(measure(table, arms, SETTINGS), "conversion", "invalid_split")


SECTIONS: dict[str, Callable[[Report, np.random.Generator, int], None]] = {
    "coverage": coverage,
    "limits": limits,
    "campaigns": campaigns,
    "segments": segments,
    "looks": looks,
    "split": split,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--redraws", type=int, default=REDRAWS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--section", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    given = parser.parse_args(arguments)
    report = Report()
    for name in given.section:
        SECTIONS[name](report, np.random.default_rng([given.seed, list(SECTIONS).index(name)]), given.redraws)
    line = {"redraws": given.redraws, "seed": given.seed, "figures": report.figures, "missed": report.missed}
    print(json.dumps(line))
    if report.missed:
        print(f"{len(report.missed)} targets missed: {'; '.join(report.missed)}")
    return bool(report.missed)


if __name__ == "__main__":
    sys.exit(main())
