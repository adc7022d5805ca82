"""Emitting a date: its decisions become history once, and its files follow from that history alone."""

import csv
import hashlib
import json
import stat
from datetime import date

import duckdb
import pytest

from pipelines.activation.emission import DECISION_COLUMNS, TOUCH_COLUMNS, EmissionStore

CRM_COLUMNS = [
    "touch_id",
    "campaign_id",
    "journey",
    "account_source",
    "account_id",
    "customer_id",
    "guide_class",
    "dormancy_state",
    "value_tier",
    "explanation",
    "explanation_zh",
    "priority",
    "send_after",
    "valid_until",
]
DAY, NEXT_DAY = date(2024, 6, 30), date(2024, 7, 1)


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        for schema in ("activation", "core", "marts"):
            connection.execute(f"create schema {schema}")
        columns = ", ".join(f"{name} {kind}" for name, kind in DECISION_COLUMNS.items())
        connection.execute(f"create table activation.recall_decision ({columns})")
        connection.execute(
            """
            create table core.customer_account (source varchar, account_key varchar, customer_id varchar);
            create table marts.customer_rfm (as_of_date date, customer_id varchar, guide_class varchar);
            create table marts.customer_dormancy (
                as_of_date date, customer_id varchar, dormancy_state varchar, value_tier varchar,
                explanation varchar, explanation_zh varchar
            );
            """
        )
        yield connection


@pytest.fixture
def store(tmp_path):
    return EmissionStore(tmp_path / "lake", tmp_path / "audiences")


def decide(con, customer, decision="send", *, day=DAY, simulated=False, priority=1, account=None):
    """One decision, and the customer's account with its explanation."""
    selected = decision in ("send", "holdout")
    con.execute(
        "insert into activation.recall_decision by name select * from (values (?, ?, ?, ?, ?, ?, ?, ?, ?)) "
        "as given (as_of_date, customer_id, decision, touch_id, channel, priority, valid_until, simulated, "
        "run_id)",
        [
            day,
            customer,
            decision,
            f"t_{customer}" if selected else None,
            "crm" if selected else None,
            priority if selected else None,
            date(2024, 7, 7) if selected else None,
            simulated,
            "r1",
        ],
    )
    con.execute("insert into core.customer_account values ('pos', ?, ?)", [account or customer, customer])
    con.execute("insert into marts.customer_rfm values (?, ?, 'general')", [day, customer])
    con.execute(
        "insert into marts.customer_dormancy "
        "values (?, ?, 'dormant', 'high', 'Silent, since \"May\"', '沉睡')",
        [day, customer],
    )


def emit(con, store, day=DAY, run_id="r1"):
    store.freeze(con, day, run_id=run_id, policy_version="p1")
    return store.export(day)


def rows_of(export):
    with export.file.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plain(file):
    """The file's own columns: its folder's name would be read as one more."""
    return f"read_parquet('{file}', hive_partitioning = false)"


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sent_customer_is_a_line_per_account_in_order_of_priority(con, store):
    decide(con, "c2", priority=2)
    decide(con, "c1", priority=1, account="M7")
    con.execute("insert into core.customer_account values ('online', 'A1', 'c1')")
    decide(con, "c3", "holdout")
    decide(con, "c4", "no_action")
    decide(con, "c5", day=NEXT_DAY)

    (export,) = emit(con, store)

    assert [(row["account_source"], row["account_id"]) for row in rows_of(export)] == [
        ("online", "A1"),
        ("pos", "M7"),
        ("pos", "c2"),
    ]
    first = rows_of(export)[0]
    assert list(first) == CRM_COLUMNS
    assert first["explanation"] == 'Silent, since "May"'
    assert first["explanation_zh"] == "沉睡"
    assert export.file == store.folder_of(DAY) / "crm" / "crm.csv"


def test_frozen_are_all_decisions_and_touches_are_sends_and_ghosts(con, store):
    decide(con, "c1")
    decide(con, "c2", "holdout")
    decide(con, "c3", "no_action")
    emit(con, store)

    (decisions,), (touches,) = store.decision_files(), store.touch_files()
    for file, columns in ((decisions, DECISION_COLUMNS), (touches, TOUCH_COLUMNS)):
        described = con.execute(f"describe from {plain(file)}").fetchall()
        assert {row[0]: row[1].lower() for row in described} == columns
    assert con.execute(f"select customer_id from {plain(decisions)}").fetchall() == [
        ("c1",),
        ("c2",),
        ("c3",),
    ]
    assert con.execute(f"select customer_id from {plain(touches)}").fetchall() == [("c1",), ("c2",)]


def test_the_manifest_says_what_is_in_the_file(con, store):
    decide(con, "c1")
    (export,) = emit(con, store)
    manifest = json.loads((export.file.parent / "manifest.json").read_text(encoding="utf-8"))

    assert manifest["sha256"] == hashlib.sha256(export.file.read_bytes()).hexdigest() == export.sha256
    assert manifest["rows"] == len(rows_of(export)) == export.rows == 1
    assert [column["name"] for column in manifest["columns"]] == list(rows_of(export)[0])
    kept = ("as_of_date", "run_id", "policy_version", "channel", "file", "valid_until")
    assert [manifest[key] for key in kept] == ["2024-06-30", "r1", "p1", "crm", "crm.csv", "2024-07-07"]


def test_a_date_on_which_nobody_is_sent_to_has_a_file_with_a_header(con, store):
    decide(con, "c1", "no_action")
    (export,) = emit(con, store)
    manifest = json.loads((export.file.parent / "manifest.json").read_text(encoding="utf-8"))

    assert export.file.read_text(encoding="utf-8").count("\n") == 1
    assert (export.rows, manifest["valid_until"]) == (0, None)


def test_a_frozen_date_is_not_written_again(con, store, tmp_path):
    decide(con, "c1")
    emit(con, store)
    before = content(tmp_path)
    con.execute("update activation.recall_decision set decision = 'no_action'")
    decide(con, "c2")

    exports = emit(con, store, run_id="r2")

    assert content(tmp_path) == before
    assert [(export.channel, export.rows) for export in exports] == [("crm", 1)]


@pytest.mark.parametrize("sent", ["=1+1", "+49", "-5", "@sum", "\tx", "\rx"])
def test_a_text_that_looks_like_a_formula_stays_text(con, store, sent):
    decide(con, "c1", account=sent)
    decide(con, "c2", account="5-5=0", priority=2)

    (export,) = emit(con, store)

    assert [row["account_id"] for row in rows_of(export)] == [f"'{sent}", "5-5=0"]


def test_formulas_are_mended_in_the_file_and_not_in_history(con, store):
    decide(con, "=c1")
    emit(con, store)

    (decisions,) = store.decision_files()
    assert con.execute(f"select customer_id from {plain(decisions)}").fetchall() == [("=c1",)]


@pytest.mark.parametrize("died", ["before the files", "between file and manifest", "before the name"])
def test_what_died_between_freeze_and_export_is_finished_with_the_same_bytes(con, store, tmp_path, died):
    decide(con, "c1")
    whole = EmissionStore(tmp_path / "whole" / "lake", tmp_path / "whole" / "audiences")
    emit(con, whole)
    store.freeze(con, DAY, run_id="r1", policy_version="p1")
    if died != "before the files":
        # As SIGKILL leaves it: half a folder under its temporary name, and nothing cleaned up.
        half = store.folder_of(DAY).with_name(f".tmp-{store.folder_of(DAY).name}") / "crm"
        half.mkdir(parents=True)
        (half / "crm.csv").write_text("touch", encoding="utf-8")
        if died == "before the name":
            (half / "manifest.json").write_text("{}", encoding="utf-8")
    # Meanwhile the warehouse says something else, and another run comes.
    con.execute("delete from activation.recall_decision")

    emit(con, store, run_id="r2")

    assert content(store.audiences_dir) == content(whole.audiences_dir)


def test_a_date_that_was_frozen_and_not_exported_is_known(con, store):
    decide(con, "c1")
    decide(con, "c2", day=NEXT_DAY)
    store.freeze(con, DAY, run_id="r1", policy_version="p1")
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
    (export,) = emit(con, store)

    assert export.rows == 1
    assert store.dates() == [DAY]
    assert not half.exists()


def test_a_freeze_that_fails_leaves_nothing(con, store, monkeypatch):
    decide(con, "c1")

    def full_disk(_):
        raise OSError("no space left")

    monkeypatch.setattr("pipelines.activation.emission.os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        store.freeze(con, DAY, run_id="r1", policy_version="p1")

    assert list(store.folder.iterdir()) == []


def test_simulated_decisions_are_not_sent(con, store):
    decide(con, "c1")
    decide(con, "c2", simulated=True)

    with pytest.raises(ValueError, match="the decisions for 2024-06-30 are simulated and cannot be sent"):
        store.freeze(con, DAY, run_id="r1", policy_version="p1")
    assert store.dates() == []


def test_yesterdays_decisions_are_not_sent_after_todays(con, store):
    # As when a run died between its decisions and its audiences, and the audiences are launched alone later.
    decide(con, "c1", day=DAY)
    decide(con, "c1", day=NEXT_DAY)
    store.freeze(con, NEXT_DAY, run_id="r2", policy_version="p1")

    with pytest.raises(ValueError, match=r"2024-07-01 was sent since .* Run 2024-06-30 again"):
        store.freeze(con, DAY, run_id="r1", policy_version="p1")

    assert store.dates() == [NEXT_DAY]


def test_a_date_without_decisions_is_refused(con, store):
    decide(con, "c1", day=NEXT_DAY)

    with pytest.raises(ValueError, match="no decisions for 2024-06-30: materialise activation"):
        store.freeze(con, DAY, run_id="r1", policy_version="p1")


def test_audiences_that_marketing_deleted_do_not_come_back(con, store):
    decide(con, "c1")
    (export,) = emit(con, store)
    export.file.unlink()
    (export.file.parent / "manifest.json").unlink()
    export.file.parent.rmdir()
    store.folder_of(DAY).rmdir()

    assert store.unexported() == []
    assert emit(con, store) == []
    assert not store.folder_of(DAY).exists()


def test_emitted_files_are_for_their_owner_only(con, store):
    decide(con, "c1")
    (export,) = emit(con, store)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in export.file.parent.iterdir()}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in (store.folder_of(DAY), export.file.parent)}
    assert modes == {0o600}
    assert folders == {0o700}


def test_two_emitted_dates_stand_beside_each_other(con, store):
    decide(con, "c1")
    decide(con, "c2", day=NEXT_DAY)
    emit(con, store, DAY)
    emit(con, store, NEXT_DAY)

    assert store.dates() == [DAY, NEXT_DAY]
    assert [file.parent.name for file in store.decision_files([NEXT_DAY])] == [f"as_of={NEXT_DAY}"]
