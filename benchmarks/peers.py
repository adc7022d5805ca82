"""RFM and dormancy beside what one would otherwise write: `python benchmarks/peers.py --customers 1000000`.

The same synthetic order lines (`peer_facts.py`; about twenty a customer over 900 days) are read from one
Parquet file by

- ours: the product's own models on DuckDB, with a weekly fit;
- ours_narrow: only what the others compute too, by the product's SQL, with a fit of MBG/NBD to a sample;
- lifetimes: pandas and lifetimes, with a fit of MBG/NBD to all customers;
- polars: one lazy query, the parameters of MBG/NBD given;
- pyspark: the DataFrame API on this machine, the parameters given.

Measured is from the Parquet file to the results in memory (ours: in the tables of a warehouse file), without
loading libraries and without starting Spark. Each run is a process of its own, in turns; figures are medians,
and memory is the highest resident set (VmHWM; for Spark the JVM's and Python's). Processor seconds stand
beside those of the clock, since other programs on the machine hardly change them. All have the same number of
threads; pandas and lifetimes mostly use one.

They do not compute the same. Everybody gives recency, frequency, monetary value, three scores, two segments
and P(alive). Ours alone keeps text keys and exact decimals, looks for returns line by line, computes the day
before as well (for movements), fits and judges three models and a rule in each of the categories at two past
dates, and gives each customer a horizon, P(active) within it, the day on which sleep begins, one of five
states, season, value tier, expected value, episode, and an explanation in two languages. lifetimes alone fits
to all customers, where ours takes samples of 5,000 (the fit to a sample is in the JSON), and computes the
standard errors. Polars and PySpark fit nothing. `parts` in the JSON are the seconds of each step.

Nothing is reported unless recency, frequency and monetary value are equal for every customer; scores are
equal, or within what the definition leaves open (ours and Polars give ties one score; `qcut` of ranks and
`ntile` split them, and round one rank otherwise); segments are those of the scores; and P(alive) is, to 1e-9,
that of the product's SQL (`mbg_cnbd_p_alive`, k = 1) with the same parameters.

Prints a table, the target with "met" or "MISSED", and a line of JSON (also to `--json FILE`); ends with 1 if
the target is missed. It is judged from a million customers up. lifetimes and PySpark are in
`benchmarks/peers-requirements.txt`; `make bench-peers` installs them in an environment of their own. What is
not installed is not measured. Connected components are compared by `identity_components.py`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from model_sql import p_alive_sql  # noqa: E402
from peer_facts import AS_OF_DATE, write_facts  # noqa: E402
from peer_run import SEEDS  # noqa: E402

PEERS = ("ours", "ours_narrow", "lifetimes", "polars", "pyspark")
NEEDS_PACKAGE = ("lifetimes", "pyspark")

MODEL = {"r": 0.8, "alpha": 25.0, "a": 1.05, "b": 11.0}
"""Parameters of MBG/NBD that Polars and PySpark are given: near those that are fitted to these facts."""

MIN_RATIO = 20.0
"""How many times as long as ours lifetimes must take."""

JUDGED_CUSTOMERS = 1_000_000
FIT_SAMPLE = 5_000
MAX_DIFFERENCE = 1e-9


@dataclass(frozen=True)
class Setup:
    """How the peers are run.

    Attributes:
        methods: of `PEERS`, in turns.
        pythons: of each peer that is not run by this one.
        repeats: runs of each.
        memory_limit: of DuckDB, and of the JVM's heap.
        threads: of each.
    """

    methods: Sequence[str]
    pythons: dict[str, str]
    repeats: int
    memory_limit: str
    threads: int


def prepare(folder: Path, customers: int, seed: int, setup: Setup) -> dict[str, int]:
    """Writes the facts and what the peers are told; returns how many rows."""
    given = {
        "as_of_date": AS_OF_DATE.isoformat(),
        "model": MODEL,
        "fit_sample": FIT_SAMPLE,
        "duckdb": {"memory_limit": setup.memory_limit, "threads": str(setup.threads)},
    }
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    return write_facts(folder, customers, seed)


def measure(customers: int, seed: int, setup: Setup) -> dict[str, Any]:
    """Runs the peers in turns, each run in a process of its own, and checks what they have found."""
    with TemporaryDirectory(prefix="winback-benchmark-") as name:
        folder = Path(name)
        facts = prepare(folder, customers, seed, setup)
        runs: dict[str, list[dict[str, Any]]] = {method: [] for method in setup.methods}
        for _ in range(setup.repeats):
            for method in setup.methods:
                runs[method].append(run_once(method, folder, setup))
                print(f"{method}: {runs[method][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
        measured = {method: _summary(runs[method]) for method in setup.methods}
        for method, each in measured.items():
            if method != "ours":
                each["agreement"] = agreement(folder, method, each["model"])
    for each in measured.values():
        for ratio, seconds in (
            ("ratio_to_ours", "seconds"),
            ("processor_ratio_to_ours", "processor_seconds"),
        ):
            each[ratio] = round(each[seconds] / measured["ours"][seconds], 2)
    return {**facts, "methods": measured, **_fits(measured)}


def run_once(method: str, folder: Path, setup: Setup) -> dict[str, Any]:
    """One run; what it has found lies in the folder."""
    done = subprocess.run(
        [
            setup.pythons.get(method, sys.executable),
            str(PROJECT / "benchmarks" / f"peer_{method}.py"),
            str(folder),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"POLARS_MAX_THREADS": str(setup.threads)},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    middle = {
        name: round(median(run[name] for run in runs), 3)
        for name in ("seconds", "processor_seconds", "fit_of_sample_seconds")
        if name in runs[-1]
    }
    return (
        runs[-1]
        | middle
        | {
            "all_seconds": [round(run["seconds"], 3) for run in runs],
            "parts": {
                part: round(median(run["parts"][part] for run in runs), 3) for part in runs[-1]["parts"]
            },
            "peak_rss_bytes": max(run["peak_rss_bytes"] for run in runs),
        }
    )


def _fits(measured: dict[str, Any]) -> dict[str, float]:
    """How lifetimes compares without either's fit, and with a fit to a sample as ours has."""
    if "lifetimes" not in measured:
        return {}
    ours, peer = measured["ours"], measured["lifetimes"]
    unfitted = peer["seconds"] - peer["parts"]["fit"]
    narrow = measured.get("ours_narrow")
    return {
        **({"ratio_to_narrow": round(peer["seconds"] / narrow["seconds"], 2)} if narrow else {}),
        "ratio_without_fits": round(unfitted / (ours["seconds"] - ours["parts"]["fit"]), 2),
        "ratio_with_fit_of_sample": round((unfitted + peer["fit_of_sample_seconds"]) / ours["seconds"], 2),
    }


_COMPARE_SQL = """
create or replace temp table compared as
with ours as (
    select
        *,
        count(*) over () as buyers,
        {ranks}
    from '{folder}/ours.parquet'
)
select
    coalesce(ours.customer_id, peer.customer_id) as customer_id,
    ours.customer_id is null or peer.customer_id is null as is_alone,
    ours.recency_days is distinct from cast(peer.recency_days as integer) as recency_differs,
    ours.frequency is distinct from cast(peer.frequency as integer) as frequency_differs,
    ours.monetary is distinct from cast(peer.monetary as decimal(18, 2)) as monetary_differs,
    {scores},
    segments.segment_11 is distinct from peer.segment_11 as segment_11_differs,
    ours.segment_8 is distinct from peer.segment_8 as segment_8_differs,
    abs(peer.p_alive - {p_alive}) as p_alive_difference
from ours
full join '{folder}/{result}' as peer on ours.customer_id = peer.customer_id
left join '{seeds}/rfm_segment_11.csv' as segments
    on peer.r_score = segments.r_score and peer.f_score = segments.f_score;
"""

_RANKED = {"r": "recency_days desc", "f": "frequency", "m": "monetary"}


def agreement(folder: Path, method: str, model: dict[str, float]) -> dict[str, Any]:
    """How far a peer's results are ours; stops the benchmark where they should be and are not.

    Returns:
        Customers with other scores by kind (within what ties leave open), and the largest difference of
        P(alive).
    """
    with duckdb.connect() as con:
        con.execute(
            _COMPARE_SQL.format(
                folder=folder,
                # Spark writes a folder of files.
                result=f"{method}.parquet/*.parquet" if method == "pyspark" else f"{method}.parquet",
                seeds=SEEDS,
                p_alive=p_alive_sql(
                    model, [f"ours.{name}" for name in ("repeats", "age_at_last_days", "age_days")]
                ),
                ranks=", ".join(
                    f"rank() over (order by {by}) as {name}_first, "
                    f"{name}_first + count(*) over (partition by {by.split()[0]}) - 1 as {name}_last"
                    for name, by in _RANKED.items()
                ),
                scores=", ".join(
                    f"ours.{name}_score != peer.{name}_score as {name}_score_differs, "
                    f"coalesce(peer.{name}_score not between 1 + 5 * greatest({name}_first - 2, 0) // buyers "
                    f"and 1 + 5 * least({name}_last, buyers - 1) // buyers, true) as {name}_score_is_wrong"
                    for name in _RANKED
                ),
            )
        )
        wrong = ["is_alone", *(f"{name}_differs" for name in ("recency", "frequency", "monetary"))]
        wrong += [*(f"{name}_score_is_wrong" for name in _RANKED), "segment_11_differs", "segment_8_differs"]
        counted = _row(con, [f"count(*) filter (where {name}) as {name}" for name in wrong])
        counted["p_alive_differs"] = _row(
            con, [f"count(*) filter (where not coalesce(p_alive_difference <= {MAX_DIFFERENCE}, false)) as n"]
        )["n"]
        if any(counted.values()):
            raise SystemExit(f"{method} and ours differ: {counted}; nothing was measured")
        return _row(
            con,
            [
                *(
                    f"count(*) filter (where {name}_score_differs) as {name}_scores_otherwise"
                    for name in _RANKED
                ),
                "max(p_alive_difference) as p_alive_difference",
            ],
        )


def _row(con: duckdb.DuckDBPyConnection, columns: list[str]) -> dict[str, Any]:
    found = con.execute(f"select {', '.join(columns)} from compared")
    names = [column[0] for column in found.description]
    return dict(zip(names, found.fetchall()[0], strict=True))


def missing(methods: Sequence[str], pythons: dict[str, str]) -> list[str]:
    """Which of the methods cannot be run."""
    return [
        method
        for method in methods
        if method in NEEDS_PACKAGE
        and (not _has_package(pythons[method], method) or (method == "pyspark" and not _has_java()))
    ]


def _has_package(python: str, package: str) -> bool:
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{package}') is None)"
    return subprocess.run([python, "-c", look], check=False).returncode == 0


def _has_java() -> bool:
    return "JAVA_HOME" in os.environ or shutil.which("java") is not None


def show(found: dict[str, Any], absent: Sequence[str]) -> None:
    """Print the table."""
    print(f"{found['customers']:,} customers, {found['lines']:,} order lines")
    print(f"{'':>12} {'seconds':>10} {'to ours':>10} {'processor':>10} {'to ours':>10} {'peak MB':>10}")
    for method, each in found["methods"].items():
        print(
            f"{method:>12} {each['seconds']:>10.2f} {each['ratio_to_ours']:>10.2f} "
            f"{each['processor_seconds']:>10.2f} {each['processor_ratio_to_ours']:>10.2f} "
            f"{each['peak_rss_bytes'] / 1e6:>10,.0f}"
        )
    for method in absent:
        print(f"{method:>12} not measured: not installed")
    for method, each in found["methods"].items():
        if len(each["parts"]) > 1:
            parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in each["parts"].items())
            print(f"seconds of {method}: {parts}")
    if "lifetimes" in found["methods"]:
        if "ratio_to_narrow" in found:
            print(f"lifetimes to ours_narrow: {found['ratio_to_narrow']:.2f}")
        print(f"lifetimes to ours, without either's fit: {found['ratio_without_fits']:.2f}")
        print(
            f"lifetimes to ours, its fit to {FIT_SAMPLE:,} customers: {found['ratio_with_fit_of_sample']:.2f}"
        )


def judge(found: dict[str, Any]) -> list[str]:
    """Print the target; returns it if it is missed."""
    if "lifetimes" not in found["methods"] or found["customers"] < JUDGED_CUSTOMERS:
        return []
    what = f"RFM and dormancy at least {MIN_RATIO:g} times as fast as pandas with lifetimes"
    ratio = found["methods"]["lifetimes"]["ratio_to_ours"]
    print(f"{what}: {ratio:.2f} {'met' if ratio >= MIN_RATIO else 'MISSED'}")
    return [] if ratio >= MIN_RATIO else [what]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if the target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=PEERS, default=list(PEERS), help="and ours")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory-limit", default="4GB", help="of DuckDB and of Spark's heap")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    for peer in NEEDS_PACKAGE:
        parser.add_argument(f"--{peer}-python", default=sys.executable, help=f"Python that has {peer}")
    parser.add_argument("--json", type=Path, help="file for the line of JSON")
    given = parser.parse_args(arguments)
    pythons = {"lifetimes": given.lifetimes_python, "pyspark": given.pyspark_python}
    absent = missing(given.methods, pythons)
    methods = [method for method in PEERS if method in {"ours", *given.methods} - set(absent)]
    setup = Setup(methods, pythons, given.repeats, given.memory_limit, given.threads)
    found = measure(given.customers, given.seed, setup)
    show(found, absent)
    missed = judge(found)
    config = {name: getattr(given, name) for name in ("repeats", "seed", "memory_limit", "threads")}
    line = json.dumps({**config, **found, "not_measured": absent, "missed": missed})
    print(line)
    if given.json:
        given.json.write_text(line + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
