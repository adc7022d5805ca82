"""How well sleep is foretold: `python benchmarks/evaluate_dormancy.py`.

Sections, each with its targets: the fitting code against a published fit (`published`); the chosen method on
three real shops, beside what it has to beat (`held-out`); the three mixed into one shop (`mixture`); speed
(`speed`); what customers are worth (`value`); the reasons of sleep against the truth of demo shops
(`reasons`, see benchmarks/evaluate_reasons.py). Prints tables, each target with "met" or "MISSED", and a line
of JSON, and writes a page; ends with 1 if a target is missed. Data sets that are not there are reported as
"not evaluated"; how they are read is told in benchmarks/dormancy_reference.py.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import duckdb
import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

import dormancy_speed  # noqa: E402
import evaluate_reasons  # noqa: E402
from dormancy_holdout import CHOSEN, ISOTONIC, RECENCY, HeldOut, hold_out  # noqa: E402
from dormancy_page import calibration_section, confusion_section, methods_section, write_page  # noqa: E402
from dormancy_reference import (  # noqa: E402
    MIXTURE_CUTOFF,
    SETS,
    ReferenceSet,
    data_folder,
    load,
    open_mixture,
    open_shop,
)
from dormancy_value import PUBLISHED_GAMMA_GAMMA, fit_gamma_gamma, judge_worth  # noqa: E402

from pipelines.dormancy import metrics  # noqa: E402
from pipelines.dormancy.bg_nbd import PUBLISHED, fit_bg_nbd  # noqa: E402
from pipelines.dormancy.tuned_x import POOLED  # noqa: E402

SEEDS = (101, 202, 303, 404, 505)
MIXED_CUSTOMERS = 1_500
MIXED_HORIZON_DAYS = 60

MIN_AUC = {"cdnow": 0.765, "online_retail_ii": 0.715, "complete_journey": 0.870}
MAX_CALIBRATION_ERROR = {"cdnow": 0.04, "complete_journey": 0.04}
MAX_AUC_LOSS = 0.005
MIN_GAIN_OVER_ISOTONIC, MIN_GAIN_OVER_RECENCY = 0.005, 0.03
MAX_SECONDS = 5.0
MIN_REASONS_RATIO = 0.9

PAGE = PROJECT / "data" / "reports" / "evaluation"

CDNOW_SAMPLE = "cdnow/cdnow_sample.parquet"
CDNOW_SUMMARY = "cdnow/cdnow_customers_summary.parquet"
CDNOW_AMOUNTS = "cdnow/cdnow_customers_summary_with_transactions.parquet"


class Report:
    """What was measured, which targets were met, and what the page shows."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self.missed: list[str] = []
        self.methods: list[dict[str, object]] = []
        self.calibration: list[dict[str, object]] = []
        self.confusion: Counter[tuple[str, str]] = Counter()

    def show(self, data_set: str, found: HeldOut, flagged: int) -> None:
        """Keep the methods of a held-out window, and the calibration of the chosen one, for the page."""
        for name in found.scores:
            precision = found.precision(name, flagged)
            self.methods.append(
                {
                    "data_set": data_set,
                    # As the evaluation's tables call them.
                    "method": "tuned_x" if name == RECENCY else name.replace("MBG/CNBD, k = ", "mbg_cnbd_"),
                    "customers": len(found.stayed_away),
                    "auc": found.auc(name),
                    "precision_at_equal_count": precision,
                    "false_flag_rate": 1 - precision,
                    "calibration_error": found.calibration_error if name == CHOSEN else None,
                    "chosen": name == CHOSEN,
                }
            )
        for each in metrics.calibration_bins(~found.stayed_away, found.p_active):
            self.calibration.append({"data_set": data_set, "method": CHOSEN, **asdict(each)})

    def write(self, folder: Path) -> Path:
        """Write the page of what was asked for."""
        return write_page(
            folder,
            "How well sleep is foretold, and its reasons told",
            [
                methods_section(self.methods),
                calibration_section(self.calibration),
                confusion_section(self.confusion, note="On demo shops, whose truth is known."),
            ],
        )

    def at_least(self, what: str, value: float, target: float) -> None:
        """Print a figure that must not be lower than its target."""
        self._judge(what, value, value >= target, f"at least {target:g}")

    def at_most(self, what: str, value: float, target: float) -> None:
        """Print a figure that must not be higher than its target."""
        self._judge(what, value, value <= target, f"at most {target:g}")

    def more_than(self, what: str, value: float, target: float) -> None:
        """Print a figure that must be higher than its target."""
        self._judge(what, value, value > target, f"more than {target:g}")

    def equal(self, what: str, value: float, target: float, digits: int) -> None:
        """Print a figure that must have the digits of a published one."""
        self._judge(what, value, round(value, digits) == target, f"published {target:g}", digits + 1)

    def _judge(self, what: str, value: float, met: bool, target: str, digits: int = 4) -> None:
        self.figures[what] = round(value, 6)
        if not met:
            self.missed.append(what)
        print(f"  {what:<66} {value:>12,.{digits}f}  {target:<20} {'met' if met else 'MISSED'}", flush=True)


def published(con: duckdb.DuckDBPyConnection, data: Path, report: Report) -> None:
    """BG/NBD and Gamma–Gamma on the CDNOW sample of 39 weeks."""
    print("\nPublished fits of the CDNOW sample (2,357 customers, 39 weeks)")
    if not all((data / file).is_file() for file in (CDNOW_SAMPLE, CDNOW_SUMMARY, CDNOW_AMOUNTS)):
        print("  not evaluated: no reference data")
        return
    x, t_x, age = _columns(con, data / CDNOW_SUMMARY, "frequency", "recency", "T")
    found = fit_bg_nbd(x, t_x, age)
    for name, value in PUBLISHED.items():
        digits = 1 if name == "log_likelihood" else 3
        report.equal(f"BG/NBD {name}", getattr(found, name), value, digits)
    report.at_most("customers whose summary the transactions don't give", _differing(con, data), 0)
    x, mean = _columns(con, data / CDNOW_AMOUNTS, "x", "zbar")
    gamma_gamma = fit_gamma_gamma(x[x > 0], mean[x > 0])
    for name, value in PUBLISHED_GAMMA_GAMMA.items():
        report.equal(f"Gamma–Gamma {name}", getattr(gamma_gamma, name), value, 2)


def _columns(con: duckdb.DuckDBPyConnection, file: Path, *names: str) -> list[np.ndarray]:
    """Columns of a file as floats, in the order of its customers."""
    columns = ", ".join(f'cast("{name}" as double) as "{name}"' for name in names)
    found = con.execute(f"select {columns} from read_parquet('{file}') order by \"ID\"").fetchnumpy()
    return [np.asarray(found[name]) for name in names]


def _differing(con: duckdb.DuckDBPyConnection, data: Path) -> int:
    """Customers of the summary whose numbers the sample's transactions don't give, to .01 weeks."""
    row = con.execute(
        f"""
        with purchase_day as (
            select distinct cast(sample_customer_id as integer) as id, date
            from read_parquet('{data / CDNOW_SAMPLE}')
            where date <= date '1997-09-30'
        ),
        recomputed as (
            select
                id, count(*) - 1 as frequency, (max(date) - min(date)) / 7 as recency,
                (date '1997-09-30' - min(date)) / 7 as age
            from purchase_day
            group by id
        )
        select count(*)
        from recomputed
        full join read_parquet('{data / CDNOW_SUMMARY}') as summary on recomputed.id = summary."ID"
        where recomputed.id is null or summary."ID" is null or recomputed.frequency <> summary.frequency
            or abs(recomputed.recency - summary.recency) > 0.01 or abs(recomputed.age - summary."T") > 0.01
        """
    ).fetchone()
    assert row is not None
    return int(row[0])


def held_out(con: duckdb.DuckDBPyConnection, loaded: Sequence[ReferenceSet], report: Report) -> None:
    """Every method on the held-out window of each data set."""
    for chosen in SETS:
        window = f"{chosen.horizon_days} days after {chosen.cutoff}"
        print(f"\n{chosen.title}: no purchase in the {window}")
        if chosen not in loaded:
            print("  not evaluated: no reference data")
            continue
        open_shop(con, chosen)
        found = hold_out(con, chosen.cutoff, chosen.horizon_days)
        rule = next(fit.rule for fit in found.fit.fits if fit.model_category == POOLED)
        _print_methods(found, rule.tuned_x_days)
        report.show(chosen.title, found, found.flagged_by(rule.tuned_x_days))
        report.at_least(f"{chosen.title}: AUC of the chosen", found.auc(CHOSEN), MIN_AUC[chosen.name])
        best_rule = max(found.auc(RECENCY), found.auc(ISOTONIC))
        report.at_least(
            f"{chosen.title}: AUC above the best tuned rule", found.auc(CHOSEN) - best_rule, -MAX_AUC_LOSS
        )
        error = found.calibration_error
        if chosen.name in MAX_CALIBRATION_ERROR:
            report.at_most(f"{chosen.title}: calibration error", error, MAX_CALIBRATION_ERROR[chosen.name])
        else:
            report.figures[f"{chosen.title}: calibration error"] = round(error, 6)
            print(f"  {chosen.title + ': calibration error':<66} {error:>12.4f}  as it is")


def mixture(con: duckdb.DuckDBPyConnection, loaded: Sequence[ReferenceSet], report: Report) -> None:
    """The data sets as categories of one shop, with one fit."""
    print(f"\nThe three mixed, {MIXED_CUSTOMERS:,} customers each: no purchase in {MIXED_HORIZON_DAYS} days")
    if len(loaded) < len(SETS):
        print("  not evaluated: no reference data")
        return
    gains: dict[str, list[float]] = {"isotonic recency": [], "plain recency": []}
    for seed in SEEDS:
        open_mixture(con, SETS, customers=MIXED_CUSTOMERS, seed=seed)
        found = hold_out(con, MIXTURE_CUTOFF, MIXED_HORIZON_DAYS)
        print(f"\nseed {seed}")
        flagged = found.flagged_by(found.best_x_days)
        _print_methods(found, found.best_x_days)
        if seed == SEEDS[0]:
            report.show("The three mixed", found, flagged)
        auc = found.auc(CHOSEN)
        gains["isotonic recency"].append(auc - found.auc(ISOTONIC))
        gains["plain recency"].append(auc - found.auc(RECENCY))
        report.at_least(
            f"seed {seed}: AUC above isotonic recency", auc - found.auc(ISOTONIC), MIN_GAIN_OVER_ISOTONIC
        )
        report.at_least(
            f"seed {seed}: AUC above plain recency", auc - found.auc(RECENCY), MIN_GAIN_OVER_RECENCY
        )
        report.more_than(
            f"seed {seed}: false flags less than by the best global X",
            found.precision(CHOSEN, flagged) - found.precision(RECENCY, flagged),
            0,
        )
    print("\nmean of the seeds")
    targets = (MIN_GAIN_OVER_ISOTONIC, MIN_GAIN_OVER_RECENCY)
    for (name, values), target in zip(gains.items(), targets, strict=True):
        report.at_least(f"mean AUC above {name}", sum(values) / len(values), target)


def _print_methods(found: HeldOut, x_days: int) -> None:
    flagged = found.flagged_by(x_days)
    in_use = ", ".join(
        f"{fit.model_category}: {fit.method_name}"
        for fit in found.fit.fits
        if len(found.fit.fits) == 1 or fit.model_category != POOLED
    )
    print(
        f"  {len(found.stayed_away):,} customers, {found.stayed_away.mean():.1%} stayed away; "
        f"X = {x_days} flags {flagged:,}; chosen: {in_use}"
    )
    print(f"  {'method':<30} {'AUC':>8} {'precision':>10} {'false flags':>12}")
    for name in found.scores:
        precision = found.precision(name, flagged)
        print(f"  {name:<30} {found.auc(name):>8.4f} {precision:>10.4f} {1 - precision:>12.4f}")


def speed(report: Report) -> None:
    """The fit and the scoring, with the peak of their memory."""
    print("\nSpeed")
    for what, title in (
        ("fitting", f"fit of {dormancy_speed.FITTED_CUSTOMERS:,} customers, seconds"),
        ("scoring", f"scoring of {dormancy_speed.SCORED_CUSTOMERS:,} customers in SQL, seconds"),
    ):
        found = dormancy_speed.measure(what)
        report.at_most(title, found["seconds"], MAX_SECONDS)
        report.figures[f"{what}: peak memory in MB"] = round(found["peak_mb"], 1)
        print(f"  {'peak memory of its process':<66} {found['peak_mb']:>9,.0f} MB")


def value(con: duckdb.DuckDBPyConnection, loaded: Sequence[ReferenceSet], report: Report) -> None:
    """Amounts foretold and happened; there is no target."""
    for chosen in SETS:
        print(f"\n{chosen.title}: margin (mean absolute error, foretold ÷ happened)")
        if chosen not in loaded:
            print("  not evaluated: no reference data")
            continue
        open_shop(con, chosen)
        found = judge_worth(con, hold_out(con, chosen.cutoff, chosen.horizon_days))
        for title, candidates in (
            (f"next purchase-day of {found.returners:,} who came back", found.next_day),
            (f"{chosen.horizon_days} days of everybody", found.horizon),
        ):
            print(f"  {title}")
            for name, each in candidates.items():
                print(f"    {name:<40} {each.mean_absolute_error:>10.2f} {each.total_ratio:>8.3f}")
                of = f"{chosen.title}, {title}, {name}"
                report.figures[f"{of}: error"] = round(each.mean_absolute_error, 4)
                report.figures[f"{of}: ratio"] = round(each.total_ratio, 4)


def reasons(report: Report, customers: int) -> None:
    """Primary reasons on demo shops against their truth, beside the best that the evidence allows."""
    print(f"\nReasons on demo shops of {customers:,} customers")
    for seed in evaluate_reasons.SEEDS:
        found = evaluate_reasons.evaluate_seed(seed, customers)
        report.confusion += found.counts
        print(f"\nseed {seed}: {found.figures['sleepers']:,} sleepers\n{found.matrix}")
        for name in ("macro_f1", "best_macro_f1", "unknown_without_evidence"):
            report.figures[f"seed {seed}: {name}"] = round(found.figures[name], 6)
            print(f"  {f'seed {seed}: {name}':<66} {found.figures[name]:>12.4f}")
        report.at_least(f"seed {seed}: macro-F1 ÷ best possible", found.figures["ratio"], MIN_REASONS_RATIO)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder of the reference data")
    with duckdb.connect() as con:
        report = Report()
        loaded: list[ReferenceSet] = []
        sections: dict[str, Callable[[], None]] = {
            "held-out": partial(held_out, con, loaded, report),
            "mixture": partial(mixture, con, loaded, report),
            "value": partial(value, con, loaded, report),
            "speed": partial(speed, report),
        }
        parser.add_argument("--customers", type=int, default=5_000, help="size of the demo shops")
        parser.add_argument("--page", type=Path, default=PAGE, help="folder of the page")
        every = ("published", *sections, "reasons")
        parser.add_argument("--section", nargs="*", choices=every, help="these alone; by default all")
        given = parser.parse_args(arguments)
        asked = given.section or every
        if "published" in asked:
            published(con, given.data, report)
        if {"held-out", "mixture", "value"} & set(asked):
            loaded += [chosen for chosen in SETS if load(con, chosen, given.data)]
        for name, section in sections.items():
            if name in asked:
                section()
    if "reasons" in asked:
        reasons(report, given.customers)
    print(f"page: {report.write(given.page)}")
    print(json.dumps({"figures": report.figures, "missed": report.missed}, ensure_ascii=False))
    if report.missed:
        print(f"{len(report.missed)} targets missed: {'; '.join(report.missed)}")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
