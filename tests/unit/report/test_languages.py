"""Both languages are whole: no word of one stands in the other, and every code has its names."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml
from reading import sections_of

from pipelines.feeds.binding import BUILT_IN_REASONS
from pipelines.report.charts import NARROW_PX, WIDE_PX, Canvas
from pipelines.report.section import Cell, Section
from pipelines.report.wording import DECISIONS, LANGUAGES, REASONS, STATES, Wording, signed
from pipelines.settings import PROJECT_DIR

POLICY = PROJECT_DIR / "dbt_project" / "seeds" / "policy"
# Names of the shop's own, abbreviations and mathematical signs are the same in both languages.
OF_THE_SHOP = (
    "<script>alert(1)</script>",
    "Coffee & tea",
    "Bakery",
    "pos_sales",
    "products",
    "recall_decision",
    "spring_mailing",
    "amount: not a number",
)
COMMON = re.compile(r"\b(?:AUC|App|X|k|R|ROI)\b", re.ASCII)
CHINESE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]")


def _told(section: Section) -> Iterator[str]:
    """All that a section says, the labels of its charts included."""
    yield from (section.title, section.reading, section.note)
    for tile in section.tiles:
        yield from (tile.label, tile.note)
    if section.table is not None:
        yield from (column.title for column in section.table.columns)
        for row in section.table.rows:
            for cell in row:
                yield from (cell.text, cell.note) if isinstance(cell, Cell) else (cell,)
    if section.chart is not None:
        for width in (WIDE_PX, NARROW_PX):
            for mark in section.chart(Canvas(width)).marks:
                yield from re.findall(r"<text [^>]*>(.*?)</text>", mark)


def _without_names(text: str) -> str:
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    for name in OF_THE_SHOP:
        text = text.replace(name, "")
    return COMMON.sub("", text)


def _untranslated(section: Section) -> list[str]:
    return [text for text in _told(section) if re.search(r"[A-Za-z]", _without_names(text))]


def test_nothing_is_left_in_english(
    shop: duckdb.DuckDBPyConnection, empty: duckdb.DuckDBPyConnection
) -> None:
    for con in (shop, empty):
        for slug, section in sections_of(con, language="zh").items():
            assert not _untranslated(section), slug
            assert CHINESE.search(section.title) and CHINESE.search(section.reading), slug


def test_nothing_is_chinese_in_english(
    shop: duckdb.DuckDBPyConnection, empty: duckdb.DuckDBPyConnection
) -> None:
    for con in (shop, empty):
        for slug, section in sections_of(con).items():
            assert not [text for text in _told(section) if CHINESE.search(text)], slug


def test_both_languages_show_the_same_figures(shop: duckdb.DuckDBPyConnection) -> None:
    def figures(section: Section) -> list[list[str]]:
        assert section.table is not None
        return [
            [
                figure
                for cell in row
                for figure in re.findall(r"[\d.,]*\d%?", cell.text if isinstance(cell, Cell) else cell)
                if not isinstance(cell, Cell) or cell is not row[0]
            ]
            for row in section.table.rows
        ]

    english, chinese = (sections_of(shop, language=language) for language in LANGUAGES)
    assert list(english) == list(chinese)
    for slug, section in english.items():
        assert section.query == chinese[slug].query
        assert (section.chart is None) == (chinese[slug].chart is None)
        assert [tile.value for tile in section.tiles] == [tile.value for tile in chinese[slug].tiles]
        if section.table is not None:
            assert figures(section) == figures(chinese[slug]), slug


def _column(table: str, column: str) -> set[str]:
    with (POLICY / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return {row[column] for row in csv.DictReader(file)}


def _quarantine_reasons() -> set[str]:
    profiles: list[Path] = sorted((PROJECT_DIR / "data" / "profiles").glob("*.yaml"))
    rules = [
        rule["reason"]
        for profile in profiles
        for feed in yaml.safe_load(profile.read_text(encoding="utf-8"))["feeds"].values()
        for binding in (feed if isinstance(feed, list) else [feed])
        for rule in binding.get("reject", [])
    ]
    return {*rules, *BUILT_IN_REASONS}


@pytest.mark.parametrize(
    "codes",
    [
        _column("reason_code", "reason_code"),
        _column("reason", "reason") | set(REASONS),
        _column("reason_rule", "fact"),
        _column("channel", "channel"),
        _column("offer", "kind"),
        _quarantine_reasons(),
        {*STATES, *DECISIONS},
    ],
    ids=["reason codes", "reasons", "facts", "channels", "offers", "quarantine", "states and decisions"],
)
def test_every_code_has_a_chinese_name(codes: set[str]) -> None:
    assert not {code for code in codes if not CHINESE.search(Wording("zh").name(code))}


def test_names_within_a_sentence() -> None:
    en = Wording("en")
    assert [en.within(code) for code in ("email", "sms", "deep_dormant")] == ["e-mail", "SMS", "deep dormant"]
    assert signed(-0.021, ".3f") == "−0.021"
