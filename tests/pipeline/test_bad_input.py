"""What is asked or given wrongly: one clear message, no traceback, and nothing half-written."""

import subprocess
import sys
from pathlib import Path

import pytest
from data_home import Home
from small_shop import write_small_shop

from pipelines.history import History
from pipelines.resources.instance import prepare_home
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import PROJECT_DIR, profile_names

pytestmark = pytest.mark.xdist_group("eve")


@pytest.fixture
def home(tmp_path) -> Home:
    """A home in which nothing has run yet, of a shop whose files a test may spoil."""
    return Home(write_small_shop(tmp_path / "shop"), tmp_path / "home")


@pytest.fixture
def command(home, capfd):
    """`winback` with these arguments; its exit status, and what it says on stderr."""

    def run(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        try:
            status = home.winback(*(arguments or ("run",)))
        except SystemExit as exit_:  # argparse
            status = exit_.code
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        assert 'File "' not in said.out + said.err
        return status, said.err

    return run


def change_profile(home: Home, old: str, new: str) -> Path:
    text = home.shop.profile.read_text(encoding="utf-8")
    assert text.count(old) == 1
    home.shop.profile.write_text(text.replace(old, new), encoding="utf-8")
    return home.shop.profile


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Europe/Berlin", "Berlin", "time_zone: not an IANA time zone name such as Europe/London"),
        ("currency: EUR", "currency: euro", "currency: *(given: 'euro')"),
        ("2024-06-30", "2023-06-30", "calendar: end_date 2023-06-30 is before start_date 2024-01-01"),
        ("2024-06-30", "someday", "calendar.end_date: *(given: 'someday')"),
        (
            "region: DE",
            "region: DE\ncolour: red",
            "(the whole file): unknown key 'colour'; accepted keys: name,",
        ),
        ("  products:\n", "  things:\n", "feeds: unknown feed things; known feeds: campaign_events, "),
        (
            "products.csv}",
            "products.csv, sep: ','}",
            "feeds.products.source: unknown key 'sep'; accepted keys:",
        ),
    ],
)
def test_a_wrong_profile_names_file_key_and_what_is_accepted(home, command, old, new, fault):
    file = change_profile(home, old, new)
    key, message = fault.split("*") if "*" in fault else (fault, "")

    status, said = command()

    assert status == 2
    assert said.startswith(f"winback: {file}: {key}")
    assert message in said
    assert said.count("\n") == 1
    assert not home.path.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2024-05-01"], "the following arguments are required: --to"),
        (["--from", "2024-05-02", "--to", "2024-05-01"], "--to 2024-05-01 is before --from 2024-05-02"),
        (["--from", "2024-05-01", "--to", "2024-07-01"], "accepted: 2024-01-01 to 2024-06-30"),
        (
            ["--from", "2024-05-01", "--to", "2024-05-02", "--chunk", "0"],
            "argument --chunk: '0' is no number of days; accepted: 1 and more",
        ),
    ],
)
def test_a_wrong_backfill_says_what_is_accepted(home, command, arguments, message):
    status, said = command("backfill", *arguments)

    assert status == 2
    assert message in said.splitlines()[-1]
    assert not home.path.exists()


def test_a_backfill_that_fails_says_how_to_go_on(home, command):
    no_products(home)

    status, said = command("backfill", "--from", "2024-05-01", "--to", "2024-05-03", "--chunk", "2")

    assert status == 1
    assert said.splitlines()[-1] == (
        "winback: run 1 of 2 failed; 0 of 3 dates are done. Mend what it names; the same command then goes "
        "on from here"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--profile", "nowhere"],
            f"profile 'nowhere' is neither a name in data/profiles/ ({', '.join(profile_names())}) "
            "nor a path",
        ),
        (
            ["--date", "2024-07-01"],
            "2024-07-01 is no as-of date of profile small_shop; accepted: 2024-01-01 to 2024-06-30",
        ),
        (["--date", "2023-12-31"], "accepted: 2024-01-01 to 2024-06-30"),
        (["--from", "2024-05-01"], "a range needs --from and --to"),
        (["--to", "2024-05-01"], "a range needs --from and --to"),
        (["--from", "2024-05-02", "--to", "2024-05-01"], "--to 2024-05-01 is before --from 2024-05-02"),
        (["--date", "2024-05-01", "--from", "2024-05-01"], "give --date, or --from with --to, not both"),
        (["--date", "tomorrow"], "argument --date: 'tomorrow' is no date; accepted: YYYY-MM-DD"),
    ],
)
def test_a_wrong_request_says_what_is_accepted(home, command, arguments, message):
    status, said = command("run", *arguments)

    assert status == 2
    assert message in said.splitlines()[-1]
    assert not home.path.exists()


def test_a_wrong_variable_names_itself_and_its_value(home, command, monkeypatch):
    monkeypatch.setattr(Home, "environment", home.environment | {"WINBACK_THREADS": "zero"})

    status, said = command()

    assert status == 2
    assert said.startswith("winback: environment: WINBACK_THREADS='zero': Input should be a valid integer")
    assert said.count("\n") == 1
    assert not home.path.exists()


def test_the_home_of_another_shop_is_left_alone(home, command):
    prepare_home(home.settings)
    change_profile(home, "name: small_shop", "name: other_shop")
    before = sorted(home.path.rglob("*"))

    status, said = command()

    assert status == 2
    assert f"the data home {home.path} belongs to profile 'small_shop'" in said
    assert "this run is for profile 'other_shop'" in said
    assert "set WINBACK_DATA_DIR to another folder" in said
    assert said.count("\n") == 1
    assert sorted(home.path.rglob("*")) == before


def no_products(home):
    (home.shop.folder / "products.csv").unlink()


def unset_variable(home):
    change_profile(
        home,
        f"path: {home.shop.folder}/products.csv}}",
        "path: '${TILL_EXPORT}/products.csv', hint: The office has the till's export.}",
    )


def column_that_is_not_there(home):
    change_profile(home, "category: category", "category: department")


def broken_parquet(home):
    folder = home.shop.folder
    (folder / "products.parquet").write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1")
    change_profile(home, f"{folder}/products.csv", f"{folder}/products.parquet")


@pytest.mark.parametrize(
    ("spoil", "key", "messages"),
    [
        (no_products, "source.path", ["FOLDER/products.csv", "does not exist"]),
        (
            unset_variable,
            "source.path",
            ["the environment variable TILL_EXPORT is not set", "The office has the till's export."],
        ),
        (
            column_that_is_not_there,
            "columns.category",
            ["'department' is neither a column of the source", "product, name, category, price, cost"],
        ),
        (broken_parquet, "source", ["FOLDER/products.parquet cannot be read as parquet"]),
    ],
)
def test_a_source_that_cannot_be_taken_in_is_named_with_its_remedy(home, command, spoil, key, messages):
    spoil(home)

    status, said = command()

    assert status == 1
    fault = f"extract: {home.shop.profile}: feeds.products.{key}: "
    assert said.count(fault) == 1
    for text in messages:
        assert text.replace("FOLDER", str(home.shop.folder)) in said.partition(fault)[2]
    settings = home.settings
    assert not settings.published_file.exists()
    assert not (settings.lake_dir / "emissions").exists()
    assert list((settings.lake_dir / "feeds").glob("*/.tmp-*")) == []
    assert not (settings.lake_dir / "feeds" / "products").exists()


def test_an_unreadable_line_is_quarantined_and_the_run_succeeds(eve, small_shop, capfd):
    late = small_shop.folder / "sales_unreadable.csv"
    header = (small_shop.folder / "sales.csv").read_text(encoding="utf-8").splitlines()[0]
    good = "L1,1,M001,S1,2024-06-30 12:00:00,P01,1,3.00,0.00"
    late.write_text(f'{header}\n{good}\nL2,1,M001,"S1\n', encoding="utf-8")
    try:
        assert eve.run() == 0
    finally:
        late.unlink()

    assert "2 read = 1 loaded + 1 quarantined + 0 duplicate" in capfd.readouterr().err
    with eve.published() as con:
        counted = con.execute(
            "select rows_read, rows_loaded, quarantined_by_reason from quality.ingestions where source = ?",
            [str(late)],
        ).fetchall()
    assert counted == [(2, 1, '{"unreadable_line": 1}')]


@pytest.mark.parametrize(("words", "status"), [(["run"], 1), (["rebuild"], 2)])
def test_who_waits_too_long_for_another_run_is_told_which(home, command, monkeypatch, words, status):
    monkeypatch.setattr(Home, "environment", home.environment | {"WINBACK_LOCK_TIMEOUT_SECONDS": "0.5"})
    prepare_home(home.settings)
    History(home.settings.lake_dir).folder.mkdir(parents=True)
    (History(home.settings.lake_dir).folder / "moved_on=2024-06-30.parquet").touch()
    lock = Warehouse.from_settings(home.settings).lock.path
    lock.parent.mkdir(parents=True, exist_ok=True)
    hold = (
        "import sys; from pathlib import Path; from pipelines.resources.warehouse import RunLock; "
        "RunLock(Path(sys.argv[1]), 60).acquire('their-run'); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)],
        cwd=PROJECT_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        ended, said = command(*words)
        holder.stdin.close()

    assert ended == status
    assert f"the warehouse is still held by run their-run (pid {holder.pid})" in said
    assert "WINBACK_LOCK_TIMEOUT_SECONDS" in said


def test_the_command_itself_ends_with_the_status_and_the_message(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "run", "--profile", str(tmp_path / "none.yaml")],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"winback: profile '{tmp_path / 'none.yaml'}' is neither a name in")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("require_spark")
def test_spark_takes_only_what_was_computed(home, capsys):
    assert home.winback("spark") == 2
    assert "no date was computed yet" in capsys.readouterr().err
