"""Settings and profiles: what is accepted, and that a refusal names file, key, value and what is accepted."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from pipelines import control
from pipelines import settings as settings_module
from pipelines.feeds.binding import check_columns
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.errors import ConfigError
from pipelines.settings import PROJECT_DIR, load_profile, load_settings, profile_names

PROFILE = """\
name: corner_shop
title: Corner shop
time_zone: Europe/Berlin
currency: EUR
region: DE
calendar: {start_date: 2024-01-01, end_date: 2024-06-30}
feeds:
  products:
    source: {type: file, path: products.csv}
    columns: {product_id: id, name: name}
"""


@pytest.fixture
def write(tmp_path):
    """Writes the profile with a text in place of another; gives its path."""

    def write_profile(old: str = "", new: str = "") -> Path:
        assert old in PROFILE
        file = tmp_path / "corner_shop.yaml"
        file.write_text(PROFILE.replace(old, new) if old else PROFILE + new, encoding="utf-8")
        return file

    return write_profile


@pytest.mark.parametrize("name", profile_names())
def test_a_shipped_profile_is_valid_and_fits_the_contracts(name):
    profile = load_profile(name)

    assert profile.name == name
    for feed, binding in profile.feeds.items():
        check_columns(load_contracts()[feed], binding, profile_file=profile.file)


def test_what_a_profile_leaves_out_has_a_default(write):
    profile = load_profile(str(write()))

    assert profile.rfm.high.monetary == "mean"
    assert profile.history_days == 35
    assert profile.dormancy.min_category_customers == 200


def test_messages_speak_for_the_shop_unless_it_says_otherwise(write):
    activation = load_profile(str(write())).activation

    assert (activation.language, activation.shop_name) == ("en", "Corner shop")
    assert activation.sms_opt_out == "Reply STOP to opt out"
    assert activation.unsubscribe_base == "https://shop.example.com/unsubscribe"
    assert activation.ad_platforms == ("meta", "google", "tiktok", "tencent", "ocean_engine")

    given = "{language: zh, shop_name: Eck, link_base: 'https://eck.example.com/', ad_platforms: []}"
    activation = load_profile(str(write(new=f"activation: {given}\n"))).activation

    assert (activation.language, activation.shop_name) == ("zh", "Eck")
    assert activation.sms_opt_out == "拒收请回复R"
    assert (activation.link_base, activation.unsubscribe_base) == (
        "https://eck.example.com",
        "https://eck.example.com/unsubscribe",
    )
    assert activation.ad_platforms == ()


@pytest.mark.parametrize(
    ("region", "language"), [("CN", "zh"), ("TW", "zh"), ("HK", "zh"), ("MO", "zh"), ("SG", "en")]
)
def test_messages_are_in_the_language_of_the_region(write, region, language):
    assert load_profile(str(write("region: DE", f"region: {region}"))).activation.language == language


def test_the_models_are_told_what_they_need_of_the_profile(write):
    profile = load_profile(str(write(new="activation: {woken_days: 21}\n")))

    with duckdb.connect() as con:
        control.write_profile(con, profile, "p1")
        told = con.sql("from control.profile").fetchdf().iloc[0].to_dict()

    assert {key: told[key] for key in ("valid_days", "complaint_open_days", "browsed_days")} == {
        "valid_days": 7,
        "complaint_open_days": 90,
        "browsed_days": 7,
    }
    assert (told["woken_days"], told["birthday_lead_days"]) == (21, 3)
    assert (told["language"], told["policy_version"]) == ("en", "p1")


@pytest.mark.parametrize(("given", "value"), [("median", "median"), ("250", 250.0), ("0.5", 0.5)])
def test_high_is_better_than_the_mean_the_median_or_a_number(write, given, value):
    profile = load_profile(str(write(new=f"rfm: {{high: {{monetary: {given}}}}}\n")))

    assert profile.rfm.high.monetary == value


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("Europe/Berlin", "Berlin", "time_zone", "not an IANA time zone name such as Europe/London"),
        ("EUR", "euro", "currency", "'euro'"),
        ("DE", "Germany", "region", "'Germany'"),
        ("2024-06-30", "2023-06-30", "calendar", "end_date 2023-06-30 is before start_date 2024-01-01"),
        ("2024-06-30", "soon", "calendar.end_date", "'soon'"),
        ("2024-06-30}", "2024-06-30, run_hour: 24}", "calendar.run_hour", "less than or equal to 23"),
        ("2024-06-30}", "2024-06-30, hour: 3}", "calendar", "accepted keys: start_date, end_date, run_hour"),
        ("name: corner_shop", "name: Corner", "name", "'Corner'"),
        (
            "title:",
            "titel:",
            "(the whole file)",
            "unknown key 'titel'; accepted keys: name, title, time_zone",
        ),
        ("", "history_days: 0\n", "history_days", "greater than or equal to 1"),
        ("", "rfm: {high: {recency: best}}\n", "rfm.high.recency", "accepted: mean, median or a number"),
        ("", "rfm: {high: {recency: .nan}}\n", "rfm.high.recency", "accepted: mean, median or a number"),
        ("", "rfm: {high: {recency: yes}}\n", "rfm.high.recency", "(given: True)"),
        ("", "dormancy: {theta: 2}\n", "dormancy.theta", "accepted: a number from 0.05 to 0.95, or tuned"),
        ("", "dormancy: {theta: tunned}\n", "dormancy.theta", "(given: 'tunned')"),
        ("", "dormancy: {theta: .nan}\n", "dormancy.theta", "accepted: a number from 0.05 to 0.95, or tuned"),
        ("", "activation: {episode_days: 30}\n", "activation", "unknown key 'episode_days'"),
        ("", "activation: {valid_days: 0}\n", "activation.valid_days", "greater than or equal to 1"),
        (
            "",
            "activation: {valid_days: 30}\n",
            "activation",
            "keep_exports_days 30 is not above valid_days 30: what is deleted cannot be taken back",
        ),
        ("", "activation: {language: de}\n", "activation.language", "Input should be 'zh' or 'en'"),
        (
            "",
            "activation: {ad_platforms: [bing]}\n",
            "activation.ad_platforms.0",
            "Input should be 'meta', 'google', 'tiktok', 'tencent' or 'ocean_engine' (given: 'bing')",
        ),
        ("", "activation: {ad_platforms: [meta, meta]}\n", "activation.ad_platforms", "named twice"),
        (
            "",
            "activation: {link_base: shop.example.com}\n",
            "activation.link_base",
            "accepted: an address that begins with http:// or https://, without spaces (given: 'shop.exam",
        ),
        ("", "activation: {link_base: 'https:///x'}\n", "activation.link_base", "begins with http://"),
        (
            "",
            "activation: {unsubscribe_base: 'https://example.com/u?t='}\n",
            "activation.unsubscribe_base",
            "accepted: an address without ? and #",
        ),
        ("", "activation: {shop_name: ''}\n", "activation.shop_name", "at least 1 character"),
        (
            "",
            "dormancy: {min_horizon_days: 50, max_horizon_days: 40}\n",
            "dormancy",
            "max_horizon_days 40 is below min_horizon_days 50",
        ),
        ("  products:", "  prodcuts:", "feeds", "unknown feed prodcuts; known feeds: campaign_events"),
        ("type: file", "type: ftp", "feeds.products.source.type", "'ftp'"),
        ("path: products.csv", "pfad: a.csv", "feeds.products.source", "unknown key 'pfad'; accepted keys:"),
    ],
)
def test_a_wrong_profile_names_file_key_and_what_is_accepted(write, old, new, key, message):
    file = write(old, new)

    with pytest.raises(ConfigError) as refusal:
        load_profile(str(file))

    first_line = str(refusal.value).splitlines()[0]
    assert first_line.startswith(f"{file}: {key}: ")
    assert message in first_line


def test_every_fault_of_a_profile_is_told_at_once(write):
    file = write("time_zone: Europe/Berlin\ncurrency: EUR", "time_zone: Berlin\ncurrency: euro")

    with pytest.raises(ConfigError) as refusal:
        load_profile(str(file))

    assert [line.split(": ")[1] for line in str(refusal.value).splitlines()] == ["time_zone", "currency"]


def test_a_profile_without_a_feed_is_refused(tmp_path):
    file = tmp_path / "empty.yaml"
    file.write_text(PROFILE.split("feeds:", maxsplit=1)[0] + "feeds: {}\n", encoding="utf-8")

    with pytest.raises(ConfigError, match="feeds: a profile binds at least one feed"):
        load_profile(str(file))


def test_a_key_given_twice_is_refused(write):
    with pytest.raises(ConfigError, match="the key 'currency' is given twice"):
        load_profile(str(write(new="currency: USD\n")))


def test_an_unknown_profile_is_told_with_the_names_there_are():
    with pytest.raises(ConfigError) as refusal:
        load_profile("corner_shop")

    assert "'corner_shop'" in str(refusal.value)
    assert ", ".join(profile_names()) in str(refusal.value)


def test_the_default_shop_lives_in_data_and_others_beside_each_other():
    assert load_settings({}).home == PROJECT_DIR / "data"
    other = load_settings({"WINBACK_PROFILE": "online_retail_ii"})
    assert other.home == PROJECT_DIR / "data" / "shops" / "online_retail_ii"


def test_all_that_a_run_writes_is_below_the_data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings({"WINBACK_DATA_DIR": "~/shop"})

    assert settings.home == tmp_path / "shop"
    places = [
        settings.lake_dir,
        settings.warehouse_file,
        settings.published_file,
        settings.audiences_dir,
        settings.reports_dir,
        settings.landing_dir,
        settings.scratch_dir,
        settings.dagster_home,
    ]
    assert all(place.is_relative_to(settings.home) for place in places)
    assert len(set(places)) == len(places)


def test_the_environment_sets_the_limits(tmp_path):
    environment = {
        "WINBACK_MEMORY_LIMIT": "1.5 GiB",
        "WINBACK_THREADS": "3",
        "WINBACK_LOCK_TIMEOUT_SECONDS": "0.5",
    }
    settings = load_settings(environment)

    assert (settings.memory_limit, settings.threads, settings.lock_timeout_seconds) == ("1.5 GiB", 3, 0.5)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WINBACK_THREADS", "zero"),
        ("WINBACK_THREADS", "0"),
        ("WINBACK_MEMORY_LIMIT", "plenty"),
        ("WINBACK_MEMORY_LIMIT", "80%"),
        ("WINBACK_LOCK_TIMEOUT_SECONDS", "-1"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value(variable, value):
    with pytest.raises(ConfigError) as refusal:
        load_settings({variable: value})

    assert str(refusal.value).startswith(f"environment: {variable}={value!r}: ")


def test_an_empty_variable_counts_as_unset():
    assert load_settings({"WINBACK_THREADS": "", "WINBACK_PROFILE": ""}) == load_settings({})


@pytest.mark.parametrize(
    ("calendar", "last"),
    [
        ("{start_date: 2024-01-01, end_date: 2024-06-30}", date(2024, 6, 30)),
        # At 23:30 in London it is already tomorrow in Berlin: yesterday there is today here.
        ("{start_date: 2024-01-01}", date(2024, 8, 1)),
        ("{start_date: 2024-01-01, end_date: 2024-12-31}", date(2024, 8, 1)),
    ],
)
def test_the_last_date_is_over_in_the_shops_zone(write, monkeypatch, calendar, last):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2024, 8, 1, 22, 30, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr(settings_module, "datetime", Clock)
    profile = load_profile(str(write("{start_date: 2024-01-01, end_date: 2024-06-30}", calendar)))

    assert profile.last_date == last
