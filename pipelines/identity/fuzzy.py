"""Fuzzy links: pairs of accounts that are probably one person although nothing identical says so.

The model is Fellegi and Sunter's (1969, JASA 64:1183) as Splink 5 fits it, on the caller's DuckDB: a pair's
match weight is the prior's log2 odds plus, per comparison, log2(m/u) of the level the pair is at, where m is
how often matches are at that level and u how often strangers are. No labels are used. What is compared, which
pairs are and where a link begins stand in `fuzzy.yaml`. Splink is optional (`pip install winback[fuzzy]`).

One thing is done differently from Splink's tutorial. Its u is the share of *all* sampled pairs at a level,
and in a small or much duplicated set of records a good part of those pairs are matches: of the pairs with
equal e-mails nearly all. That share is a mixture, share = prior * m + (1 - prior) * u, so u is solved from it
once m is known, and m is trained again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import uuid4

from pydantic import AfterValidator, Field, ValidationError, model_validator

from pipelines.feeds.config import StrictModel, config_error, read_yaml

if TYPE_CHECKING:
    import duckdb
    from splink import DuckDBAPI, Linker

SETTINGS_FILE = Path(__file__).parent / "fuzzy.yaml"
DEFAULT_SEED = 20_240_630
NO_VALUE = "no value"

Column = Literal["email", "phone", "birth_date", "first_name", "surname", "city"]
Part = Literal[
    Column,
    "email_user",
    "email_domain",
    "birth_year",
    "birth_month_day",
    "first_name_start",
    "surname_start",
    "names",
    "any_name",
    "any_name_start",
]
"""What a rule can be made of. `names` are both names in either order, `any_name` is one of them whichever it
is, and `…_start` three letters."""


def _falling(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(former <= latter for former, latter in pairwise(values)):
        raise ValueError(
            "accepted: similarities from the closest level to the widest, each lower than the last"
        )
    return values


def _rising(values: tuple[int, ...]) -> tuple[int, ...]:
    if any(former >= latter for former, latter in pairwise(values)):
        raise ValueError(
            "accepted: distances from the closest level to the widest, each higher than the last"
        )
    return values


Share = Annotated[float, Field(gt=0, lt=1)]
Similarities = Annotated[tuple[Share, ...], AfterValidator(_falling)]
Distances = Annotated[tuple[Annotated[int, Field(ge=1)], ...], AfterValidator(_rising)]
Rule = Annotated[tuple[Part, ...], Field(min_length=1)]
TrainingRule = Annotated[tuple[Column, ...], Field(min_length=1)]

# The records as the model sees them. In strict order, so that the same accounts always give the same table.
_PEOPLE_SQL = """
create table {scratch}.people as
with folded as (
    select
        cast(account_id as varchar) as unique_id,
        nullif(lower(strip_accents(trim(first_name))), '') as first_name,
        nullif(lower(strip_accents(trim(surname))), '') as surname,
        cast(birth_date as date) as birth_date,
        nullif(lower(strip_accents(trim(city))), '') as city,
        nullif(lower(trim(email)), '') as email,
        nullif(trim(phone), '') as phone
    from {records}
)
select
    *,
    strftime(birth_date, '%Y%m%d') as birth_digits,
    strftime(birth_date, '%Y%d%m') as birth_digits_exchanged,
    year(birth_date) as birth_year,
    strftime(birth_date, '%m%d') as birth_month_day,
    nullif(split_part(email, '@', 1), '') as email_user,
    nullif(split_part(email, '@', 2), '') as email_domain,
    left(first_name, 3) as first_name_start,
    left(surname, 3) as surname_start,
    least(first_name, surname) || ' ' || greatest(first_name, surname) as names
from folded
order by unique_id
"""

# Of the blocks that are not too large the smallest are taken first, all of one size together, until max_pairs
# is reached: a small block tells more. A pair in two blocks counts twice, which errs on the safe side.
_BLOCKS_SQL = """
create or replace table block as
with sized as (
    select rule, key, count(*) as n from block_key group by rule, key having n > 1
)
select
    rule,
    key,
    n <= $max_block
    and sum(n * (n - 1) // 2) over (order by n range unbounded preceding) <= $max_pairs as taken
from sized
"""

_PAIRS_SQL = """
create or replace table {table} as
select distinct a.unique_id as join_key_l, b.unique_id as join_key_r, '0' as match_key
from block
inner join block_key as a on block.rule = a.rule and block.key = a.key
inner join block_key as b on block.rule = b.rule and block.key = b.key and a.unique_id < b.unique_id
where block.taken
"""

_EITHER = {"any_name": "[first_name, surname]", "any_name_start": "[first_name_start, surname_start]"}

# One's first name is the other's surname, and neither name stands where it is equal.
_EXCHANGED = (
    "coalesce(first_name_l <> first_name_r, true) and coalesce(surname_l <> surname_r, true) "
    "and (coalesce(first_name_l = surname_r, false) or coalesce(first_name_r = surname_l, false))"
)


class FuzzyError(Exception):
    """Fuzzy links cannot be made; the message says what is missing."""


class CityLevels(StrictModel):
    """Levels of the city: equal, similar by Jaro-Winkler, different."""

    similar: Similarities = ()
    least_frequency: Share = 0.0001


class NameLevels(CityLevels):
    """Levels of first name and of surname: also that one's first name is the other's surname."""

    crossed: bool = False


class PhoneLevels(StrictModel):
    """Levels of the phone: equal, some digits mistyped, different."""

    typing_errors: Distances = ()


class BirthDateLevels(PhoneLevels):
    """Levels of the birth date: also some days apart."""

    within_days: Distances = ()


class EmailLevels(PhoneLevels):
    """Levels of the e-mail: equal, same user, some letters mistyped, similar, same domain, different."""

    same_user: bool = False
    similar: Similarities = ()
    same_domain: bool = False


class Comparisons(StrictModel):
    """What of two accounts is compared; what is left out takes no part."""

    name: NameLevels | None = None
    birth_date: BirthDateLevels | None = None
    city: CityLevels | None = None
    email: EmailLevels | None = None
    phone: PhoneLevels | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the comparisons that the model makes: of a name two."""
        return tuple(each["output_column_name"] for each in _comparisons(self))


class Blocking(StrictModel):
    """Which pairs are compared: those that agree in every part of one rule and so lie in one block."""

    rules: tuple[Rule, ...] = Field(min_length=1)
    max_block: int = Field(default=200, ge=2, description="records; a larger block is left out")
    max_pairs: int = Field(default=20_000_000, ge=1)


class Prior(StrictModel):
    """Rules that only matches fulfil, and the share of all matches that they are taken to find."""

    rules: tuple[Rule, ...] = Field(min_length=1)
    recall: float = Field(gt=0, le=1)


class Training(StrictModel):
    """How m and u are learned."""

    rules: tuple[TrainingRule, ...] = Field(min_length=1)
    max_pairs: int = Field(default=1_000_000, ge=1, description="pairs of one rule")
    sample_pairs: int = Field(default=1_000_000, ge=1)
    rounds: int = Field(default=3, ge=1, le=20)


class FuzzySettings(StrictModel):
    """The settings of `fuzzy.yaml`; each key is explained there."""

    threshold: Share
    individual: tuple[Column, ...] = Field(min_length=1)
    comparisons: Comparisons
    blocking: Blocking
    prior: Prior
    training: Training

    @model_validator(mode="after")
    def _compares_individuals(self) -> Self:
        compared = self.comparisons.columns
        missing = [column for column in self.individual if column not in compared]
        if missing:
            raise ValueError(f"individual: {missing[0]} is not compared; accepted: {', '.join(compared)}")
        return self


@dataclass(frozen=True)
class Level:
    """One level of a comparison as the model learned it."""

    comparison: str
    label: str
    m: float
    u: float

    @property
    def weight(self) -> float:
        """log2(m/u); 0 at every level of a comparison of which nothing was learned."""
        return math.log2(self.m / self.u)


@dataclass(frozen=True)
class FuzzyResult:
    """What a run of `fuzzy_links` did.

    Attributes:
        records: accounts read.
        pairs: pairs compared.
        blocks_left_out: blocks of records whose pairs were not compared, being too large or too many.
        links: pairs linked, the rows of the table made.
        expected_false_links: of those, how many the model itself expects to be wrong.
        prior: probability that two random accounts are one person; 0 where the prior's rules found nothing.
        levels: what was learned; empty where there was nothing to learn from.
        untrained: comparisons of which nothing was learned and which weigh nothing.
    """

    records: int
    pairs: int
    blocks_left_out: int
    links: int = 0
    expected_false_links: float = 0.0
    prior: float = 0.0
    levels: tuple[Level, ...] = ()
    untrained: tuple[str, ...] = ()


def load_fuzzy_settings(path: Path | None = None) -> FuzzySettings:
    """The settings in a YAML file; by default `pipelines/identity/fuzzy.yaml`.

    Raises:
        ConfigError: naming the file, the key, the value and what is accepted.

    >>> load_fuzzy_settings().threshold
    0.95
    """
    file = SETTINGS_FILE if path is None else path
    data = read_yaml(file)
    try:
        return FuzzySettings.model_validate(data)
    except ValidationError as error:
        raise config_error(file, error) from error


def fuzzy_links(
    con: duckdb.DuckDBPyConnection,
    *,
    records: str,
    into: str,
    settings: FuzzySettings,
    seed: int = DEFAULT_SEED,
) -> FuzzyResult:
    """Makes the table `into` of the pairs in `records` that are probably one person.

    The table has a row per pair: account_a < account_b, probability and match_weight DOUBLE (the log2 odds
    of the probability), and evidence, a JSON object with an entry per comparison: the label of the level that
    the pair is at, and its weight. The weights and the prior's log2 odds add up to match_weight. Equal
    records give equal rows in whatever order the records stand; the rows are in the order of the accounts.

    The work is done in a database in memory that is attached for as long as it takes, under the limits of the
    caller's DuckDB. A transaction that is open would hide it: there must be none.

    Args:
        con: any DuckDB connection.
        records: relation, as it stands in SQL, with account_id VARCHAR (unique), first_name, surname, city,
            email, phone VARCHAR and birth_date DATE, all but the first nullable. An empty text is no value;
            case and accents make no difference.
        into: the table to make, as it stands in SQL.
        settings: see `load_fuzzy_settings`.
        seed: of the random sample of records.

    Raises:
        FuzzyError: Splink is not installed.

    Example (needs Splink; `con` holds the table `account`):
        result = fuzzy_links(con, records="account", into="link", settings=load_fuzzy_settings())
        con.sql("select account_a, account_b, evidence ->> '$.email.level' from link")
    """
    _require_splink()
    scratch = f"fuzzy_{uuid4().hex}"
    con.execute(f"attach ':memory:' as {scratch}")
    try:
        con.execute(_PEOPLE_SQL.format(scratch=scratch, records=records))
        with con.cursor() as own, _silent(own):
            # Splink names its tables as it likes: they all land in the attached database.
            own.execute(f"use {scratch}")
            result = _Model(own, settings, seed).link()
        con.execute(f"create table {into} as from {scratch}.link order by account_a, account_b")
    finally:
        con.execute(f"detach {scratch}")
    return result


def _require_splink() -> None:
    try:
        import splink  # noqa: F401, PLC0415
    except ImportError as error:
        raise FuzzyError("fuzzy links need the package splink: pip install winback[fuzzy]") from error


@contextmanager
def _silent(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Splink tells of its training by logging, which goes to standard error unless somebody set it up."""
    con.execute("set enable_progress_bar = false")
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Model:
    """One fit and its links, in the database that the connection uses; the table `people` is there."""

    def __init__(self, con: duckdb.DuckDBPyConnection, settings: FuzzySettings, seed: int) -> None:
        self._con = con
        self._settings = settings
        self._seed = seed
        self._records = self._number("select count(*) from people")
        self._all_pairs = self._records * (self._records - 1) // 2

    def link(self) -> FuzzyResult:
        """Makes the table `link`, empty where the data hold no certain match to begin with."""
        self._con.execute(
            "create table link (account_a varchar, account_b varchar, probability double, "
            "match_weight double, evidence varchar)"
        )
        prior = self._prior()
        pairs = self._make_pairs("pair", self._settings.blocking.rules)
        left_out = self._number("select count(*) from block where not taken")
        if not prior or not pairs:
            return FuzzyResult(self._records, pairs, left_out, prior=prior)
        model = self._trained(prior)
        self._make_links(model)
        levels = tuple(
            Level(name, level["label_for_charts"], level["m_probability"], level["u_probability"])
            for name, comparison in _by_name(model).items()
            for level in _weighing(comparison)
        )
        weighing = {level.comparison for level in levels if level.weight}
        return FuzzyResult(
            self._records,
            pairs,
            left_out,
            links=self._number("select count(*) from link"),
            expected_false_links=round(self._number("select coalesce(sum(1 - probability), 0) from link"), 6),
            prior=prior,
            levels=levels,
            untrained=tuple(name for name in _by_name(model) if name not in weighing),
        )

    def _number(self, query: str) -> Any:
        return self._con.execute(query).fetchall()[0][0]

    def _prior(self) -> float:
        """The probability that two random records are one person, at most one half."""
        prior = self._settings.prior
        expected = self._make_pairs("certain_pair", prior.rules) / prior.recall
        return float(min(expected / max(self._all_pairs, 1), 0.5))

    def _make_pairs(self, table: str, rules: tuple[Rule, ...]) -> int:
        """Makes a table of the pairs that agree in every part of one of the rules; returns how many."""
        blocking = self._settings.blocking
        keys = " union all ".join(_key_sql(number, rule) for number, rule in enumerate(rules))
        self._con.execute(f"create or replace table block_key as {keys}")
        self._con.execute(_BLOCKS_SQL, {"max_block": blocking.max_block, "max_pairs": blocking.max_pairs})
        self._con.execute(_PAIRS_SQL.format(table=table))
        return int(self._number(f"select count(*) from {table}"))

    def _linker(self, model: dict[str, Any]) -> tuple[DuckDBAPI, Linker]:
        from splink import DuckDBAPI, Linker  # noqa: PLC0415

        database = DuckDBAPI(self._con)
        return database, Linker(database.register("people"), model, log_level=None)

    def _trained(self, prior: float) -> dict[str, Any]:
        """Splink's settings with every m and u in them."""
        training = self._settings.training
        model: dict[str, Any] = {
            "link_type": "dedupe_only",
            "unique_id_column_name": "unique_id",
            "comparisons": _comparisons(self._settings.comparisons),
            # The pairs are made here; Splink wants a rule all the same.
            "blocking_rules_to_generate_predictions": ["l.unique_id = r.unique_id"],
            "probability_two_random_records_match": prior,
            "retain_matching_columns": True,
            "retain_intermediate_calculation_columns": True,
        }
        _, linker = self._linker(model)
        linker.training.estimate_u_using_random_sampling(
            training.sample_pairs, self._seed, min_count_per_level=None, num_chunks=1
        )
        model = linker.misc.save_model_to_json()
        shares = {
            name: [level.get("u_probability", 0.0) for level in _weighing(comparison)]
            for name, comparison in _by_name(model).items()
        }
        rules = [rule for rule in training.rules if self._has_pairs(rule)]
        for _ in range(training.rounds):
            lessons = [self._lesson(model, rule) for rule in rules]
            for name, comparison in _by_name(model).items():
                taught = [lesson[name] for lesson in lessons if name in lesson]
                self._settle(comparison, taught, shares[name], prior)
        return model

    def _has_pairs(self, rule: TrainingRule) -> bool:
        there = " and ".join(f"{column} is not null" for column in rule)
        equal = f"select 1 from people where {there} group by {', '.join(rule)} having count(*) > 1"
        return bool(self._number(f"select exists ({equal})"))

    def _lesson(self, model: dict[str, Any], rule: TrainingRule) -> dict[str, list[float]]:
        """The m of each level as the pairs of a rule teach it, by comparison; of some they teach nothing."""
        from splink import block_on  # noqa: PLC0415

        blank = deepcopy(model)
        for comparison in blank["comparisons"]:
            for level in _weighing(comparison):
                level.pop("m_probability", None)
        _, linker = self._linker(blank)
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(
                block_on(*rule),
                estimate_without_term_frequencies=True,
                max_pairs=self._settings.training.max_pairs,
            )
        except ValueError:
            # Among pairs without matches an m sinks to 0, which Splink refuses.
            return {}
        return {
            name: [level.get("m_probability", 0.0) for level in _weighing(comparison)]
            for name, comparison in _by_name(linker.misc.save_model_to_json()).items()
            if any("m_probability" in level for level in _weighing(comparison))
        }

    def _settle(
        self, comparison: dict[str, Any], taught: list[list[float]], shares: list[float], prior: float
    ) -> None:
        """Takes the median m and solves u from the shares of the sampled pairs.

        A level that nobody was seen at counts as half a pair. Of what nothing was taught weighs nothing.
        """
        levels = _weighing(comparison)
        if not taught:
            for level in levels:
                level["m_probability"] = level["u_probability"] = 1 / len(levels)
            return
        least_m = 0.5 / max(prior * self._all_pairs, 1)
        least_u = 0.5 / min(self._all_pairs, self._settings.training.sample_pairs)
        for level, share, *each in zip(levels, shares, *taught, strict=True):
            m = max(median(each), least_m)
            u = min(max((share - prior * m) / (1 - prior), least_u), 1.0)
            # Sums over threads differ in their last bits from run to run.
            level["m_probability"], level["u_probability"] = float(f"{m:.6g}"), float(f"{u:.6g}")

    def _make_links(self, model: dict[str, Any]) -> None:
        database, linker = self._linker(model)
        linker.table_management.register_blocked_pairs_for_predict(database.register("pair"))
        threshold = self._settings.threshold
        # A little below it, as the probability is judged when it is rounded.
        scored = linker.inference.predict(threshold_match_probability=threshold * (1 - 1e-5))
        comparisons = _by_name(model)
        evidence = ", ".join(_evidence_sql(comparison) for comparison in comparisons.values())
        individual = " + ".join(_weight_sql(comparisons[column]) for column in self._settings.individual)
        self._con.execute(
            f"""
            insert into link
            select
                unique_id_l,
                unique_id_r,
                round(match_probability, 6) as probability,
                round(match_weight, 4),
                cast(json_object({evidence}) as varchar)
            from {scored.physical_name}
            where probability >= $threshold and round({individual}, 4) >= round($even_odds_weight, 4)
            """,
            {"threshold": threshold, "even_odds_weight": math.log2(threshold / (1 - threshold))},
        )


def _key_sql(number: int, rule: Rule) -> str:
    """The key each record has under a rule; two where either name will do."""
    there = " and ".join(f"{part} is not null" for part in rule)
    people = "people"
    for part in rule:
        if part in _EITHER:
            people = f"(select *, unnest(list_distinct({_EITHER[part]})) as {part} from {people})"
    key = f"concat_ws(chr(31), {', '.join(rule)})"
    return f"select unique_id, {number} as rule, {key} as key from {people} where {there}"


def _by_name(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {comparison["output_column_name"]: comparison for comparison in model["comparisons"]}


def _weighing(comparison: dict[str, Any]) -> list[dict[str, Any]]:
    return [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]


def _evidence_sql(comparison: dict[str, Any]) -> str:
    """The key and the value of a comparison in a pair's evidence."""
    name = comparison["output_column_name"]
    # Splink numbers the levels from the last, 0, upwards, and a missing value -1.
    labels = " ".join(
        f"when {number} then '{level['label_for_charts']}'"
        for number, level in enumerate(reversed(_weighing(comparison)))
    )
    missing = comparison["comparison_levels"][0]["label_for_charts"]
    return (
        f"'{name}', json_object('level', case gamma_{name} {labels} else '{missing}' end, "
        f"'weight', round({_weight_sql(comparison)}, 4))"
    )


def _weight_sql(comparison: dict[str, Any]) -> str:
    """A comparison's weight in a pair that Splink has scored, its value's rarity included."""
    name = comparison["output_column_name"]
    if any("tf_adjustment_column" in level for level in _weighing(comparison)):
        return f"(mw_{name} + mw_tf_adj_{name})"
    return f"mw_{name}"


def _comparisons(chosen: Comparisons) -> list[dict[str, Any]]:
    """The comparisons as Splink takes them: levels as SQL on a pair's `…_l` and `…_r`, the closest first."""
    made: list[dict[str, Any]] = []
    if chosen.name:
        made += _name_comparisons(chosen.name)
    if chosen.birth_date:
        made.append(_birth_date_comparison(chosen.birth_date))
    if chosen.city:
        levels = [_equal("city", chosen.city.least_frequency), *_similar("city", chosen.city.similar)]
        made.append(_comparison("city", levels))
    if chosen.email:
        made.append(_email_comparison(chosen.email))
    if chosen.phone:
        levels = [_equal("phone"), *_typing_errors("phone", chosen.phone.typing_errors)]
        made.append(_comparison("phone", levels))
    return made


def _name_comparisons(chosen: NameLevels) -> list[dict[str, Any]]:
    """First name and surname. That they are exchanged is one fact: it weighs with the first name alone."""
    made = []
    for column in ("first_name", "surname"):
        levels = [_equal(column, chosen.least_frequency), *_similar(column, chosen.similar)]
        missing, label = f"{column}_l is null or {column}_r is null", NO_VALUE
        if chosen.crossed and column == "first_name":
            levels.insert(1, _level(_EXCHANGED, "exchanged with the surname"))
            missing = f"({missing}) and not ({_EXCHANGED})"
        elif chosen.crossed:
            missing, label = f"{missing} or ({_EXCHANGED})", f"{NO_VALUE}, or exchanged"
        made.append(_comparison(column, levels, _level(missing, label)))
    return made


def _birth_date_comparison(chosen: BirthDateLevels) -> dict[str, Any]:
    exchanged = " or birth_digits_l = birth_digits_exchanged_r"
    levels = [_equal("birth_date"), *_typing_errors("birth_digits", chosen.typing_errors, exchanged)]
    levels += [
        _level(f"abs(datediff('day', birth_date_l, birth_date_r)) <= {days}", f"up to {days} days apart")
        for days in chosen.within_days
    ]
    return _comparison("birth_date", levels)


def _email_comparison(chosen: EmailLevels) -> dict[str, Any]:
    levels = [_equal("email")]
    if chosen.same_user:
        levels.append(_level("email_user_l = email_user_r", "same user"))
    levels += [*_typing_errors("email", chosen.typing_errors), *_similar("email", chosen.similar)]
    if chosen.same_domain:
        levels.append(_level("email_domain_l = email_domain_r", "same domain"))
    return _comparison("email", levels)


def _comparison(
    name: str, levels: list[dict[str, Any]], missing: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A comparison of these levels, before them the one that weighs nothing and after them the last."""
    null = missing or _level(f"{name}_l is null or {name}_r is null", NO_VALUE)
    return {
        "output_column_name": name,
        "comparison_levels": [null | {"is_null_level": True}, *levels, _level("ELSE", "different")],
    }


def _level(sql: str, label: str, **more: Any) -> dict[str, Any]:
    return {"sql_condition": sql, "label_for_charts": label, **more}


def _equal(column: str, least_frequency: float | None = None) -> dict[str, Any]:
    """Equality; with a least frequency, a rare value weighs more than a common one."""
    rarity: dict[str, Any] = {}
    if least_frequency is not None:
        rarity = {
            "tf_adjustment_column": column,
            "tf_adjustment_weight": 1.0,
            "tf_minimum_u_value": least_frequency,
        }
    return _level(f"{column}_l = {column}_r", "equal", **rarity)


def _similar(column: str, thresholds: Similarities) -> list[dict[str, Any]]:
    return [
        _level(
            f"jaro_winkler_similarity({column}_l, {column}_r) >= {threshold!r}",
            f"Jaro-Winkler {threshold:g} or more",
        )
        for threshold in thresholds
    ]


def _typing_errors(column: str, thresholds: Distances, also: str = "") -> list[dict[str, Any]]:
    return [
        _level(
            f"damerau_levenshtein({column}_l, {column}_r) <= {threshold}{also}",
            f"up to {threshold} typing error{'s' * (threshold > 1)}",
        )
        for threshold in thresholds
    ]
