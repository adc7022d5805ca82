"""Typed settings and profiles: the one place where configuration enters.

A *profile* (`data/profiles/<name>.yaml`) says where a shop's feeds come from and how its business is set.
*Settings* add the data home (where everything that runs write lies) and the machine's limits, from the
environment. Nothing here opens a database or imports Dagster.
"""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    Field,
    FilePath,
    PlainValidator,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipelines.feeds.binding import FeedBinding
from pipelines.feeds.config import StrictModel, config_error, read_yaml
from pipelines.feeds.contract import load_contracts
from pipelines.feeds.errors import ConfigError
from pipelines.feeds.sources import DEFAULT_SETTLE_SECONDS
from pipelines.feeds.tombstones import Tombstones
from pipelines.feeds.workspace import DEFAULT_MEMORY_LIMIT
from pipelines.identity.placeholders import DEFAULT_PLACEHOLDER_EMAILS, DEFAULT_PLACEHOLDER_PHONES
from pipelines.notices.channels import FORM_VARIABLE, Channel, channels_of

PROJECT_DIR = Path(__file__).resolve().parent.parent
PROFILES_DIR = PROJECT_DIR / "data" / "profiles"
DEFAULT_PROFILE = "demo"
DEFAULT_CUSTOMERS = 20_000


class Calendar(StrictModel):
    """The as-of dates the shop has, in its own time zone; without an end, yesterday is the last one."""

    start_date: date
    end_date: date | None = None
    run_hour: int = Field(default=5, ge=0, le=23, description="hour of the daily run, in the shop's zone")

    @model_validator(mode="after")
    def _ordered(self) -> Calendar:
        if self.end_date is not None and self.end_date < self.start_date:
            raise ValueError(f"end_date {self.end_date} is before start_date {self.start_date}")
        return self


def _high_rule(value: object) -> object:
    if value in ("mean", "median"):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError("accepted: mean, median or a number")


HighRule = Annotated[Literal["mean", "median"] | float, PlainValidator(_high_rule)]


class HighRules(StrictModel):
    """What counts as high: strictly better than the mean, the (lower) median or a fixed value."""

    recency: HighRule = "mean"
    frequency: HighRule = "mean"
    monetary: HighRule = "mean"


class RfmSettings(StrictModel):
    high: HighRules = HighRules()


def _theta(value: object) -> object:
    if value == "tuned":
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0.05 <= value <= 0.95:
        return float(value)
    raise ValueError("accepted: a number from 0.05 to 0.95, or tuned")


Theta = Annotated[Literal["tuned"] | float, PlainValidator(_theta)]


class DormancySettings(StrictModel):
    """Settings of the dormancy rule; durations are in days."""

    min_category_customers: int = Field(default=200, ge=1)
    min_horizon_days: int = Field(default=14, ge=1)
    max_horizon_days: int = Field(default=180, ge=1)
    activity_x_days: int = Field(default=90, ge=1)
    theta: Theta = 0.5
    """Below this probability of a purchase within the horizon a customer sleeps; `tuned`: by past dates."""

    @model_validator(mode="after")
    def _ordered(self) -> DormancySettings:
        if self.max_horizon_days < self.min_horizon_days:
            raise ValueError(
                f"max_horizon_days {self.max_horizon_days} is below min_horizon_days {self.min_horizon_days}"
            )
        return self


class FanOutCaps(StrictModel):
    """How many accounts may carry one identifier before it is `shared` and joins nobody."""

    account: int = Field(default=10, ge=2)
    card: int = Field(default=10, ge=2)
    email: int = Field(default=10, ge=2)
    phone: int = Field(default=10, ge=2)
    device: int = Field(default=10, ge=2)


class FuzzyChoice(StrictModel):
    """Whether accounts are also linked by probability; needs `pip install winback[fuzzy]`."""

    enabled: bool = False
    settings: Path | None = Field(default=None, description="in place of pipelines/identity/fuzzy.yaml")


class IdentitySettings(StrictModel):
    """How accounts become customers; the placeholders stand for "none" and are no identifiers."""

    max_accounts: FanOutCaps = FanOutCaps()
    placeholder_phones: tuple[str, ...] = DEFAULT_PLACEHOLDER_PHONES
    placeholder_emails: tuple[str, ...] = DEFAULT_PLACEHOLDER_EMAILS
    fuzzy: FuzzyChoice = FuzzyChoice()

    @property
    def caps(self) -> dict[str, int]:
        """The caps by kind of identifier."""
        return self.max_accounts.model_dump()


def _web_address(value: str) -> str:
    address = urlsplit(value)
    if address.scheme not in ("http", "https") or not address.hostname or any(map(str.isspace, value)):
        raise ValueError("accepted: an address that begins with http:// or https://, without spaces")
    if address.query or address.fragment:
        raise ValueError("accepted: an address without ? and #; what a link needs is added to it")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]

Language = Literal["zh", "en"]
CHINESE_REGIONS = frozenset({"CN", "TW", "HK", "MO"})

AdPlatform = Literal["meta", "google", "tiktok", "tencent", "ocean_engine"]
AD_PLATFORMS: tuple[AdPlatform, ...] = get_args(AdPlatform)

_OPT_OUT: dict[Language, str] = {"zh": "拒收请回复R", "en": "Reply STOP to opt out"}


class ActivationSettings(StrictModel):
    """Settings of the recall decisions and their exports that differ from shop to shop.

    What is left out of `language`, `shop_name`, `sms_opt_out` and `unsubscribe_base` is filled in from the
    rest of the profile: a profile that was read has them all.
    """

    valid_days: int = Field(default=7, ge=1, le=90, description="days an exported audience may be used")
    complaint_open_days: int = Field(
        default=90,
        ge=1,
        description="days after which an open complaint stops a recall no more",
    )
    browsed_days: int = Field(default=7, ge=1, description="days for which a visit without a purchase counts")
    woken_days: int = Field(default=30, ge=1, description="days for which a customer counts as just woken")
    birthday_lead_days: int = Field(default=3, ge=0, le=30, description="days a greeting goes out before it")
    language: Language = Field(default="en", description="of the messages; by default that of the region")
    shop_name: str = Field(default="", min_length=1, description="in messages; by default the title")
    sms_opt_out: str = Field(default="", min_length=1, description="how to opt out, at the end of each SMS")
    link_base: WebAddress = "https://shop.example.com"
    unsubscribe_base: WebAddress = Field(default="", description="by default link_base and /unsubscribe")
    ad_platforms: tuple[AdPlatform, ...] = Field(default=AD_PLATFORMS, description="that get audience lists")
    keep_exports_days: int = Field(
        default=30, ge=1, description="days for which audience files and rendered messages are kept"
    )

    @field_validator("ad_platforms")
    @classmethod
    def _each_once(cls, value: tuple[AdPlatform, ...]) -> tuple[AdPlatform, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a platform is named twice")
        return value

    @model_validator(mode="after")
    def _kept_while_valid(self) -> ActivationSettings:
        if self.keep_exports_days <= self.valid_days:
            raise ValueError(
                f"keep_exports_days {self.keep_exports_days} is not above valid_days {self.valid_days}: "
                "what is deleted cannot be taken back"
            )
        return self

    def completed(self, *, title: str, region: str) -> ActivationSettings:
        """These settings with what they leave out filled in, for a shop of this title and region."""
        language = self.language if "language" in self.model_fields_set else _language_of(region)
        defaults = {
            "language": language,
            "shop_name": title,
            "sms_opt_out": _OPT_OUT[language],
            "unsubscribe_base": f"{self.link_base}/unsubscribe",
        }
        return self.model_copy(
            update={key: value for key, value in defaults.items() if key not in self.model_fields_set}
        )


def _language_of(region: str) -> Language:
    return "zh" if region in CHINESE_REGIONS else "en"


class AttributionWindows(StrictModel):
    """Days after a contact in which what somebody does counts as its outcome, by channel."""

    email: int = Field(default=5, ge=1, le=90)
    sms: int = Field(default=1, ge=1, le=90)
    push: int = Field(default=1, ge=1, le=90)
    social: int = Field(default=7, ge=1, le=90)
    phone: int = Field(default=7, ge=1, le=90)
    crm: int = Field(default=7, ge=1, le=90)


class SmallestEffects(StrictModel):
    """The smallest true effect worth knowing of, per person: below it `no_effect_seen` is said."""

    conversion: float = Field(default=0.01, gt=0, lt=1)
    wake_up: float = Field(default=0.01, gt=0, lt=1)
    unsubscribed: float = Field(default=0.005, gt=0, lt=1)
    complained: float = Field(default=0.005, gt=0, lt=1)
    net_margin: float = Field(default=1.0, gt=0, description="in the shop's currency")
    revenue: float = Field(default=2.5, gt=0, description="in the shop's currency")


class MeasurementSettings(StrictModel):
    """How the outcome of contacts is counted and judged."""

    window_days: AttributionWindows = AttributionWindows()
    campaign_days: int = Field(
        default=30, ge=1, le=365, description="days in which a campaign of another tool may have its effect"
    )
    looks: Literal["once", "any"] = Field(
        default="once",
        description="once: a campaign is judged when its windows have closed; any: on every day, by wider "
        "intervals that allow for it",
    )
    smallest_effect: SmallestEffects = SmallestEffects()


class Profile(StrictModel):
    """One shop: its feeds and its business settings."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    time_zone: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    region: str = Field(
        pattern=r"^[A-Z]{2}$", description="ISO 3166 code, for phone numbers without a prefix"
    )
    calendar: Calendar
    feeds: dict[str, FeedBinding]
    rfm: RfmSettings = RfmSettings()
    dormancy: DormancySettings = DormancySettings()
    identity: IdentitySettings = IdentitySettings()
    activation: ActivationSettings = Field(default=ActivationSettings(), validate_default=True)
    measurement: MeasurementSettings = MeasurementSettings()
    notices: tuple[Channel, ...] = Field(default=(), description="webhooks that are told what has failed")
    generated: bool = Field(default=False, description="the demo shop: its files are made when absent")
    history_days: int = Field(default=35, ge=1, description="days for which daily snapshots are kept")
    file: Path = Field(exclude=True)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("not an IANA time zone name such as Europe/London or Asia/Shanghai")
        return value

    @field_validator("activation")
    @classmethod
    def _completed(cls, value: ActivationSettings, info: ValidationInfo) -> ActivationSettings:
        # A title or region that was refused is not there.
        return value.completed(title=info.data.get("title", ""), region=info.data.get("region", ""))

    @field_validator("feeds")
    @classmethod
    def _known_feeds(cls, value: dict[str, FeedBinding]) -> dict[str, FeedBinding]:
        known = load_contracts()
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise ValueError(f"unknown feed {', '.join(unknown)}; known feeds: {', '.join(sorted(known))}")
        timeless = [feed for feed, each in value.items() if each.keep_days and not known[feed].event_time]
        if timeless:
            raise ValueError(
                f"keep_days: {', '.join(timeless)} tells of no events, so nothing of it gets old"
            )
        if not value:
            raise ValueError("a profile binds at least one feed")
        return value

    @property
    def last_date(self) -> date:
        """The newest as-of date: the calendar's end, or yesterday in the shop's zone."""
        yesterday = datetime.now(ZoneInfo(self.time_zone)).date() - timedelta(days=1)
        end = self.calendar.end_date
        return yesterday if end is None else min(end, yesterday)

    def is_replayed(self, today: date) -> bool:
        """Whether the calendar has ended: the past is played again, and must not see what came later."""
        end = self.calendar.end_date
        return end is not None and today > end + timedelta(days=1)

    @property
    def latest_event(self) -> date:
        """The last day on which an event can have happened: today in the shop's zone.

        Not the calendar's end, which says up to when the shop is looked at: its data may go on.
        """
        return datetime.now(ZoneInfo(self.time_zone)).date()


MemoryLimit = Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s*(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$")]


class Settings(StrictModel):
    """Where everything lies and how much of the machine a run may use."""

    home: Path
    profile: Profile
    memory_limit: MemoryLimit = "4GB"
    extract_memory_limit: MemoryLimit = DEFAULT_MEMORY_LIMIT
    settle_seconds: float = Field(default=DEFAULT_SETTLE_SECONDS, ge=0)
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    lock_timeout_seconds: float = Field(default=7200, gt=0)
    retry_seconds: float = Field(default=30, ge=0, le=3600, description="before a step is tried again")
    spark_master: str | None = Field(
        default=None, description="where Spark works, such as `k8s://…` or `yarn`; by default in this process"
    )
    spark_memory: str = Field(default="2g", pattern="^[0-9]+[gm]$", description="of Spark's driver")
    private_key: SecretStr | None = Field(
        default=None,
        description="64 hex digits that make keys of people unguessable; by default the lake's own",
    )
    customers: int | None = Field(
        default=None, ge=100, le=5_000_000, description="of the demo shop; by default those it has, or 20,000"
    )
    rebuilding: bool = Field(
        default=False, description="the warehouse is made anew beside the one that it is to replace"
    )

    dagster_yaml: FilePath | None = Field(
        default=None, description="Dagster's settings for a data home that is made"
    )
    docs_url: str | None = Field(
        default=None, pattern=r"^https?://\S+[^/\s]$", description="where docs/ is served"
    )
    ui_url: WebAddress | None = Field(default=None, description="of the Dagster UI, for links in notices")
    notices: tuple[Channel, ...] = Field(default=(), description="those of the profile and the environment")

    def for_rebuild(self) -> Settings:
        """These settings for a rebuild: its warehouse is another file, until it is done."""
        # No copy of the model: that would take the paths along that are worked out already.
        return Settings(
            **{name: getattr(self, name) for name in Settings.model_fields if name != "rebuilding"},
            rebuilding=True,
        )

    @field_validator("private_key")
    @classmethod
    def _is_hex(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch("[0-9a-f]{64}", value.get_secret_value()):
            raise ValueError("not 64 hex digits, as `openssl rand -hex 32` gives them")
        return value

    @cached_property
    def tombstones(self) -> Tombstones:
        """Of people who were erased."""
        given = self.private_key.get_secret_value() if self.private_key else None
        return Tombstones(self.lake_dir, given)

    @cached_property
    def lake_dir(self) -> Path:
        return self.home / "lake"

    @cached_property
    def warehouse_file(self) -> Path:
        # The same name: dbt's views call the database by the file's.
        return (self.rebuild_dir if self.rebuilding else self.home / "warehouse") / "winback.duckdb"

    @cached_property
    def rebuild_dir(self) -> Path:
        """Where a rebuild makes its warehouse; what a killed one left is removed by the next run."""
        return self.scratch_dir / "rebuild"

    @cached_property
    def published_file(self) -> Path:
        return self.home / "published" / "winback_analytics.duckdb"

    @cached_property
    def audiences_dir(self) -> Path:
        return self.home / "audiences"

    @cached_property
    def reports_dir(self) -> Path:
        return self.home / "reports"

    @cached_property
    def landing_dir(self) -> Path:
        return self.home / "landing"

    @cached_property
    def scratch_dir(self) -> Path:
        return self.home / "scratch"

    @cached_property
    def spark_dir(self) -> Path:
        """The tables that `winback spark` makes; nothing reads them but people."""
        return self.home / "spark"

    @cached_property
    def notices_file(self) -> Path:
        """What has failed, a line each; see `pipelines.notices`."""
        return self.home / "notices" / "notices.jsonl"

    @cached_property
    def instructions_file(self) -> Path:
        """What people have decided about accounts; see `pipelines.identity.instructions`."""
        return self.home / "identity_instructions.csv"

    @cached_property
    def demo_truth_dir(self) -> Path:
        """What is true of the demo shop: written with its files, and read by evaluations alone."""
        return self.home / "demo_truth"

    @cached_property
    def dagster_home(self) -> Path:
        return self.home / "dagster_home"

    @cached_property
    def project_dir(self) -> Path:
        return PROJECT_DIR

    @cached_property
    def dbt_dir(self) -> Path:
        return PROJECT_DIR / "dbt_project"


def profile_names() -> list[str]:
    """Names of the profiles in `data/profiles/`."""
    return sorted(path.stem for path in PROFILES_DIR.glob("*.yaml"))


def find_profile(name_or_path: str) -> Path:
    """Path of a profile given by its name in `data/profiles/` or by a path to a YAML file anywhere.

    Raises:
        ConfigError: there is no such profile; the message lists the names that exist.
    """
    with suppress(
        OSError, RuntimeError, ValueError
    ):  # too long for a file name, or of a user who is not there
        by_name = PROFILES_DIR / f"{name_or_path}.yaml"
        if by_name.is_file():
            return by_name
        path = Path(name_or_path).expanduser()
        if path.is_file():
            return path.resolve()
    raise ConfigError(
        f"profile {name_or_path!r} is neither a name in data/profiles/ ({', '.join(profile_names())}) "
        "nor a path to a YAML file"
    )


def load_profile(name_or_path: str) -> Profile:
    """Read and check a profile.

    Raises:
        ConfigError: the file is missing, is no YAML mapping or breaks a rule; every fault is listed with
            its key, its value and what is accepted.
    """
    path = find_profile(name_or_path)
    try:
        return Profile.model_validate({**read_yaml(path), "file": path})
    except ValidationError as error:
        raise config_error(path, error) from error


def load_settings(environment: dict[str, str] | None = None) -> Settings:
    """Settings from the environment.

    `WINBACK_PROFILE` names the profile, `WINBACK_DATA_DIR` the data home, `WINBACK_MEMORY_LIMIT` and
    `WINBACK_THREADS` bound DuckDB, `WINBACK_EXTRACT_MEMORY_LIMIT` the DuckDB that takes sources in,
    `WINBACK_SETTLE_SECONDS` the time between two looks at a file that was just written,
    `WINBACK_LOCK_TIMEOUT_SECONDS` the wait for another run, `WINBACK_RETRY_SECONDS` the time before a step
    is tried again; `WINBACK_PRIVATE_KEY` is the secret that else
    lies in the lake; `WINBACK_CUSTOMERS` is the size of the demo shop.
    `WINBACK_DAGSTER_YAML` names Dagster's settings for a data home that is made.
    `WINBACK_UI_URL` is the address of the UI, for links in notices; `WINBACK_NOTICE_URL` with
    `WINBACK_NOTICE_FORM` and `WINBACK_NOTICE_SECRET` adds a webhook to those of the profile.
    `WINBACK_DOCS_URL` is the address below which the assets link to the documents, if they are served.
    Without a data home the default profile lives in `data/` and every other one in `data/shops/<name>/`, so
    that two shops never share tables.

    Raises:
        ConfigError: a variable or the profile is wrong.
    """
    env = dict(os.environ) if environment is None else environment
    profile = load_profile(env.get("WINBACK_PROFILE") or DEFAULT_PROFILE)
    values: dict[str, Any] = {
        "profile": profile,
        "home": _home(env, profile),
        "notices": _channels(profile, env),
    }
    for key in (
        "memory_limit",
        "extract_memory_limit",
        "threads",
        "settle_seconds",
        "lock_timeout_seconds",
        "retry_seconds",
        "spark_master",
        "spark_memory",
        "private_key",
        "customers",
        "dagster_yaml",
        "ui_url",
        "docs_url",
    ):
        if given := env.get(f"WINBACK_{key.upper()}"):
            values[key] = given
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            f"WINBACK_{str(fault['loc'][0]).upper()}={_shown(fault)}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ConfigError(f"environment: {faults}") from error


def _shown(fault: Any) -> str:
    return "***" if fault["loc"][0] == "private_key" else repr(fault["input"])


def _channels(profile: Profile, env: dict[str, str]) -> list[Channel]:
    try:
        return channels_of(profile.notices, env)
    except ValidationError as error:
        faults = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise ConfigError(f"environment: {FORM_VARIABLE}={env.get(FORM_VARIABLE)!r}: {faults}") from error


def _home(env: dict[str, str], profile: Profile) -> Path:
    if given := env.get("WINBACK_DATA_DIR"):
        try:
            return Path(given).expanduser().resolve()
        except (OSError, RuntimeError) as error:
            raise ConfigError(
                f"environment: WINBACK_DATA_DIR={given!r}: is no folder's path: {error}"
            ) from error
    data = PROJECT_DIR / "data"
    return data if profile.name == DEFAULT_PROFILE else data / "shops" / profile.name
