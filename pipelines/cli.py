"""The command `winback`: the daily run, the rebuild and the UI, without a daemon and with plain words."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.feeds.errors import FeedError
from pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance, Definitions, ExecuteInProcessResult, JobDefinition


class CommandError(Exception):
    """What was asked for cannot be done; the message says why and what is accepted."""


class StorageFailed(CommandError):
    """Dagster's own storage refused: the disk is full, or its file is damaged."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status: 0 done, 1 failed, 2 asked wrongly."""
    given = _parser().parse_args(arguments)
    try:
        if given.profile:
            os.environ["WINBACK_PROFILE"] = given.profile
        return int(given.command(load_settings(), given))
    except (CommandError, FeedError) as error:
        print(f"winback: {error}", file=sys.stderr)
        return 1 if isinstance(error, StorageFailed) else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="winback", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    profile = argparse.ArgumentParser(add_help=False)
    profile.add_argument(
        "--profile", metavar="NAME|FILE", help="a name in data/profiles/ or a YAML file (or WINBACK_PROFILE)"
    )
    run = commands.add_parser(
        "run",
        parents=[profile],
        help="run daily_recall",
        description="Run daily_recall for one date or a range.",
    )
    run.add_argument("--date", type=_date, metavar="YYYY-MM-DD", help="as-of date; default: the last one")
    run.add_argument("--from", dest="first", type=_date, metavar="YYYY-MM-DD", help="first date of a range")
    run.add_argument("--to", dest="last", type=_date, metavar="YYYY-MM-DD", help="last date of a range")
    run.set_defaults(command=_run)
    backfill = commands.add_parser(
        "backfill",
        parents=[profile],
        help="compute past dates, a part of them at a time",
        description="Compute the dates of a range that were not computed yet, in consecutive runs. Nothing "
        "is sent: all dates are simulated. After a failure the same command goes on where it ended.",
    )
    backfill.add_argument("--from", dest="first", type=_date, metavar="YYYY-MM-DD", required=True)
    backfill.add_argument("--to", dest="last", type=_date, metavar="YYYY-MM-DD", required=True)
    backfill.add_argument(
        "--chunk", type=_days, default=31, metavar="DAYS", help="dates of one run at most; default: 31"
    )
    backfill.add_argument("--again", action="store_true", help="compute dates anew that were computed")
    backfill.set_defaults(command=_backfill, date=None)
    scrub = commands.add_parser(
        "scrub",
        parents=[profile],
        help="take off the lists who has bought, complained or opted out since",
        description="Take in what has arrived and write whom to take off the lists that went out.",
    )
    scrub.set_defaults(command=_scrub)
    refresh = commands.add_parser(
        "refresh",
        parents=[profile],
        help="measure anew what the contacts have brought by now",
        description="Take in what has arrived, measure outcomes anew and publish them. Nothing is sent.",
    )
    refresh.set_defaults(command=_refresh)
    rebuild = commands.add_parser(
        "rebuild",
        parents=[profile],
        help="make the warehouse anew from the lake",
        description="Make the warehouse and the published copy anew from the lake alone. Nothing is sent.",
    )
    rebuild.set_defaults(command=_rebuild)
    _add_privacy(commands, profile)
    verify = commands.add_parser(
        "verify",
        parents=[profile],
        help="read all that is kept, and name what is damaged",
        description="Read every file of the lake, the warehouse and the published copy, and say of each that "
        "is damaged how it is mended. Nothing is changed.",
    )
    verify.set_defaults(command=_verify)
    policy = commands.add_parser(
        "policy",
        help="check the policy's tables, or see whom they reach",
        description="Check the policy's tables as edited, or count whom they reach. Nothing is sent.",
    )
    asked = policy.add_subparsers(required=True, metavar="what")
    check = asked.add_parser("check", parents=[profile], help="say whether the tables are sound")
    check.set_defaults(command=_policy_check)
    reach = asked.add_parser("reach", parents=[profile], help="count the customers of each rule")
    reach.add_argument(
        "--date", type=_date, metavar="YYYY-MM-DD", help="a computed date; default: the newest"
    )
    reach.set_defaults(command=_policy_reach)
    spark = commands.add_parser(
        "spark",
        parents=[profile],
        help="compute a date's tables on Spark",
        description="Compute all tables of a computed date on Spark, from the same lake, into the folder "
        "`spark` of the data home. Nothing is sent or published.",
    )
    spark.add_argument(
        "--date", type=_date, metavar="YYYY-MM-DD", help="a computed date; default: the newest"
    )
    spark.add_argument(
        "--compare",
        action="store_true",
        help="compare every published table with the published copy; status 1 when one differs",
    )
    spark.set_defaults(command=_spark)
    ui = commands.add_parser("ui", parents=[profile], help="open the Dagster UI on loopback")
    ui.add_argument("--port", type=int, default=3000)
    ui.add_argument(
        "--read-only", action="store_true", help="for analysts: nothing can be launched or changed; no daemon"
    )
    ui.set_defaults(command=_ui)
    daemon = commands.add_parser(
        "daemon",
        parents=[profile],
        help="run the daemon alone: schedules, sensors and the queue of runs",
        description="Run Dagster's daemon for this data home in the foreground; `winback ui` has its own.",
    )
    daemon.set_defaults(command=_daemon)
    return parser


def _add_privacy(commands: Any, profile: argparse.ArgumentParser) -> None:
    person = argparse.ArgumentParser(add_help=False)
    for kind, shape in (
        ("customer", "ID"),
        ("account", "SOURCE:KEY"),
        ("email", "ADDRESS"),
        ("phone", "NUMBER"),
        ("card", "NUMBER"),
        ("device", "app:ID|browser:ID"),
    ):
        person.add_argument(f"--{kind}", metavar=shape, action="append", default=[])
    erase = commands.add_parser(
        "erase",
        parents=[profile, person],
        help="forget a person, everywhere and for good",
        description=(
            "Take a person out of the lake, the landed files, the warehouse, the audiences and the analysts' "
            "copy, and prove it by a search. Without a person: go on with what was begun."
        ),
    )
    erase.add_argument("--yes", action="store_true", help="do not ask before what cannot be undone")
    erase.set_defaults(command=_erase)
    access = commands.add_parser(
        "access",
        parents=[profile, person],
        help="write all that is known of a person",
        description="Write all that is known of a person into a folder of JSON files.",
    )
    access.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="a folder that is not there yet"
    )
    access.set_defaults(command=_access)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; accepted: YYYY-MM-DD") from error


def _days(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days; accepted: 1 and more")
    return int(text)


def _run(settings: Settings, given: argparse.Namespace) -> int:
    # Imports DuckDB, as everything here that is slow is imported by the commands that need it.
    from pipelines.account import watched  # noqa: PLC0415

    dates = _dates(settings, given)
    with watched() as account:
        with _Runner(settings) as runner:
            if not runner.run(dates):
                return 1
        _print_summary(settings, dates)
    print(f"finished in {sum(account.seconds.values()):.1f} s: {account}", flush=True)
    return 0


def _backfill(settings: Settings, given: argparse.Namespace) -> int:
    from pipelines.history import History  # noqa: PLC0415 - commands import what they need

    wanted = _dates(settings, given)
    done = set() if given.again else set(History(settings.lake_dir).dates())
    parts = _chunks([day for day in wanted if day not in done], given.chunk)
    todo = sum(map(len, parts))
    print(
        f"backfill of {settings.profile.name} for {wanted[0]} to {wanted[-1]}: {len(wanted)} dates, "
        f"{len(wanted) - todo} of them computed before, {todo} to do in {len(parts)} runs",
        flush=True,
    )
    start, finished = time.monotonic(), 0
    with _Runner(settings) as runner:
        for number, part in enumerate(parts, 1):
            if not runner.run(part, simulated=True):
                print(
                    f"winback: run {number} of {len(parts)} failed; {finished} of {todo} dates are done. "
                    "Mend what it names; the same command then goes on from here",
                    file=sys.stderr,
                )
                return 1
            finished += len(part)
            passed = time.monotonic() - start
            left = passed / finished * (todo - finished)
            print(
                f"backfill: {finished} of {todo} dates ({finished / todo:.0%}) in {_minutes(passed)}, "
                f"about {_minutes(left)} to go",
                flush=True,
            )
    if parts:
        _print_summary(settings, parts[-1], time.monotonic() - start)
    return 0


def _minutes(seconds: float) -> str:
    """A duration for people.

    >>> _minutes(59), _minutes(3599), _minutes(7260)
    ('59 s', '60 min', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes <= 60 else f"{minutes // 60} h {minutes % 60} min"


def _scrub(settings: Settings, given: argparse.Namespace) -> int:  # noqa: ARG001 - no options of its own
    from pipelines.activation.emission import EmissionStore  # noqa: PLC0415 - commands import what they need

    store = EmissionStore(settings.lake_dir, settings.audiences_dir)
    if not store.dates():
        raise CommandError("nothing was sent yet: there is no list to take anybody off")
    before = set(store.scrub_folders())
    start = time.monotonic()
    with _Runner(settings) as runner:
        if not runner.scrub():
            return 1
    written = [str(folder) for folder in store.scrub_folders() if folder not in before]
    print(f"\nto be taken off the lists: {', '.join(written) or 'nobody'}")
    print(f"\nfinished in {time.monotonic() - start:.1f} s", flush=True)
    return 0


def _refresh(settings: Settings, given: argparse.Namespace) -> int:  # noqa: ARG001 - no options of its own
    from pipelines.history import History  # noqa: PLC0415 - commands import what they need

    computed = History(settings.lake_dir).dates()
    if not computed:
        raise CommandError("no date was computed yet: there is nothing to measure. Run winback run first")
    start = time.monotonic()
    with _Runner(settings) as runner:
        if not runner.refresh(computed[-1]):
            return 1
    _print_summary(settings, [computed[-1]], time.monotonic() - start)
    return 0


def _dates(settings: Settings, given: argparse.Namespace) -> list[date]:
    calendar, newest = settings.profile.calendar, settings.profile.last_date
    if given.date and (given.first or given.last):
        raise CommandError("give --date, or --from with --to, not both")
    if bool(given.first) != bool(given.last):
        raise CommandError("a range needs --from and --to")
    first = given.first or given.date or newest
    last = given.last or given.date or newest
    if last < first:
        raise CommandError(f"--to {last} is before --from {first}")
    for day in (first, last):
        if not calendar.start_date <= day <= newest:
            raise CommandError(
                f"{day} is no as-of date of profile {settings.profile.name}; "
                f"accepted: {calendar.start_date} to {newest}"
            )
    return _range(first, last)


def _range(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _rebuild(settings: Settings, given: argparse.Namespace) -> int:  # noqa: ARG001 - no options of its own
    from pipelines.history import History, is_kept  # noqa: PLC0415 - commands import what they need

    computed = History(settings.lake_dir).dates()
    if not computed:
        raise CommandError(
            f"the lake {settings.lake_dir} knows no computed date: there is nothing to rebuild"
        )
    kept = [day for day in computed if is_kept(day, computed[-1], settings.profile.history_days)]
    start = time.monotonic()
    anew = settings.for_rebuild()
    # The warehouse stays as it is until the new one is whole: a rebuild that fails or dies costs nothing.
    with _Runner(anew) as runner, _locked(settings, "rebuild"):
        shutil.rmtree(anew.rebuild_dir, ignore_errors=True)
        parts = _consecutive(kept)
        # The newest dates last. Their run publishes, when all others are there to be published with them:
        # until then analysts keep the copy they have.
        for dates in parts:
            if not runner.run(dates, rebuild=True, publish=dates is parts[-1]):
                shutil.rmtree(anew.rebuild_dir, ignore_errors=True)
                print(f"winback: the rebuild failed; {settings.warehouse_file} is as it was", file=sys.stderr)
                return 1
        # A log of the old file would be taken for the new one's.
        settings.warehouse_file.with_name(settings.warehouse_file.name + ".wal").unlink(missing_ok=True)
        anew.warehouse_file.replace(settings.warehouse_file)
        shutil.rmtree(anew.rebuild_dir)
    _print_summary(settings, kept, time.monotonic() - start)
    return 0


def _spark(settings: Settings, given: argparse.Namespace) -> int:
    from importlib.util import find_spec  # noqa: PLC0415 - commands import what they need

    from pipelines.history import History  # noqa: PLC0415 - as above

    if find_spec("pyspark") is None or find_spec("dbt.adapters.spark") is None:
        raise CommandError("Spark is not installed: pip install 'winback[spark]'")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise CommandError("Spark needs Java 17 or newer, on the PATH or as JAVA_HOME")
    computed = History(settings.lake_dir).dates()
    if not computed:
        raise CommandError("no date was computed yet: there is nothing for Spark. Run winback run first")
    day = given.date or computed[-1]
    if day not in computed:
        raise CommandError(
            f"{day} was not computed: Spark takes ids, fits and what was sent from the daily run; "
            f"accepted: {', '.join(map(str, computed[-5:]))}"
        )
    if given.compare and not settings.published_file.exists():
        raise CommandError(f"there is nothing to compare with: {settings.published_file} is missing")
    return _compute_on_spark(settings, day, compares=given.compare)


def _compute_on_spark(settings: Settings, day: date, *, compares: bool) -> int:
    from pipelines.spark.run import SparkRunError, compute  # noqa: PLC0415 - as above

    start = time.monotonic()
    # What a run changed meanwhile would be in some tables and not in others.
    with _locked(settings, "spark"):
        try:
            folder = compute(settings, day, lambda line: print(line, flush=True))
        except SparkRunError as error:
            print(f"winback: {error}", file=sys.stderr)
            return 1
        print(f"tables of {day} on Spark: {folder}, in {time.monotonic() - start:.1f} s", flush=True)
        return _compare_with_published(settings, folder, day) if compares else 0


def _compare_with_published(settings: Settings, folder: Path, day: date) -> int:
    from pipelines.assets.publish import QUALITY_TABLES, published_tables  # noqa: PLC0415 - as above
    from pipelines.resources.dbt import ensure_manifest  # noqa: PLC0415 - as above
    from pipelines.spark.comparison import as_table, compare_published  # noqa: PLC0415 - as above

    tables = [*published_tables(ensure_manifest(settings.dbt_dir)), *QUALITY_TABLES]
    found = compare_published(settings.published_file, folder, tables, day, settings.profile.time_zone)
    different = sum(each.differs for each in found)
    print(as_table(found))
    print(f"{len(found)} tables compared, {different} of them differ", flush=True)
    return 1 if different else 0


def _given_person(given: argparse.Namespace) -> list[tuple[str, str]]:
    from pipelines.privacy.subject import GIVEN_KINDS  # noqa: PLC0415 - commands import what they need

    return [(kind, value) for kind in GIVEN_KINDS for value in getattr(given, kind)]


def _require_warehouse(settings: Settings) -> None:
    if not settings.warehouse_file.exists():
        raise CommandError("there is no warehouse to look anybody up in; `winback run` or `rebuild` makes it")


def _erase(settings: Settings, given: argparse.Namespace) -> int:
    from pipelines.history import History  # noqa: PLC0415 - commands import what they need
    from pipelines.privacy.erasure import Requests  # noqa: PLC0415

    person, requests = _given_person(given), Requests(settings.home)
    computed = History(settings.lake_dir).dates()
    if not computed:
        raise CommandError("no date was computed yet: there is nobody to erase")
    if person:
        if requests.pending():
            raise CommandError(
                "an erasure was begun and has not ended: `winback erase` without a person finishes it"
            )
        _require_warehouse(settings)
        _confirm_erasure(settings, person, given)
        requests.ask(person)
    elif not (requests.asked() or requests.pending()):
        raise CommandError("say whom: --customer, --account, --email, --phone, --card or --device")
    start = time.monotonic()
    with _Runner(settings) as runner:
        if not runner.erase(computed[-1]):
            return 1
    print(
        f"\nerased, and nothing found in a search. finished in {time.monotonic() - start:.1f} s", flush=True
    )
    print(
        "What other systems hold is theirs to erase: the shop's own, marketing tools, ad platforms, backups."
    )
    return 0


def _confirm_erasure(
    settings: Settings, person: Sequence[tuple[str, str]], given: argparse.Namespace
) -> None:
    from pipelines.privacy.subject import UnknownPerson, find_customers, only_customer  # noqa: PLC0415
    from pipelines.resources.warehouse import Warehouse  # noqa: PLC0415 - slow to import

    with _locked(settings, "erase"), Warehouse.from_settings(settings).connect() as con:
        found = find_customers(con, person)
    try:
        customer = only_customer(found, person) if found or given.customer or given.account else None
    except UnknownPerson as error:
        raise CommandError(str(error)) from error
    print(f"customer {customer}" if customer else "no customer has it; rows that name it will be erased")
    if given.yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("an erasure cannot be undone: confirm it with --yes")
    if input("This cannot be undone. Type erase to go on: ").strip() != "erase":
        raise CommandError("nothing was erased")


def _access(settings: Settings, given: argparse.Namespace) -> int:
    from pipelines.activation.emission import EmissionStore  # noqa: PLC0415 - commands import what they need
    from pipelines.feeds.contract import load_contracts  # noqa: PLC0415
    from pipelines.privacy.access import write_access  # noqa: PLC0415
    from pipelines.privacy.subject import (  # noqa: PLC0415
        UnknownPerson,
        describe_subject,
        find_customers,
        only_customer,
    )
    from pipelines.resources.warehouse import Warehouse  # noqa: PLC0415 - slow to import

    person = _given_person(given)
    if not person:
        raise CommandError("say whom: --customer, --account, --email, --phone, --card or --device")
    _require_warehouse(settings)
    touches = EmissionStore(settings.lake_dir, settings.audiences_dir).touch_files()
    with _locked(settings, "access"), Warehouse.from_settings(settings).connect() as con:
        try:
            customer = only_customer(find_customers(con, person), person)
            written = write_access(
                con,
                describe_subject(con, customer, touches),
                settings.lake_dir,
                load_contracts(),
                given.to,
                shop=settings.profile.title,
            )
        except (UnknownPerson, FileExistsError) as error:
            raise CommandError(str(error)) from error
    print(f"{sum(written.values()):,} rows of customer {customer} in {len(written)} files: {given.to}")
    return 0


def _verify(settings: Settings, given: argparse.Namespace) -> int:  # noqa: ARG001 - no options of its own
    import duckdb  # noqa: PLC0415 - commands import what they need

    from pipelines.resources.warehouse import Warehouse, WarehouseUnreadable  # noqa: PLC0415 - slow to import
    from pipelines.verification import Fault, Verified, verify_database, verify_lake, verify_tables  # noqa: PLC0415

    if not settings.home.exists():
        raise CommandError(f"the data home {settings.home} does not exist: there is nothing to verify")
    rebuild = "`winback rebuild` makes it anew from the lake; nothing is lost"
    found: dict[str, Verified] = {}
    with _locked(settings, "verify"):
        with duckdb.connect() as con:
            found["files in the lake"] = verify_lake(con, settings.lake_dir)
        if settings.warehouse_file.exists():
            try:
                with Warehouse.from_settings(settings).connect() as con:
                    found["tables in the warehouse"] = verify_tables(
                        con, str(settings.warehouse_file), rebuild
                    )
            except WarehouseUnreadable as error:
                fault = Fault(str(settings.warehouse_file), str(error).partition("\n")[0], rebuild)
                found["tables in the warehouse"] = Verified(0, (fault,))
        if settings.published_file.exists():
            found["published tables"] = verify_database(
                settings.published_file,
                rebuild,
                connect=lambda file: duckdb.connect(str(file), read_only=True),
            )
    for what, verified in found.items():
        print(f"{what}: {verified.looked_at:,} read, {len(verified.faults)} damaged")
    faults = [fault for verified in found.values() for fault in verified.faults]
    for fault in faults:
        print(f"\n{fault}", file=sys.stderr)
    return 1 if faults else 0


def _policy_check(settings: Settings, given: argparse.Namespace) -> int:  # noqa: ARG001 - no options of its own
    from pipelines.activation.policy import checked_policy  # noqa: PLC0415 - commands import what they need

    policy = checked_policy(_policy_dir(settings))
    print(
        f"policy is sound: {len(policy.playbook)} rules, {len(policy.journeys)} journeys, "
        f"{len(policy.steps)} steps, {len(policy.offers)} offers, {len(policy.templates)} texts"
    )
    return 0


def _policy_reach(settings: Settings, given: argparse.Namespace) -> int:
    from pipelines.activation.policy import check_policy_seeds  # noqa: PLC0415 - commands import what they need
    from pipelines.activation.reach import NothingComputed, formatted, reach_report  # noqa: PLC0415
    from pipelines.resources.warehouse import Warehouse  # noqa: PLC0415 - slow to import

    # A slip is told at once, not after waiting for a run.
    check_policy_seeds(_policy_dir(settings))
    if not settings.warehouse_file.exists():
        raise CommandError("no date is computed yet; `winback run` computes one")
    with _locked(settings, "policy reach"), Warehouse.from_settings(settings).connect() as con:
        try:
            report = reach_report(con, _policy_dir(settings), given.date)
        except NothingComputed as error:
            raise CommandError(str(error)) from error
    print(formatted(report))
    return 0


def _policy_dir(settings: Settings) -> Path:
    return settings.dbt_dir / "seeds" / "policy"


@contextmanager
def _locked(settings: Settings, name: str) -> Iterator[None]:
    """The warehouse is this command's for several runs."""
    from pipelines.resources.warehouse import Warehouse, WarehouseBusy  # noqa: PLC0415 - slow to import

    try:
        with Warehouse.from_settings(settings).locked(name, print):
            yield
    except WarehouseBusy as error:
        raise CommandError(str(error)) from error


def _consecutive(dates: Sequence[date]) -> list[list[date]]:
    """Dates in order, split where days are missing.

    >>> [len(part) for part in _consecutive([date(2017, 1, 31), date(2017, 2, 28), date(2017, 3, 1)])]
    [1, 2]
    """
    parts: list[list[date]] = []
    for day in dates:
        if parts and day - parts[-1][-1] == timedelta(days=1):
            parts[-1].append(day)
        else:
            parts.append([day])
    return parts


def _chunks(dates: Sequence[date], size: int) -> list[list[date]]:
    """Consecutive dates in parts of this many at most.

    >>> days = [date(2017, 1, 1), date(2017, 1, 2), date(2017, 1, 3), date(2017, 1, 5)]
    >>> [len(part) for part in _chunks(days, 2)]
    [2, 1, 1]
    """
    return [part[n : n + size] for part in _consecutive(dates) for n in range(0, len(part), size)]


def _ui(settings: Settings, given: argparse.Namespace) -> int:
    with _Runner(settings) as runner:
        # Who only looks leaves the records of runs alone.
        if not given.read_only:
            runner.prepare()
    what = "Dagster UI, to look at only," if given.read_only else "Dagster UI"
    print(f"{what} of {settings.profile.name}: http://127.0.0.1:{given.port}", flush=True)
    # `dagster dev` recommends `dg dev`, which asks the network for newer versions of itself.
    os.environ["PYTHONWARNINGS"] = "ignore:Function `dev_command`"
    module = ["dagster_webserver", "--read-only"] if given.read_only else ["dagster", "dev"]
    return _become(settings, [*module, "-h", "127.0.0.1", "-p", str(given.port)])


def _daemon(settings: Settings, given: argparse.Namespace) -> int:  # noqa: ARG001 - no options of its own
    with _Runner(settings) as runner:
        runner.prepare()
    print(f"Dagster daemon of {settings.profile.name}", flush=True)
    return _become(settings, ["dagster._daemon", "run"])


def _become(settings: Settings, module: Sequence[str]) -> int:
    """Put a Dagster command for this code location in the place of this process."""
    os.chdir(settings.project_dir)
    workspace = settings.project_dir / "workspace.yaml"
    os.execv(sys.executable, [sys.executable, "-m", *module, "-w", str(workspace)])
    return 0


class _Runner:
    """Runs the jobs in this process, against the data home's own Dagster instance."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._instance: DagsterInstance | None = None
        self._definitions: Definitions | None = None

    def __enter__(self) -> _Runner:
        from pipelines.resources.instance import WrongShop, prepare_home  # noqa: PLC0415 - slow to import

        try:
            prepare_home(self._settings)
        except WrongShop as error:
            raise CommandError(str(error)) from error
        os.environ["DAGSTER_HOME"] = str(self._settings.dagster_home)
        return self

    def __exit__(self, *_: object) -> None:
        if self._instance is not None:
            self._instance.dispose()

    def prepare(self) -> DagsterInstance:
        """The instance, with runs that died marked as such."""
        if self._instance is None:
            from pipelines.resources.instance import mark_dead_runs, open_instance  # noqa: PLC0415 - slow to import

            with self._storage():
                self._instance = open_instance(self._settings.dagster_home)
                dead = mark_dead_runs(self._instance, print)
            if dead:
                self._report(dead)
        return self._instance

    @contextmanager
    def _storage(self) -> Iterator[None]:
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - Dagster has imported it

        try:
            yield
        except DBAPIError as error:
            raise StorageFailed(
                _with_remedy(f"Dagster cannot keep its events in {self._settings.dagster_home}: {error.orig}")
            ) from error

    def run(
        self,
        dates: Sequence[date],
        *,
        rebuild: bool = False,
        simulated: bool = False,
        publish: bool = True,
    ) -> bool:
        """Run daily_recall for these consecutive dates; False when it failed.

        Args:
            dates: the as-of dates.
            rebuild: of the lake alone; nothing is sent.
            simulated: of what has arrived, and nothing is sent either.
            publish: with the analysts' copy and the report.
        """
        from dagster._core.storage.tags import (  # noqa: PLC0415 - slow to import
            ASSET_PARTITION_RANGE_END_TAG,
            ASSET_PARTITION_RANGE_START_TAG,
        )

        from pipelines.assets.dbt import REBUILD_TAG, SIMULATED_TAG  # noqa: PLC0415
        from pipelines.assets.publish import PUBLISHED  # noqa: PLC0415
        from pipelines.assets.report import REPORT  # noqa: PLC0415
        from pipelines.jobs import DAILY_RECALL  # noqa: PLC0415

        tags = {REBUILD_TAG: "true"} if rebuild else {SIMULATED_TAG: "true"} if simulated else {}
        partition = dates[0].isoformat() if len(dates) == 1 else None
        if partition is None:
            tags |= {
                ASSET_PARTITION_RANGE_START_TAG: dates[0].isoformat(),
                ASSET_PARTITION_RANGE_END_TAG: dates[-1].isoformat(),
            }
        shown = str(dates[0]) if partition else f"{dates[0]} to {dates[-1]} ({len(dates)} dates)"
        print(f"daily_recall of {self._settings.profile.name} for {shown}", flush=True)
        job = self._job(DAILY_RECALL)
        everything = job.asset_layer.executable_asset_keys
        return self._execute(
            job,
            partition_key=partition,
            asset_selection=None if publish else sorted(everything - {PUBLISHED, REPORT}),
            tags=tags,
        )

    def scrub(self) -> bool:
        """Run the job scrub; False when it failed."""
        from pipelines.jobs import SCRUB  # noqa: PLC0415 - slow to import

        print(f"scrub of {self._settings.profile.name}", flush=True)
        return self._execute(self._job(SCRUB))

    def refresh(self, newest: date) -> bool:
        """Run the job kpi_refresh for the newest computed date; False when it failed."""
        from pipelines.jobs import KPI_REFRESH  # noqa: PLC0415 - slow to import

        print(f"kpi_refresh of {self._settings.profile.name} for {newest}", flush=True)
        return self._execute(self._job(KPI_REFRESH), partition_key=newest.isoformat())

    def erase(self, newest: date) -> bool:
        """Run the job erase for the newest computed date; False when it failed."""
        from pipelines.jobs import ERASE  # noqa: PLC0415 - slow to import

        print(f"erase of {self._settings.profile.name}", flush=True)
        return self._execute(self._job(ERASE), partition_key=newest.isoformat())

    def _job(self, name: str) -> JobDefinition:
        # Runs that died are marked before the definitions take their time.
        self.prepare()
        if self._definitions is None:
            from pipelines.build import build_definitions  # noqa: PLC0415 - slow to import

            self._definitions = build_definitions(self._settings)
        return self._definitions.resolve_job_def(name)

    def _execute(
        self,
        job: JobDefinition,
        *,
        partition_key: str | None = None,
        asset_selection: Sequence[AssetKey] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        instance = self.prepare()
        with self._storage():
            result = job.execute_in_process(
                instance=instance,
                partition_key=partition_key,
                asset_selection=asset_selection,
                tags=tags,
                # Dagster's own console logger would print a line per event.
                run_config={"loggers": {"console": {}}},
                raise_on_error=False,
            )
        if not result.success:
            _print_failures(result)
            self._report([result.run_id])
        return bool(result.success)

    def _report(self, run_ids: Sequence[str]) -> None:
        from pipelines.resources.notify import report_failures  # noqa: PLC0415 - slow to import

        report_failures(self.prepare(), run_ids, self._settings, lambda line: print(line, file=sys.stderr))


def _print_failures(result: ExecuteInProcessResult) -> None:
    from pipelines.failures import causes  # noqa: PLC0415 - only a run that failed has some

    print(f"\nrun {result.run_id} failed:", file=sys.stderr)
    for cause in causes(result.all_events):
        where = f"{cause.step}: " if cause.step and cause.kind != "gate" else ""
        message = cause.message if cause.kind == "gate" else _with_remedy(cause.message)
        print(f"  {where}{message}", file=sys.stderr)


def _with_remedy(message: str) -> str:
    from pipelines.remedies import remedy_for  # noqa: PLC0415 - only a run that failed needs it

    remedy = remedy_for(message)
    return message if remedy is None else f"{message}\n  {remedy}"


def _print_summary(settings: Settings, dates: Sequence[date], seconds: float | None = None) -> None:
    from pipelines.summary import summarise  # noqa: PLC0415 - only a run that published has one

    finished = "" if seconds is None else f"\nfinished in {seconds:.1f} s"
    print(f"\n{summarise(settings, dates)}\n{finished}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
