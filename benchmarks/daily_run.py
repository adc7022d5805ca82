"""The daily job measured against the size of the shop and against a floor: `python benchmarks/daily_run.py`.

For each size the demo shop's files are made once (not counted), and then in turns:

- **floor**: `benchmarks/floor.py`, a plain script that computes and writes the same tables.
- **full**: `winback run` of the shop's last date in a new home.
- **day**: the newest 1 % of rows, those of the last days, come for the last date; the others were taken in
  and run for the day before these, the **eve**. Afterwards `winback rebuild` makes all tables anew, and they
  have to be equal.
- **empty**, once for all sizes: the run of a shop of 20 customers, which is what a run costs without data.
  Its home is the floor's template, too.

Each is a process of its own, measured from outside. Wall time depends on what else the machine does;
processor time hardly does. Prints tables, the ratios, and whether they meet the targets; the exit status is 1
if one is missed. Targets are judged at their own sizes only.
"""

import argparse
import json
import math
import multiprocessing
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import duckdb
from watching import Stage, Watched, folder_bytes, watch

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from arriving import Divided, arrive, divide  # noqa: E402 - they need the package
from cost_chart import cost_chart  # noqa: E402

from pipelines.demo import rates  # noqa: E402 - found beside this folder
from pipelines.feeds.sql import identifiers, path_literal  # noqa: E402
from pipelines.settings import load_settings  # noqa: E402

EMPTY_CUSTOMERS = 20
ONLY = ("floor", "full", "day", "empty")
NEW_SHARE = 0.01

MOST_FLOORS, AND_SECONDS = 2, 60
MOST_BYTES = 6_000_000_000
MOST_SLOPE, MOST_SLOPE_OVER_FLOOR = 1.05, 0.05
MOST_DAY_SHARE = 0.20
SMALL, MIDDLE, LARGE = 100_000, 1_000_000, 5_000_000

_DAY = rates.LAST_DAY
_NAMES_A_RUN = {"run_id"}
_OF_RUNS = {"quality.gate_results"}
_PARTS = ("landing", "lake", "warehouse", "published", "audiences", "reports")
T = TypeVar("T")


@dataclass
class Measure:
    """All repeats of one thing at one size.

    Attributes:
        runs: what each came to.
        bytes: of the last one's folders.
    """

    runs: list[Watched] = field(default_factory=list)
    bytes: dict[str, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """The median."""
        return statistics.median(run.cpu_seconds for run in self.runs)

    @property
    def peak_bytes(self) -> int:
        """The highest."""
        return max(run.peak_bytes for run in self.runs)

    @property
    def spill_bytes(self) -> int:
        """The highest."""
        return max(run.spill_bytes for run in self.runs)

    def stages(self) -> list[Stage]:
        """The stages, the median of each one's seconds and the highest of its peaks."""
        found = []
        for each in self.runs[-1].stages:
            same = [stage for run in self.runs for stage in run.stages if stage.name == each.name]
            seconds = statistics.median(stage.seconds for stage in same)
            found.append(replace(each, seconds=seconds, peak_bytes=max(stage.peak_bytes for stage in same)))
        return found

    def to_json(self) -> dict[str, Any]:
        """For the file of results."""
        return {
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_bytes": self.peak_bytes,
            "spill_bytes": self.spill_bytes,
            "bytes": self.bytes,
            "stages": [asdict(stage) for stage in self.stages()],
            "repeats": [
                {name: value for name, value in asdict(run).items() if name not in ("output", "stages")}
                for run in self.runs
            ],
        }


@dataclass(frozen=True)
class Target:
    """A figure, its bound, and whether it keeps within; None where this size is not the target's."""

    name: str
    value: float
    most: float
    is_judged: bool

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if not self.is_judged:
            return "not judged at this size"
        return "met" if self.value <= self.most else "missed"


@dataclass
class Differences:
    """Between what the day and what a rebuild has published, a line for each table.

    Attributes:
        now: in rows of the last date, and in tables that are not of dates.
        earlier: in rows of the eve. A rebuild computes it with what was learned since: somebody's first login
            in a browser tells whose the visits before it were. These are shown, and no fault.
    """

    now: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)


@dataclass
class Bench:
    """Where it is measured, with what, and what was found."""

    work: Path
    memory_limit: str
    threads: int
    repeats: int
    empty: Measure | None = None
    sizes: dict[int, dict[str, Measure]] = field(default_factory=dict)
    differing: dict[int, Differences] = field(default_factory=dict)
    new_rows: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def template(self) -> Path:
        """The home of the empty run."""
        return self.work / "empty" / "home"

    @property
    def plan(self) -> Path:
        """The compiled models."""
        return self.work / "plan.json"

    def environment(self, home: Path) -> dict[str, str]:
        """Of a run in a home: nothing of the caller's settings."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("WINBACK_")}
        ours.pop("DAGSTER_HOME", None)
        return ours | {
            "PYTHONPATH": str(PROJECT),
            "WINBACK_PROFILE": "demo",
            "WINBACK_DATA_DIR": str(home),
            "WINBACK_MEMORY_LIMIT": self.memory_limit,
            "WINBACK_THREADS": str(self.threads),
            # Two homes that did the same have the same keys.
            "WINBACK_PRIVATE_KEY": "0" * 64,
        }

    def winback(self, home: Path, *arguments: str, name: str) -> Watched:
        """A command in a home, with the rows of its stages."""
        watched = watch(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            environment=self.environment(home),
            log=self.work / "logs" / f"{name}.log",
            spill=[home / "scratch" / "duckdb*"],
        )
        rows = in_a_process(rows_of_stages, home)
        stages = tuple(replace(stage, rows=rows.get(stage.name)) for stage in watched.stages)
        return replace(watched, stages=stages)


def in_a_process(function: Callable[..., T], *arguments: object) -> T:
    """Calls a function in a new process: its memory must not be counted as that of the next one measured."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def make_shop(folder: Path, customers: int, threads: int) -> None:
    """Writes the demo shop, unless it is there."""
    from pipelines.demo import has_demo_shop, write_demo_shop  # noqa: PLC0415 - in a process of its own

    if customers == EMPTY_CUSTOMERS:
        # The product makes no shop so small: most of it would be the planted dirty rows, and no gate would
        # let that pass. What is measured with it is a run that has nothing to do, so it has none.
        rates.MIN_CUSTOMERS, rates.DIRTY_ROWS_MIN = customers, 0
    if not has_demo_shop(folder / "landing", customers=customers):
        write_demo_shop(folder / "landing", folder / "truth", customers=customers, threads=threads)


def link_landing(shop: Path, home: Path) -> None:
    """Gives a new home the shop's files under second names, which takes neither time nor room."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    shutil.copytree(shop / "landing", home / "landing", copy_function=os.link)


def rows_of_stages(home: Path) -> dict[str, int]:
    """Rows that each stage of a run has read or made, by the name of its line."""
    with duckdb.connect(str(home / "warehouse" / "winback.duckdb"), read_only=True) as con:
        schemas = dict(
            con.execute(
                "select schema_name, sum(estimated_size) from duckdb_tables() group by schema_name"
            ).fetchall()
        )

        def counted(query: str) -> int:
            row = con.execute(query).fetchone()
            return int(row[0] or 0) if row else 0

        read = counted("select sum(rows_read) from quality.ingestions where current")
        loaded = counted("select sum(rows_loaded) from quality.ingestions where current")
        accounts = counted("select count(*) from identity.account")
        days = counted("select count(*) from core.int_kept_category_day")
        forms = sum(
            counted(f"select count(*) from identity.{name}_form") for name in ("email", "phone", "name")
        )
        decisions = counted("select count(*) from activation.recall_decision")
    with duckdb.connect(str(home / "published" / "winback_analytics.duckdb"), read_only=True) as con:
        published = con.execute("select sum(estimated_size) from duckdb_tables()").fetchone()
    of_copy = int(published[0] or 0) if published else 0
    stages = {name: int(schemas.get(name, 0)) for name in ("core", "marts", "activation", "kpi")}
    return {
        "extract": read,
        "gate_raw": loaded,
        "normal_forms": forms,
        "staging": loaded,
        "identity": accounts,
        **stages,
        **{f"gate_{name}": rows for name, rows in stages.items()},
        "control/dormancy_fit": days,
        "audiences/recall": decisions,
        "published/winback_analytics": of_copy,
        "reports/daily_report": of_copy,
    }


def sizes_of(home: Path) -> dict[str, int]:
    """Bytes of a home's folders."""
    return {part: folder_bytes(home / part) for part in _PARTS if (home / part).exists()}


def measure_empty(bench: Bench) -> None:
    """The run without data, in the home that stays as the floor's template."""
    shop = bench.work / "empty"
    in_a_process(make_shop, shop, EMPTY_CUSTOMERS, bench.threads)
    bench.empty = Measure()
    for repeat in range(bench.repeats):
        link_landing(shop, bench.template)
        bench.empty.runs.append(
            bench.winback(bench.template, "run", "--date", str(_DAY), name=f"empty_{repeat}")
        )
    bench.empty.bytes = sizes_of(bench.template)


def measure_floor(bench: Bench, shop: Path, customers: int, repeat: int) -> None:
    """One more repeat of the floor."""
    out = bench.work / "floor"
    shutil.rmtree(out, ignore_errors=True)
    watched = watch(
        [
            *(sys.executable, str(PROJECT / "benchmarks" / "floor.py"), "--plan", str(bench.plan)),
            *("--landing", str(shop / "landing"), "--out", str(out)),
            *("--template", str(bench.template / "warehouse" / "winback.duckdb")),
            *("--memory-limit", bench.memory_limit, "--threads", str(bench.threads)),
        ],
        environment=bench.environment(out),
        log=bench.work / "logs" / f"floor_{customers}_{repeat}.log",
        spill=[out / "spill"],
    )
    rows = json.loads(watched.output.splitlines()[-1])["rows"]
    stages = tuple(replace(stage, rows=rows.get(stage.name)) for stage in watched.stages)
    measure = bench.sizes[customers].setdefault("floor", Measure())
    measure.runs.append(replace(watched, stages=stages))
    measure.bytes = {"published": folder_bytes(out / "published")}
    shutil.rmtree(out)


def measure_full(bench: Bench, shop: Path, customers: int, repeat: int) -> None:
    """One more repeat of the daily job in a new home."""
    home = bench.work / "home"
    link_landing(shop, home)
    measure = bench.sizes[customers].setdefault("full", Measure())
    measure.runs.append(bench.winback(home, "run", "--date", str(_DAY), name=f"full_{customers}_{repeat}"))
    measure.bytes = sizes_of(home)
    shutil.rmtree(home)


def measure_day(bench: Bench, shop: Path, customers: int) -> None:
    """The day with a hundredth of new rows, and the rebuild that has to give the same tables."""
    home, aside = bench.work / "day", bench.work / "arriving"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    link_landing(shop, home)
    divided: Divided = in_a_process(divide, home / "landing", aside, NEW_SHARE)
    bench.new_rows[customers] = {
        "rows": divided.rows,
        "share": divided.share,
        "cutoff": divided.cutoff.isoformat(),
        "files": len(divided.files),
    }
    eve_date = divided.cutoff - timedelta(days=1)
    eve = bench.winback(home, "run", "--date", str(eve_date), name=f"eve_{customers}")
    arrive(divided, home / "landing")
    day = bench.winback(home, "run", "--date", str(_DAY), name=f"day_{customers}")
    # What was sent is in the tables from the next run on, and so it is in those of a rebuild.
    refresh = bench.winback(home, "refresh", name=f"refresh_{customers}")
    kept = bench.work / "day.duckdb"
    kept.unlink(missing_ok=True)
    published = home / "published" / "winback_analytics.duckdb"
    # A rebuild puts another file in its place, so that a second name keeps this one.
    os.link(published, kept)
    size = sizes_of(home)
    rebuild = bench.winback(home, "rebuild", name=f"rebuild_{customers}")
    bench.differing[customers] = in_a_process(differing_tables, kept, published, bench.memory_limit)
    for name, watched in {"eve": eve, "day": day, "refresh": refresh, "rebuild": rebuild}.items():
        bench.sizes[customers][name] = Measure([watched], size)
    if bench.differing[customers].now:
        # Whoever looks for the cause needs both; they stay where --keep says.
        shutil.copyfile(kept, bench.work / "logs" / f"day_{customers}.duckdb")
        shutil.copyfile(published, bench.work / "logs" / f"rebuild_{customers}.duckdb")
    kept.unlink()
    shutil.rmtree(home)


def differing_tables(one: Path, other: Path, memory_limit: str) -> Differences:
    """The published tables whose rows differ, with how many; what names a run is left out.

    A sum over hashes of rows tells that two tables are equal. Where they are not, `except all` counts.
    """
    dates = date_columns()
    found = Differences()
    with duckdb.connect(config={"memory_limit": memory_limit}) as con:
        con.execute(f"attach {path_literal(one)} as one (read_only)")
        con.execute(f"attach {path_literal(other)} as other (read_only)")
        both = table_names(con, "one") & table_names(con, "other")
        found.now += [
            f"{table}: is in one only" for table in table_names(con, "one") ^ table_names(con, "other")
        ]
        for table in sorted(both - _OF_RUNS):
            column = dates.get(table)
            if column is None:
                found.now += _differing_rows(con, table, "true")
            else:
                found.now += _differing_rows(con, table, f"{column} = date '{_DAY}'")
                found.earlier += _differing_rows(con, table, f"{column} is distinct from date '{_DAY}'")
    return found


def _differing_rows(con: duckdb.DuckDBPyConnection, table: str, where: str) -> list[str]:
    names = [row[0] for row in con.execute(f"describe one.{table}").fetchall()]
    columns = identifiers([name for name in names if name not in _NAMES_A_RUN])
    sides = [f"select {columns} from {side}.{table} where {where}" for side in ("one", "other")]
    sums = [
        con.execute(f"select count(*), sum(hash({columns})::hugeint) from ({side})").fetchall()
        for side in sides
    ]
    if sums[0] == sums[1]:
        return []
    only = [
        con.execute(f"select count(*) from ({a} except all {b})").fetchall()[0][0]
        for a, b in (sides, sides[::-1])
    ]
    return [f"{table}: {only[0]} rows before, {only[1]} after, that the other does not have"]


def date_columns() -> dict[str, str]:
    """The as-of date of each published table that is replaced date by date."""
    from pipelines.assets.publish import published_tables  # noqa: PLC0415 - slow to import
    from pipelines.resources.dbt import ensure_manifest  # noqa: PLC0415

    tables = published_tables(ensure_manifest(PROJECT / "dbt_project"))
    return {table.full_name: table.date_column for table in tables if table.date_column}


def table_names(con: duckdb.DuckDBPyConnection, database: str) -> set[str]:
    """`schema.table` of all tables of a database."""
    rows = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = ?", [database]
    ).fetchall()
    return {row[0] for row in rows}


def targets(bench: Bench) -> list[Target]:
    """All that can be said of what was measured."""
    found = []
    for size, measures in bench.sizes.items():
        full, floor = measures.get("full"), measures.get("floor")
        if full and floor:
            most = MOST_FLOORS * floor.seconds + AND_SECONDS
            name = f"{size:,}: seconds of the daily job, at most {MOST_FLOORS} x floor + {AND_SECONDS} s"
            found.append(Target(name, full.seconds, most, size == MIDDLE))
        if full:
            name = f"{size:,}: peak memory of the daily job in GB"
            found.append(Target(name, full.peak_bytes / 1e9, MOST_BYTES / 1e9, size == MIDDLE))
        base, day = full or measures.get("eve"), measures.get("day")
        if base and day and bench.empty:
            share = (day.seconds - bench.empty.seconds) / (base.seconds - bench.empty.seconds)
            name = (
                f"{size:,}: (day - empty) / (full - empty) with {bench.new_rows[size]['share']:.2%} new rows"
            )
            found.append(Target(name, share, MOST_DAY_SHARE, size == MIDDLE))
        if size in bench.differing:
            name = f"{size:,}: tables in which the day and a rebuild differ"
            found.append(Target(name, len(bench.differing[size].now), 0, True))
    return [*found, *_slope_targets(bench)]


def _slope_targets(bench: Bench) -> list[Target]:
    found = []
    measured = sorted(size for size, measures in bench.sizes.items() if "full" in measures)
    for one, other in pairwise(measured):
        slope = slope_of(bench, "full", one, other)
        most, by = MOST_SLOPE, ""
        if other > MIDDLE:
            if not all("floor" in bench.sizes[size] for size in (one, other)):
                continue
            most = slope_of(bench, "floor", one, other) + MOST_SLOPE_OVER_FLOOR
            by = f" (the floor's + {MOST_SLOPE_OVER_FLOOR})"
        name = f"{one:,} to {other:,}: log-log slope{by}"
        found.append(Target(name, slope, most, (one, other) in ((SMALL, MIDDLE), (MIDDLE, LARGE))))
    return found


def slope_of(bench: Bench, name: str, one: int, other: int) -> float:
    """By how much seconds grow with size, between two sizes: 1 is in proportion."""
    ratio = bench.sizes[other][name].seconds / bench.sizes[one][name].seconds
    return math.log(ratio) / math.log(other / one)


def report(bench: Bench) -> str:
    """The tables and the targets, as Markdown."""
    lines = []
    if bench.empty:
        lines += _table("empty", {f"empty run ({EMPTY_CUSTOMERS} customers)": bench.empty})
    for size, measures in bench.sizes.items():
        lines += _table(f"{size:,} customers", measures)
        for name, measure in measures.items():
            if name in ("full", "floor", "day"):
                lines += _stage_table(f"{name}, {size:,} customers", measure)
        if new := bench.new_rows.get(size):
            lines += [
                "",
                f"The day: {new['rows']:,} new rows ({new['share']:.2%}), from {new['cutoff']}, "
                f"in {new['files']} files.",
            ]
        differing = bench.differing.get(size, Differences())
        lines += [f"\nDIFFERS  {each}" for each in differing.now]
        lines += [f"\nof the eve  {each}" for each in differing.earlier]
    lines += ["", "| target | value | at most | |", "|---|---:|---:|---|"]
    lines += [
        f"| {each.name} | {each.value:,.2f} | {each.most:,.2f} | {each.verdict} |" for each in targets(bench)
    ]
    return "\n".join(lines)


def _table(title: str, measures: Mapping[str, Measure]) -> list[str]:
    parts = sorted({part for measure in measures.values() for part in measure.bytes}, key=_PARTS.index)
    heads = [
        "",
        "seconds",
        "all repeats",
        "CPU s",
        "peak GB",
        "spilled GB",
        *(f"{part} GB" for part in parts),
    ]
    lines = ["", f"## {title}", "", f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for name, measure in measures.items():
        each = ", ".join(f"{run.seconds:.1f}" for run in measure.runs)
        sizes = [f"{measure.bytes[part] / 1e9:.3f}" if part in measure.bytes else "" for part in parts]
        cells = [
            *(name, f"{measure.seconds:.1f}", each, f"{measure.cpu_seconds:.1f}"),
            *(f"{measure.peak_bytes / 1e9:.2f}", f"{measure.spill_bytes / 1e9:.2f}", *sizes),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _stage_table(title: str, measure: Measure) -> list[str]:
    lines = [
        *("", f"### {title}", ""),
        "| stage | seconds | rows | rows/s | peak GB | read MB | written MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for stage in measure.stages():
        rows = "" if stage.rows is None else f"{stage.rows:,}"
        speed = "" if stage.rows is None or not stage.seconds else f"{stage.rows / stage.seconds:,.0f}"
        lines.append(
            f"| {stage.name} | {stage.seconds:.1f} | {rows} | {speed} | {stage.peak_bytes / 1e9:.2f} "
            f"| {stage.read_bytes / 1e6:,.0f} | {stage.written_bytes / 1e6:,.0f} |"
        )
    return lines


def results(bench: Bench) -> dict[str, Any]:
    """All of it, for the file of results."""
    return {
        "memory_limit": bench.memory_limit,
        "threads": bench.threads,
        "processors": os.cpu_count(),
        "duckdb": duckdb.__version__,
        "empty": bench.empty.to_json() if bench.empty else None,
        "sizes": {
            size: {name: measure.to_json() for name, measure in measures.items()}
            for size, measures in bench.sizes.items()
        },
        "new_rows": bench.new_rows,
        "differing": {size: asdict(each) for size, each in bench.differing.items()},
        "targets": [asdict(target) | {"verdict": target.verdict} for target in targets(bench)],
    }


def chart(bench: Bench) -> str:
    """Seconds against customers."""
    names = {"full": "daily job", "floor": "floor", "day": "day with 1 % new rows"}
    lines = {
        title: {size: each[name].seconds for size, each in bench.sizes.items() if name in each}
        for name, title in names.items()
    }
    floors = lines[names["floor"]]
    return cost_chart(
        {title: line for title, line in lines.items() if line},
        {size: MOST_FLOORS * seconds + AND_SECONDS for size, seconds in floors.items()},
        f"wall seconds, median; DuckDB with {bench.memory_limit} and {bench.threads} threads",
    )


def measure_size(bench: Bench, customers: int, wanted: Sequence[str], *, keep: bool) -> None:
    """All that is wanted of one size."""
    shop = bench.work / f"shop_{customers}"
    bench.sizes[customers] = {}
    say(f"{customers:,} customers: the shop's files ...")
    in_a_process(make_shop, shop, customers, bench.threads)
    for repeat in range(bench.repeats):
        if "floor" in wanted:
            say(f"{customers:,} customers: floor, {repeat + 1} of {bench.repeats}")
            measure_floor(bench, shop, customers, repeat)
        if "full" in wanted:
            say(f"{customers:,} customers: full, {repeat + 1} of {bench.repeats}")
            measure_full(bench, shop, customers, repeat)
    if "day" in wanted:
        say(f"{customers:,} customers: the eve, the day and a rebuild")
        measure_day(bench, shop, customers)
    if not keep:
        shutil.rmtree(shop)


def say(text: str) -> None:
    """Tells a person how far it is."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """The command line; 1 if a target is missed."""
    given = _parser().parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    work = Path(mkdtemp(prefix="bench-", dir=given.work))
    bench = Bench(given.keep or work, given.memory_limit, given.threads, given.repeats)
    bench.work.mkdir(parents=True, exist_ok=True)
    try:
        if {"floor", "day", "empty"} & set(given.only):
            say(f"the empty run ({EMPTY_CUSTOMERS} customers)")
            measure_empty(bench)
        if "floor" in given.only:
            prepare = [
                sys.executable,
                str(PROJECT / "benchmarks" / "floor.py"),
                "--prepare",
                "--plan",
                str(bench.plan),
            ]
            watch(prepare, environment=bench.environment(bench.work), log=bench.work / "logs" / "prepare.log")
        for customers in given.customers:
            bench.repeats = given.repeats if customers < LARGE else min(given.repeats, given.repeats_large)
            measure_size(bench, customers, given.only, keep=given.keep is not None)
            _write(bench, given.json, given.chart)
    finally:
        shutil.rmtree(work)
    print(report(bench))
    missed = [each for each in targets(bench) if each.verdict == "missed"]
    for each in missed:
        print(f"missed: {each.name}: {each.value:.2f}, at most {each.most:.2f}", file=sys.stderr)
    return 1 if missed else 0


def _write(bench: Bench, json_file: Path | None, chart_file: Path | None) -> None:
    """After each size: what takes an hour is not lost with the one after it."""
    for file in filter(None, (json_file, chart_file)):
        file.parent.mkdir(parents=True, exist_ok=True)
    if json_file:
        json_file.write_text(json.dumps(results(bench), indent=1) + "\n", encoding="utf-8")
    if chart_file and any("full" in each or "floor" in each for each in bench.sizes.values()):
        chart_file.write_text(chart(bench), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, nargs="+", default=[20_000], metavar="N")
    parser.add_argument("--only", nargs="+", choices=ONLY, default=list(ONLY), help="by default all of it")
    parser.add_argument("--repeats", type=int, default=1, help="of floor, full and empty; the median counts")
    parser.add_argument("--repeats-large", type=int, default=1, help=f"at {LARGE:,} customers and more")
    parser.add_argument("--memory-limit", default="4GB", help="of DuckDB, in the job and in the floor")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--work",
        type=Path,
        default=load_settings().scratch_dir,
        help="where a temporary folder is made; some 25 GB for each million customers",
    )
    parser.add_argument(
        "--keep", type=Path, help="a folder in place of a temporary one: shops and logs stay in it"
    )
    parser.add_argument("--json", type=Path, help="gets the results")
    parser.add_argument("--chart", type=Path, help="gets the chart, SVG")
    return parser


if __name__ == "__main__":
    sys.exit(main())
