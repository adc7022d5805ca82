"""Files that somebody is still writing wait for the next run."""

import threading
import time

import pytest
from feed_shop import Shop

from pipelines.feeds.errors import SourceNotFoundError, SourceUnreadableError


@pytest.mark.parametrize(
    "name", [".b.csv", "~b.csv", "b.csv.part", "b.csv.tmp", "b.csv.crdownload", "b.csv~"]
)
def test_a_temporary_name_waits(shop: Shop, name: str) -> None:
    shop.write("in/a.csv", "id,amount\na,1\n")
    shop.write(f"in/{name}", "id,amount\nb,1\n")
    extraction = shop.extraction("in/*.csv")
    assert [each.source for each in extraction.ingestions] == ["in/a.csv"]
    assert [str(each) for each in extraction.waiting] == [
        f"waits: in/{name} (its name is a temporary one); the next run takes it"
    ]
    (shop.folder / "in" / name).rename(shop.folder / "in/b.csv")
    assert [each.source for each in shop.extract("in/*.csv")] == ["in/b.csv"]


@pytest.mark.parametrize("path", ["in/b.csv", "in/*.csv"])
def test_nothing_but_waiting_files_is_no_error(shop: Shop, path: str) -> None:
    with pytest.raises(SourceNotFoundError):
        shop.extract(path)
    shop.write("in/b.csv.part", "id,")
    extraction = shop.extraction(path)
    assert (extraction.ingestions, len(extraction.waiting)) == ((), 1)


def test_a_growing_file_waits_and_an_old_one_costs_no_time(shop: Shop) -> None:
    path = shop.write("in/b.csv", "id,amount\n")
    stop = threading.Event()

    def write() -> None:
        with path.open("a") as file:
            while not stop.is_set():
                file.write("x,1\n")
                file.flush()
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        extraction = shop.extraction("in/*.csv", settle_seconds=0.3)
    finally:
        stop.set()
        writer.join()
    assert extraction.ingestions == ()
    assert [each.reason for each in extraction.waiting] == ["its size or time is changing"]
    time.sleep(0.2)
    start = time.monotonic()
    assert len(shop.extraction("in/*.csv", settle_seconds=0.1).ingestions) == 1
    assert time.monotonic() - start < 5


def test_a_fresh_file_that_is_complete_is_taken(shop: Shop) -> None:
    shop.write("sales.csv", "id,amount\nx,1\n")
    assert len(shop.extraction(settle_seconds=0.1).ingestions) == 1


def test_a_joined_file_that_waits_makes_the_feed_wait(shop: Shop) -> None:
    shop.write("sales.csv", "id,amount\nx,1\n")
    shop.write("names.csv.part", "id,name\n")
    extraction = shop.extraction(
        also={"names": {"type": "file", "path": "names.csv"}},
        query="select * from source left join names using (id)",
    )
    assert (extraction.ingestions, len(extraction.waiting)) == ((), 1)


def test_an_empty_jsonl_has_no_rows_and_an_empty_csv_is_refused(shop: Shop) -> None:
    shop.write("sales.jsonl", "")
    (ingestion,) = shop.extract("sales.jsonl")
    assert (ingestion.rows_read, shop.rows()) == (0, [])
    assert shop.quarantine() == []
    shop.write("sales.jsonl", '{"id": "x", "amount": 1}\n')
    shop.extract("sales.jsonl")
    assert shop.rows("sale_id") == [("x",)]
    shop.write("sales.csv", "")
    with pytest.raises(SourceUnreadableError, match="is empty"):
        shop.extract()
