"""`winback policy`: the tables are checked and counted as they are edited, and nothing is sent."""

import shutil
from datetime import date

import pytest

from pipelines.cli import main
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import PROJECT_DIR, Settings

POLICY = PROJECT_DIR / "dbt_project" / "seeds" / "policy"


@pytest.fixture
def command(home, capfd):
    """Runs the command; returns its status and what it said, answers and errors together."""

    def run(*arguments: str) -> tuple[int, str]:
        status = home.winback("policy", *arguments)
        said = capfd.readouterr()
        return status, said.out + said.err

    return run


@pytest.fixture
def computed(home):
    """A warehouse with one customer on one date; nothing was ever emitted."""
    with Warehouse.from_settings(home.settings).locked("test") as warehouse, warehouse.connect() as con:
        con.execute(
            """
            create schema marts;
            create schema core;
            create table marts.customer_dormancy as select
                date '2024-06-30' as as_of_date, 'c1' as customer_id, 'buyer' as customer_kind,
                'dormant' as dormancy_state, 'low' as value_tier, 'brand_fade' as primary_reason;
            create table marts.customer_rfm as select
                date '2024-06-30' as as_of_date, 'c1' as customer_id, 'general' as guide_class;
            create table core.customer as select
                'c1' as customer_id, true as reachable_email, false as reachable_sms, false as reachable_push,
                false as reachable_social, false as reachable_phone, true as reachable_crm;
            """
        )
    return home


@pytest.fixture
def spoilt(tmp_path, monkeypatch):
    """The project with a typing error in the playbook."""
    folder = shutil.copytree(POLICY, tmp_path / "dbt" / "seeds" / "policy")
    file = folder / "playbook.csv"
    file.write_text(file.read_text("utf-8").replace("brand_fade", "brand_fad", 1), "utf-8")
    monkeypatch.setattr(Settings, "dbt_dir", tmp_path / "dbt")
    return file


def test_check_says_that_the_tables_are_sound(command, home):
    status, said = command("check")

    assert status == 0
    assert said.startswith("policy is sound: ")
    assert " rules, " in said
    assert not home.path.exists()


def test_reach_counts_the_newest_date_and_sends_nothing(command, computed):
    status, said = command("reach")

    assert status == 0
    assert "who the playbook is for on 2024-06-30" in said
    assert ["brand_low", "60", "brand_light", "1", "1"] in [line.split() for line in said.splitlines()]
    assert not computed.settings.audiences_dir.exists()


def test_reach_before_the_first_run_says_what_to_do(command, home):
    assert command("reach") == (2, "winback: no date is computed yet; `winback run` computes one\n")
    assert not home.path.exists()


def test_a_date_that_is_not_computed_is_refused(command, computed):
    status, said = command("reach", "--date", str(date(2024, 6, 1)))

    assert status == 2
    assert said.startswith("winback: 2024-06-01 is not computed; computed dates lie between 2024-06-30 and")


@pytest.mark.parametrize("what", ["check", "reach"])
def test_a_slip_is_one_clear_message(command, computed, spoilt, what):
    status, said = command(what)

    assert status == 2
    assert said.startswith(f"winback: {spoilt}: row ")
    assert "did you mean 'brand_fade'?" in said
    assert said.count("\n") == 1


def test_what_is_asked_must_be_said(capfd):
    with pytest.raises(SystemExit) as ended:
        main(["policy"])

    assert ended.value.code == 2
    assert "the following arguments are required: what" in capfd.readouterr().err
