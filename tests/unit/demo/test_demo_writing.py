"""Writing: whole or not at all, never over somebody else's files, in as many batches as it takes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from demo_shops import truth_of, write_into

from pipelines.demo import (
    DemoShop,
    DemoShopError,
    FeedCounts,
    has_demo_shop,
    rates,
    read_marker,
    shop,
    write_demo_shop,
)
from pipelines.demo.marker import MARKER_NAME


@pytest.fixture
def tiny_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world of two files, where only the writing matters."""

    def write(landing: Path, truth: Path, *, seed: int, **_: object) -> dict[str, FeedCounts]:
        for folder, name in ((landing, "pos_sales/sales.csv"), (truth, "person/part-000.parquet")):
            (folder / name).parent.mkdir()
            (folder / name).write_text(f"seed {seed}\n", encoding="utf-8")
        return {}

    monkeypatch.setattr(shop, "_write_world", write)


def test_the_marker_says_what_is_there(small_shop: DemoShop, tmp_path: Path) -> None:
    marker = read_marker(small_shop.landing)
    assert marker == small_shop.marker
    assert marker is not None and (marker.customers, marker.seed) == (300, rates.DEFAULT_SEED)
    assert has_demo_shop(small_shop.landing, customers=300)
    assert not has_demo_shop(small_shop.landing, customers=301)
    assert not has_demo_shop(small_shop.landing, customers=300, seed=1)
    assert not has_demo_shop(tmp_path / "nowhere", customers=300)
    assert read_marker(tmp_path / "nowhere") is None


def test_a_shop_with_a_file_missing_or_cut_is_none(tmp_path: Path, tiny_world: None) -> None:
    written = write_into(tmp_path, customers=100)
    file = written.landing / "pos_sales" / "sales.csv"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert not has_demo_shop(written.landing, customers=100)
    file.unlink()
    assert not has_demo_shop(written.landing, customers=100)


def test_a_memory_limit_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoShopError, match="memory_limit: 'plenty' is no amount of memory"):
        write_demo_shop(tmp_path / "landing", tmp_path / "truth", customers=100, memory_limit="plenty")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"customers": 99}, "customers: 99 is out of range; accepted: 100 to 5000000"),
        ({"customers": 5_000_001}, "customers: 5000001 is out of range"),
        ({"seed": -1}, "seed: -1 is out of range"),
        ({"threads": 0}, "threads: 0 is out of range"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(DemoShopError, match=message):
        write_into(tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["landing", "demo_truth"])
def test_files_of_somebody_else_are_never_touched(tmp_path: Path, folder: str) -> None:
    theirs = tmp_path / folder / "pos_sales" / "mine.csv"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("receipt\n", encoding="utf-8")
    with pytest.raises(
        DemoShopError, match=r"holds files that the demo shop did not write \(pos_sales/mine.csv\)"
    ):
        write_into(tmp_path, customers=100)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [theirs]


def test_a_file_dropped_into_a_demo_shop_keeps_it_from_being_replaced(
    tmp_path: Path, tiny_world: None
) -> None:
    written = write_into(tmp_path, customers=100)
    (written.landing / "pos_sales" / "today.csv").write_text("x\n", encoding="utf-8")
    with pytest.raises(DemoShopError, match=r"pos_sales/today\.csv"):
        write_into(tmp_path, customers=100, seed=2)
    assert has_demo_shop(written.landing, customers=100)


def test_folders_in_one_another_and_broken_markers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoShopError, match="lie in one another"):
        write_demo_shop(tmp_path / "landing", tmp_path / "landing" / "truth", customers=100)
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / MARKER_NAME).write_text("{}", encoding="utf-8")
    with pytest.raises(DemoShopError, match="is not the marker of a demo shop"):
        read_marker(tmp_path / "landing")
    assert not has_demo_shop(tmp_path / "landing", customers=100)


def test_a_failure_half_way_leaves_the_old_shop_and_no_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(shop, "_write_world", lambda landing, truth, **_: {})
        written = write_into(tmp_path, customers=100)

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(shop.truth, "write_truth", fail)
    with pytest.raises(DemoShopError, match="cannot be written: no space left"):
        write_into(tmp_path, customers=100, seed=2)
    assert has_demo_shop(written.landing, customers=100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo_truth", "landing"]


@pytest.mark.parametrize("call", range(1, 8))
def test_a_kill_at_any_moment_of_the_move_is_seen_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_world: None, call: int
) -> None:
    class Killed(BaseException):
        pass

    write_into(tmp_path, customers=100)
    calls: list[object] = []

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object) -> object:
            calls.append(arguments)
            if len(calls) == call:
                raise Killed
            return function(*arguments)

        return wrapped

    with monkeypatch.context() as patch:
        # Five renames of the marker and the two folders, then both markers.
        patch.setattr(Path, "rename", counted(Path.rename))
        patch.setattr(Path, "replace", counted(Path.replace))
        with pytest.raises(Killed):
            write_into(tmp_path, customers=100, seed=2)
    # Before the first rename the old shop is whole; the new one is not before the last step.
    assert has_demo_shop(tmp_path / "landing", customers=100) == (call == 1)
    assert not has_demo_shop(tmp_path / "landing", customers=100, seed=2)
    written = write_into(tmp_path, customers=100, seed=2)
    assert has_demo_shop(written.landing, customers=100, seed=2)
    assert (written.truth / "person/part-000.parquet").read_text(encoding="utf-8") == "seed 2\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo_truth", "landing"]


def test_what_a_killed_call_left_beside_is_removed(tmp_path: Path, tiny_world: None) -> None:
    for name in (".landing.demo-tmp", ".landing.demo-old", ".demo_truth.demo-tmp"):
        (tmp_path / name / "pos_sales").mkdir(parents=True)
        (tmp_path / name / "pos_sales" / "half.csv").write_text("x", encoding="utf-8")
    written = write_into(tmp_path, customers=100)
    assert has_demo_shop(written.landing, customers=100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo_truth", "landing"]


def test_a_large_shop_comes_in_parts_whose_people_do_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "BATCH_CUSTOMERS", 120)
    written = write_into(tmp_path, customers=300)
    names = {path.name for path in (written.landing / "web_events").iterdir()}
    assert "events_2024h1_part001.jsonl.gz" in names and "events_2024h1_part003.jsonl.gz" in names
    assert [path.name for path in (written.landing / "products").iterdir() if "part002" in path.name] == []
    with truth_of(written) as con:
        row = con.execute(
            """
            select
                (select count(distinct person_no) from person),
                (select count(*) - count(distinct account_key) from account),
                (select count(*) - count(distinct order_id) from purchase),
                (select count(*) from campaign_effect)
            """
        ).fetchone()
    assert row == (300, 0, 0, 36)
