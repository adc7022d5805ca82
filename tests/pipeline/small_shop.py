"""A small shop with two channels, as files and a profile: enough to run every stage in seconds.

All is derived from one seed, so two calls write the same bytes. The shop has regular customers and sleepers,
returns with and without a stated order, anonymous sales, charges that are no products, exact duplicates and
rows that belong into quarantine, in known numbers.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

START = date(2024, 1, 1)
END = date(2024, 6, 30)

PROFILE = """\
name: small_shop
title: A small shop for the tests
time_zone: Europe/Berlin
currency: EUR
region: DE
calendar: {start_date: 2024-01-01, end_date: 2024-06-30}
dormancy: {min_category_customers: 30}
feeds:
  pos_members:
    source: {type: file, path: FOLDER/members.csv}
    columns: {member_id: member, city: town, joined_at: joined}
  pos_sales:
    source: {type: file, path: "FOLDER/sales*.csv"}
    columns:
      receipt_id: receipt
      line_no: line
      member_id: nullif(member, '')
      store_id: store
      sold_at: sold
      product_id: product
      line_kind: "case when product = 'BAG' then 'other' else 'product' end"
      quantity: quantity
      amount: amount
      discount_amount: discount
    reject:
      - {when: quantity = '0', reason: zero_quantity}
  products:
    source: {type: file, path: FOLDER/products.csv}
    columns: {product_id: product, name: name, category: category, price: price, cost: cost}
  ecommerce_customers:
    source: {type: file, path: FOLDER/accounts.csv}
    columns: {account_id: account, email: email, registered_at: registered}
  ecommerce_orders:
    source: {type: file, path: FOLDER/orders.csv}
    columns: {order_id: order_no, account_id: account, ordered_at: ordered, status: status}
  ecommerce_order_lines:
    source: {type: file, path: FOLDER/order_lines.csv}
    columns:
      order_id: order_no
      line_no: line
      product_id: product
      quantity: quantity
      unit_price: price
      line_amount: amount
      returned_order_id: nullif(returned_order, '')
"""

CATEGORIES = ("tea", "coffee", "books")


@dataclass(frozen=True)
class SmallShop:
    """Where the shop's files are, and what was planted in `sales.csv`."""

    folder: Path
    profile: Path
    sales_rows: int
    duplicates: int = 4
    zero_quantity: int = 3
    wrong_type: int = 2


def write_small_shop(folder: Path, seed: int = 7) -> SmallShop:
    """Write the shop's files and its profile into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    products = [
        (f"P{n:02d}", f"{CATEGORIES[n % 3]} {n}", CATEGORIES[n % 3], 20 * (3 + n), 20 * (1 + n // 2))
        for n in range(30)
    ]
    prices = {product: price for product, _, _, price, _ in products}
    _write(folder / "products.csv", ("product", "name", "category", "price", "cost"), products)
    members = [(f"M{n:03d}", rng.choice(("Bonn", "Köln")), START - timedelta(days=n)) for n in range(160)]
    _write(folder / "members.csv", ("member", "town", "joined"), members)
    sales = list(_sales(rng, [member for member, *_ in members], list(prices.items())))
    # Four lines once more, byte for byte: duplicates, not sales.
    sales += sales[10:14]
    _write(
        folder / "sales.csv",
        ("receipt", "line", "member", "store", "sold", "product", "quantity", "amount", "discount"),
        sales,
    )
    accounts = [(f"A{n:03d}", f"person{n}@example.org", START + timedelta(days=n)) for n in range(90)]
    _write(folder / "accounts.csv", ("account", "email", "registered"), accounts)
    # A third of the accounts never buys.
    orders, lines = _orders(rng, [account for account, *_ in accounts[:60]], list(prices.items()))
    _write(folder / "orders.csv", ("order_no", "account", "ordered", "status"), orders)
    _write(
        folder / "order_lines.csv",
        ("order_no", "line", "product", "quantity", "price", "amount", "returned_order"),
        lines,
    )
    profile = folder / "small_shop.yaml"
    profile.write_text(PROFILE.replace("FOLDER", str(folder)), encoding="utf-8")
    return SmallShop(folder, profile, sales_rows=len(sales))


def _sales(rng: random.Random, members: list[str], prices: list[tuple[str, int]]):
    receipt = 0
    for position, member in enumerate([*members, ""]):
        gap_days = rng.choice((6, 12, 25))
        # Every third member stops early; the last one, without a name, is everybody who shows no card.
        last = START + timedelta(days=70) if position % 3 == 0 else END
        day = START + timedelta(days=rng.randrange(gap_days))
        while day <= last:
            receipt += 1
            sold = datetime(day.year, day.month, day.day, rng.randrange(9, 20), rng.randrange(60))  # noqa: DTZ001 - local, as a till writes it
            for line in range(1, rng.randrange(2, 5)):
                product, price = rng.choice(prices)
                quantity = rng.choice((1, 1, 2, -1)) if line > 1 else 1
                discount = 1 if rng.random() < 0.2 and quantity > 0 else 0
                yield (
                    f"R{receipt:05d}", line, member, "S1", sold, product, quantity,
                    f"{quantity * price - discount:.2f}", f"{discount:.2f}",
                )  # fmt: skip
            yield (f"R{receipt:05d}", 9, member, "S1", sold, "BAG", 1, "0.10", "0.00")
            day += timedelta(days=max(1, round(rng.gauss(gap_days, gap_days / 4))))
    for n in range(3):
        yield (f"Z{n}", 1, members[0], "S1", "2024-02-01 10:00:00", "P01", 0, "0.00", "0.00")
    for n in range(2):
        yield (f"W{n}", 1, members[0], "S1", "2024-02-01 10:00:00", "P01", 1, "much", "0.00")


def _orders(rng: random.Random, accounts: list[str], prices: list[tuple[str, int]]):
    orders, lines = [], []
    for account in accounts:
        day = START + timedelta(days=rng.randrange(60))
        bought: tuple[str, str, int] | None = None
        while day <= END:
            number = f"O{len(orders):04d}"
            ordered = f"{day} {rng.randrange(24):02d}:15:00"
            product, price = rng.choice(prices)
            if bought and rng.random() < 0.2:
                before, product, price = bought
                orders.append((number, account, ordered, "return"))
                lines.append((number, 1, product, -1, price, -price, before))
            else:
                status = "cancelled" if rng.random() < 0.05 else "completed"
                quantity = rng.randrange(1, 3)
                orders.append((number, account, ordered, status))
                lines.append((number, 1, product, quantity, price, quantity * price, ""))
                bought = (number, product, price)
            day += timedelta(days=rng.randrange(5, 40))
    return orders, lines


def _write(file: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(rows)
