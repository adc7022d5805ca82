"""A database that is away for a moment is asked again by the step; what is wrong is not."""

import errno
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
from adbc_driver_postgresql import dbapi
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult
from data_home import Home
from small_shop import write_small_shop

from pipelines.build import build_definitions
from pipelines.failures import causes
from pipelines.resources.instance import prepare_home
from pipelines.retries import RETRIES, passes

SERVER = "postgresql://postgres@127.0.0.1:5432/test"
SOURCE = "{type: postgres, url: '${TILL_URL}', table: TABLE, retries: 0, connect_timeout: 2}"


@pytest.fixture
def table(require_absent) -> Iterator[str]:
    """A table of products in a schema of its own."""
    schema = f"winback_{uuid.uuid4().hex[:8]}"
    try:
        connection = dbapi.connect(SERVER, autocommit=True)
    except dbapi.Error as error:
        require_absent(f"PostgreSQL on 127.0.0.1:5432 with a database test for the user postgres: {error}")
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create schema {schema}")
        columns = "product text, name text, category text, price numeric, cost numeric"
        cursor.execute(f"create table {schema}.products ({columns})")
        cursor.execute(f"insert into {schema}.products values ('P01', 'tea', 'tea', 2, 1)")
        yield f"{schema}.products"
        cursor.execute(f"drop schema {schema} cascade")


@pytest.fixture
def extract(tmp_path, monkeypatch):
    """Takes in the products of a shop that has them in a database; nothing else of it."""
    monkeypatch.setattr("pipelines.retries.WAIT_SECONDS", 0.05)

    def run(url: str, table: str) -> ExecuteInProcessResult:
        monkeypatch.setenv("TILL_URL", url)
        shop = write_small_shop(tmp_path / "shop")
        text = shop.profile.read_text(encoding="utf-8")
        file = f"{{type: file, path: {shop.folder}/products.csv}}"
        assert text.count(file) == 1
        shop.profile.write_text(text.replace(file, SOURCE.replace("TABLE", table)), encoding="utf-8")
        home = Home(shop, tmp_path / "home")
        prepare_home(home.settings)
        job = build_definitions(home.settings).resolve_implicit_global_asset_job_def()
        only = job.get_subset(asset_selection={AssetKey(["raw", "products"])}, asset_check_selection=set())
        with DagsterInstance.ephemeral() as instance:
            return only.execute_in_process(
                instance=instance, run_config={"loggers": {"console": {}}}, raise_on_error=False
            )

    return run


def retries(result: ExecuteInProcessResult) -> int:
    return sum(event.is_step_up_for_retry for event in result.all_events)


def test_a_database_that_cuts_the_connection_once_is_asked_again(extract, table) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        result = extract(SERVER.replace(":5432", f":{listener.getsockname()[1]}"), table)

    assert result.success
    assert retries(result) == 1
    (made,) = result.asset_materializations_for_node("extract")
    assert made.metadata["rows_loaded"].value == 1


def test_one_that_stays_away_fails_the_run_with_its_own_words(extract) -> None:
    result = extract("postgresql://me:s3cr3t@127.0.0.1:1/test", "products")

    assert not result.success
    assert retries(result) == RETRIES
    (cause,) = causes(result.all_events)
    assert (cause.kind, cause.step) == ("Failure", "extract")
    assert (
        "feeds.products.source.url: postgres:products at 127.0.0.1:1/test: the database cannot be"
        in cause.message
    )
    assert "s3cr3t" not in cause.message


def test_what_is_wrong_is_as_wrong_a_minute_later(extract, table) -> None:
    result = extract(SERVER, f"{table}_2023")

    assert not result.success
    assert retries(result) == 0
    assert "the table does not exist" in causes(result.all_events)[0].message


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ESTALE, True), (errno.EIO, True), (errno.ENOSPC, False), (errno.EACCES, False), (None, False)],
)
def test_a_full_disk_needs_a_person_and_a_shared_one_may_come_back(number, expected) -> None:
    assert passes(OSError(number, "said")) is expected


def _serve(listener: socket.socket) -> None:
    """Cuts the first connection and passes the others on."""
    with suppress(OSError):
        listener.accept()[0].close()
        while True:
            connection = listener.accept()[0]
            upstream = socket.create_connection(("127.0.0.1", 5432))
            for source, target in ((connection, upstream), (upstream, connection)):
                threading.Thread(target=_pipe, args=(source, target), daemon=True).start()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
