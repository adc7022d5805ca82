"""Visits after a day with new events are those that all events give; only those with news are made anew."""

import json

import duckdb
import pytest
from demo_home import DEMO, DemoHome

pytestmark = pytest.mark.xdist_group("demo")

# Half an hour of silence ends a visit, counted in plain Python.
SILENCE_SECONDS = 30 * 60


def visits(home: DemoHome) -> list[tuple]:
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        return con.execute(
            """
            select visitor_id, first_event_id, account_id, epoch(started_at), epoch(ended_at),
                events, views, carts
            from core.int_visit order by all
            """
        ).fetchall()


def expected(home: DemoHome) -> list[tuple]:
    """The same from all events, one after the other."""
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        events = con.execute(
            """
            select visitor_id, event_id, account_id, epoch(occurred_at), kind from raw.web_events
            qualify row_number() over (
                partition by event_id order by occurred_at desc, _source desc, _line desc
            ) = 1
            order by visitor_id, occurred_at, event_id
            """
        ).fetchall()
    found: list[dict] = []
    for visitor, event, account, moment, kind in events:
        last = found[-1] if found else None
        if last is None or last["visitor"] != visitor or moment - last["ended"] > SILENCE_SECONDS:
            last = {"visitor": visitor, "first": event, "account": None, "began": moment, "kinds": []}
            found.append(last)
        last["account"] = last["account"] or account
        last["ended"] = moment
        last["kinds"].append(kind)
    return sorted(
        (
            *(each["visitor"], each["first"], each["account"], each["began"], each["ended"]),
            *(len(each["kinds"]), each["kinds"].count("view"), each["kinds"].count("cart")),
        )
        for each in found
    )


def deliver(home: DemoHome, events: list[dict]) -> None:
    """A file of the web shop, in its columns; a second one of the same name takes the place of the first."""
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (home.landing / "web_events" / "more.jsonl").write_text(lines, encoding="utf-8")
    home.build("raw", "core")


def event(name: str, visitor: str, moment: str, **more: str) -> dict:
    empty = dict.fromkeys(("account", "sku", "category", "query", "seconds"))
    return {"id": name, "visitor": visitor, "time": moment, "kind": "view", **empty, **more}


def falsify(home: DemoHome, visitor: str) -> None:
    """A mark on what must not be touched."""
    with duckdb.connect(str(home.settings.warehouse_file)) as con:
        con.execute("update core.int_visit set events = events + 1000 where visitor_id = ?", [visitor])


def test_a_day_adds_what_all_events_together_give(demo: DemoHome, tmp_path) -> None:
    home = DemoHome(DEMO, demo.copy(tmp_path / "home").path)
    assert visits(home) == expected(home)
    with duckdb.connect(str(home.settings.warehouse_file), read_only=True) as con:
        (known, replaced, untouched) = con.execute(
            """
            select list(event_id order by event_id)[1] || '|' || visitor_id from raw.web_events
            group by visitor_id order by visitor_id limit 3
            """
        ).fetchall()
    (_, known_visitor), (replaced_event, replaced_visitor) = known[0].split("|"), replaced[0].split("|")
    quiet = untouched[0].split("|")[1]
    falsify(home, quiet)
    deliver(
        home,
        [
            event("NEW1", "a visitor of today", "2025-12-31T10:00:00Z"),
            event("NEW2", "a visitor of today", "2025-12-31T10:30:00Z", kind="cart"),
            event("NEW3", "a visitor of today", "2025-12-31T11:00:01Z"),
            event("NEW4", known_visitor, "2025-06-01T10:00:00Z"),
            # What was somebody else's is another visitor's by now.
            event(replaced_event, "a visitor of today", "2025-12-31T12:00:00Z"),
        ],
    )
    wanted = expected(home)
    assert [each for each in visits(home) if each[0] != quiet] == [
        each for each in wanted if each[0] != quiet
    ]
    assert {each[0] for each in wanted} >= {"a visitor of today", known_visitor, replaced_visitor}
    assert all(each[5] > 1000 for each in visits(home) if each[0] == quiet)

    # A file that comes again with other rows: nobody knows any more what was in it.
    deliver(home, [event("NEW1", "a visitor of today", "2025-12-31T10:00:00Z")])
    assert visits(home) == expected(home)
