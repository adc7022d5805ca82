"""Emitting a date: its decisions become history once, and its files follow from that history alone."""

import csv
import json
import stat
from datetime import date, datetime, timedelta

import duckdb
import pytest
from sent_shop import DAY, NEXT_DAY, OPTIONS, buy, create, decide, sending

from pipelines.activation.emission import (
    ASSIGNMENT_COLUMNS,
    DECISION_COLUMNS,
    TOUCH_COLUMNS,
    EmissionStore,
)


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        create(connection)
        yield connection


@pytest.fixture
def store(tmp_path):
    return EmissionStore(tmp_path / "lake", tmp_path / "audiences")


def freeze(con, store, day=DAY, run_id="r1"):
    return store.freeze(con, day, sending(day, run_id), policy_version="p1", options=OPTIONS)


def emit(con, store, day=DAY, run_id="r1"):
    """Freeze and export; the exports by the name of their file."""
    freeze(con, store, day, run_id)
    return {export.file.name: export for export in store.export(day)}


def rows_of(file):
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def plain(file):
    """The file's own columns: its folder's name would be read as one more."""
    return f"read_parquet('{file}', hive_partitioning = false)"


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sent_customer_is_a_line_per_account_in_order_of_priority(con, store):
    decide(con, "c2", priority=2)
    decide(con, "c1", account="M7")
    con.execute("insert into core.customer_account values ('online', 'A1', 'c1')")
    decide(con, "c3", "holdout")
    decide(con, "c4", "no_action")
    decide(con, "c5", day=NEXT_DAY)
    decide(con, "c6", channel="email")

    exports = emit(con, store)

    crm, email = rows_of(exports["crm.csv"].file), rows_of(exports["email.csv"].file)
    assert [(row["account_source"], row["account_id"]) for row in crm] == [
        ("online", "A1"),
        ("pos", "M7"),
        ("pos", "c2"),
    ]
    assert [row["email"] for row in email] == ["c6@example.com"]
    assert (exports["crm.csv"].rows, exports["email.csv"].rows) == (3, 1)
    assert exports["crm.csv"].file == store.folder_of(DAY) / "crm" / "crm.csv"


def test_frozen_are_all_decisions_and_touches_are_sends_and_ghosts(con, store):
    decide(con, "c1", channel="email", step=2, expected_cost="0.05", offer_id="o1")
    decide(con, "c2", "holdout", send_after=datetime(2024, 7, 3, 23, 30))  # noqa: DTZ001 - the shop's time
    decide(con, "c3", "no_action")
    con.execute(
        """
        insert into activation.assignment values
            ('u2', 'c2', '2024H2', 'holdout', '2024-06-30', 'e2', 0.1),
            ('u1', 'c1', '2024H2', 'treated', '2024-06-30', 'e1', 0.1),
            ('u9', 'c9', '2024H2', 'treated', '2024-06-29', 'e9', 0.1)
        """
    )
    emit(con, store)

    (decisions,), (touches,), (assignments,) = (
        store.decision_files(),
        store.touch_files(),
        store.assignment_files(),
    )
    for file, columns in (
        (decisions, DECISION_COLUMNS),
        (touches, TOUCH_COLUMNS),
        (assignments, ASSIGNMENT_COLUMNS),
    ):
        described = con.execute(f"describe from {plain(file)}").fetchall()
        assert [(row[0], row[1].lower()) for row in described] == list(columns.items())
    assert con.execute(f"select customer_id from {plain(decisions)}").fetchall() == [
        ("c1",),
        ("c2",),
        ("c3",),
    ]
    kept = "customer_id, decision, send_on, valid_until, step, offer_id, template_id, address_key"
    assert con.execute(f"select {kept} from {plain(touches)}").fetchall() == [
        ("c1", "send", date(2024, 7, 1), date(2024, 7, 7), 2, "o1", "hello", "k_c1"),
        ("c2", "holdout", date(2024, 7, 3), date(2024, 7, 7), None, None, None, "k_c2"),
    ]
    drawn = con.execute(f"select unit_id, arm from {plain(assignments)}").fetchall()
    assert drawn == [("u1", "treated"), ("u2", "holdout")]


def test_an_emission_of_an_older_version_is_still_one(con, store):
    """Without assignments, removals and rendered messages but the CRM's, and with fewer columns."""
    old = store.folder / f"as_of={DAY}"
    old.mkdir(parents=True)
    for name in ("decisions", "touches", "export_crm"):
        columns = "'t1' as touch_id, 'c1' as customer_id, 'send' as decision, 'crm' as channel"
        con.execute(f"copy (select {columns}) to '{old / name}.parquet' (format parquet)")
    record = {"as_of_date": str(DAY), "run_id": "r0", "policy_version": "p0"}
    (old / "emission.json").write_text(json.dumps(record), encoding="utf-8")
    (old / "exported").touch()
    decide(con, "c1", day=NEXT_DAY)
    buy(con, "c1", NEXT_DAY)

    exports = emit(con, store, NEXT_DAY)

    assert exports["crm.csv"].rows == 1
    assert store.unexported() == []
    assert len(store.assignment_files()) == 1
    assert store.removals_of(con, DAY) == store.removals_of(con, NEXT_DAY) == {}


def test_a_frozen_date_is_not_written_again(con, store, tmp_path):
    decide(con, "c1")
    emit(con, store)
    before = content(tmp_path)
    con.execute("update activation.recall_decision set decision = 'no_action'")
    decide(con, "c2")

    exports = emit(con, store, run_id="r2")

    assert content(tmp_path) == before
    assert exports["crm.csv"].rows == 1


def test_two_homes_write_the_same_bytes(con, store, tmp_path):
    other = EmissionStore(tmp_path / "other" / "lake", tmp_path / "other" / "audiences")
    for home in (store, other):
        con.execute("delete from activation.recall_decision")
        decide(con, "c1", channel="email")
        decide(con, "c2", "holdout")
        emit(con, home)
        decide(con, "c3", day=NEXT_DAY)
        buy(con, "c1", NEXT_DAY)
        emit(con, home, NEXT_DAY)
        con.execute("delete from core.purchase_day")
        for table in ("core.customer_account", "core.int_permission", "marts.customer_dormancy"):
            con.execute(f"delete from {table}")

    assert content(store.folder) == content(other.folder)
    assert content(store.audiences_dir) == content(other.audiences_dir)
    assert content(store.removals.folder) == content(other.removals.folder)


@pytest.mark.parametrize("died", ["before the files", "between the files", "before the marker"])
def test_what_died_between_freeze_and_export_is_finished_with_the_same_bytes(con, store, tmp_path, died):
    whole = EmissionStore(tmp_path / "whole" / "lake", tmp_path / "whole" / "audiences")
    for home in (whole, store):
        if home is whole:
            decide(con, "c1", channel="email")
            decide(con, "c2", day=NEXT_DAY)
            buy(con, "c1", NEXT_DAY)
        emit(con, home)
        freeze(con, home, NEXT_DAY)
    whole.export(NEXT_DAY)
    target = store.folder_of(NEXT_DAY)
    if died == "between the files":
        # As SIGKILL leaves it: half a folder under its temporary name, and nothing cleaned up.
        half = target.with_name(f".tmp-{target.name}") / "crm"
        half.mkdir(parents=True)
        (half / "crm.csv").write_text("touch", encoding="utf-8")
    elif died == "before the marker":
        store.export(NEXT_DAY)
        (store.folder / f"as_of={NEXT_DAY}" / "exported").unlink()
        (store.removals.folder / f"{NEXT_DAY}.parquet").unlink()
    # Meanwhile the warehouse says something else, and another run comes.
    con.execute("delete from activation.recall_decision; delete from core.purchase_day")

    assert store.unexported() == [NEXT_DAY]
    emit(con, store, NEXT_DAY, run_id="r2")

    assert store.unexported() == []
    assert content(store.audiences_dir) == content(whole.audiences_dir)
    assert content(store.removals.folder) == content(whole.removals.folder)


def test_a_date_that_was_frozen_and_not_exported_is_known(con, store):
    decide(con, "c1")
    decide(con, "c2", day=NEXT_DAY)
    freeze(con, store)
    assert store.unexported() == [DAY]
    emit(con, store, NEXT_DAY)
    assert store.unexported() == [DAY]

    store.export(DAY)

    assert store.unexported() == []


def test_a_freeze_that_died_half_way_counts_as_nothing(con, store):
    decide(con, "c1")
    half = store.folder / f".tmp-as_of={DAY}"
    half.mkdir(parents=True)
    (half / "decisions.parquet").write_bytes(b"PAR1")

    assert store.dates() == []
    exports = emit(con, store)

    assert exports["crm.csv"].rows == 1
    assert store.dates() == [DAY]
    assert not half.exists()


def test_a_freeze_that_fails_leaves_nothing(con, store):
    decide(con, "c1", channel="email", template_id="nowhere")

    with pytest.raises(ValueError, match="nowhere"):
        freeze(con, store)

    assert list(store.folder.iterdir()) == []


def test_simulated_decisions_are_not_sent(con, store):
    decide(con, "c1")
    decide(con, "c2", simulated=True)

    with pytest.raises(ValueError, match="the decisions for 2024-06-30 are simulated and cannot be sent"):
        freeze(con, store)
    assert store.dates() == []


def test_yesterdays_decisions_are_not_sent_after_todays(con, store):
    # As when a run died between its decisions and its audiences, and the audiences are launched alone later.
    decide(con, "c1", day=DAY)
    decide(con, "c1", day=NEXT_DAY)
    freeze(con, store, NEXT_DAY)

    with pytest.raises(ValueError, match=r"2024-07-01 was sent since .* Run 2024-06-30 again"):
        freeze(con, store, DAY)

    assert store.dates() == [NEXT_DAY]


def test_a_date_without_decisions_is_refused(con, store):
    decide(con, "c1", day=NEXT_DAY)

    with pytest.raises(ValueError, match="no decisions for 2024-06-30: materialise activation"):
        freeze(con, store)


def test_audiences_that_marketing_deleted_do_not_come_back(con, store):
    decide(con, "c1")
    emit(con, store)
    for file in sorted(store.folder_of(DAY).rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    store.folder_of(DAY).rmdir()

    assert store.unexported() == []
    assert emit(con, store) == {}
    assert not store.folder_of(DAY).exists()


def test_emitted_files_are_for_their_owner_only(con, store):
    decide(con, "c1", channel="email")
    emit(con, store)
    decide(con, "c2", day=NEXT_DAY)
    buy(con, "c1", NEXT_DAY)
    emit(con, store, NEXT_DAY)

    for root in (store.folder, store.audiences_dir, store.removals.folder):
        for path in [root, *root.rglob("*")]:
            if path.name != "exported":
                wanted = 0o700 if path.is_dir() else 0o600
                assert (path, stat.S_IMODE(path.stat().st_mode)) == (path, wanted)


def test_two_emitted_dates_stand_beside_each_other(con, store):
    decide(con, "c1")
    decide(con, "c2", day=NEXT_DAY)
    emit(con, store, DAY)
    emit(con, store, NEXT_DAY)

    assert store.dates() == [DAY, NEXT_DAY]
    assert [file.parent.name for file in store.decision_files([NEXT_DAY])] == [f"as_of={NEXT_DAY}"]


def test_the_next_date_takes_back_who_has_bought_since(con, store):
    for customer in ("c1", "c2"):
        decide(con, customer, channel="email")
    emit(con, store)
    decide(con, "c3", channel="email", day=NEXT_DAY)
    buy(con, "c1", NEXT_DAY)

    emit(con, store, NEXT_DAY)

    delta = rows_of(store.folder_of(NEXT_DAY) / "email" / "email_delta.csv")
    assert [(row["change"], row["removed_because"], row["email"]) for row in delta] == [
        ("remove", "bought", "c1@example.com"),
        ("add", "", "c3@example.com"),
    ]
    assert store.removals_of(con, NEXT_DAY) == {("email", "bought"): 1}
    assert len(store.removals.files()) == 1


def test_a_scrub_takes_back_between_two_dates_and_the_next_date_not_again(con, store):
    for customer in ("c1", "c2"):
        decide(con, customer, channel="email")
    emit(con, store)
    buy(con, "c1", NEXT_DAY)

    scrubbed = store.scrub(con, sending(DAY, "s1", hour=8))

    assert scrubbed.removed == {("email", "bought"): 1}
    assert scrubbed.folder == store.audiences_dir / "scrub" / "20240701T080000Z"
    delta = rows_of(scrubbed.folder / "email" / "email_delta.csv")
    assert [(row["change"], row["email"]) for row in delta] == [("remove", "c1@example.com")]
    manifest = json.loads((scrubbed.folder / "email" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["run_id"], manifest["scrubbed_at"]) == ("s1", "20240701T080000Z")
    assert sorted(path.name for path in scrubbed.folder.iterdir()) == ["email"]

    decide(con, "c3", channel="email", day=NEXT_DAY)
    emit(con, store, NEXT_DAY)
    assert store.removals_of(con, NEXT_DAY) == {}


def test_a_scrub_with_nothing_to_take_back_writes_nothing(con, store):
    decide(con, "c1", channel="email")
    emit(con, store)
    before = content(store.audiences_dir), content(store.removals.folder)

    scrubbed = store.scrub(con, sending(DAY, "s1"))

    assert (scrubbed.folder, scrubbed.removed) == (None, {})
    assert (content(store.audiences_dir), content(store.removals.folder)) == before
    assert store.scrub_folders() == []


def test_a_scrub_that_died_is_done_again(con, store, monkeypatch):
    decide(con, "c1", channel="email")
    emit(con, store)
    buy(con, "c1", NEXT_DAY)

    def full_disk(_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.activation.emission.os.fsync", full_disk)
        with pytest.raises(OSError, match="no space"):
            store.scrub(con, sending(DAY, "s1", hour=8))
    assert store.scrub_folders() == []

    assert store.scrub(con, sending(DAY, "s2", hour=9)).removed == {("email", "bought"): 1}
    assert store.scrub(con, sending(DAY, "s3", hour=10)).removed == {}


def test_old_audiences_and_messages_are_deleted_and_history_stays(con, store):
    days = [DAY + timedelta(days=number) for number in (0, 3, 5)]
    for day in days:
        decide(con, f"c{day:%d}", day=day, channel="email")
        emit(con, store, day)
    buy(con, "c30", days[1])
    scrubbed = store.scrub(con, sending(DAY, "s1"))
    assert scrubbed.folder is None  # looked at the day before the purchase
    scrubbed = store.scrub(con, sending(days[1], "s1"))

    assert store.prune(3, days[-1]) == ["emissions/as_of=2024-06-30", "audiences/as_of=2024-06-30"]
    assert store.prune(3, days[-1]) == []

    assert not store.folder_of(DAY).exists()
    assert store.folder_of(days[1]).exists()
    assert scrubbed.folder is not None and scrubbed.folder.exists()
    frozen = {file.name for file in (store.folder / f"as_of={DAY}").iterdir()}
    assert not {name for name in frozen if name.startswith("export_")}
    assert {"decisions.parquet", "touches.parquet", "assignments.parquet", "exported"} <= frozen
    assert store.export(DAY) == []

    assert store.prune(3, days[-1] + timedelta(days=30))[-1] == "scrub/20240704T050000Z"
    assert store.scrub_folders() == []


def test_what_waits_for_its_export_is_not_deleted(con, store):
    decide(con, "c1")
    freeze(con, store)

    assert store.prune(1, DAY + timedelta(days=30)) == []
    assert {export.file.name for export in store.export(DAY)} >= {"crm.csv"}
