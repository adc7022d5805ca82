"""The demo shop: a seeded world of people whose truth is known, written as the files of a shop's systems.

What belongs here: the world (people, accounts, purchases, causes of sleep, campaigns), its files with planted
dirty rows, and the truth beside them. What does not: Dagster, and anything that takes the files in.
Everything is SQL over whole batches of customers, drawn by pure functions of seed, stream and id.

    write_demo_shop(home / "landing", truth_folder, customers=20_000)
"""

from pipelines.demo.marker import DemoShopError, FeedCounts, Marker, read_marker
from pipelines.demo.shop import DemoShop, has_demo_shop, write_demo_shop

__all__ = [
    "DemoShop",
    "DemoShopError",
    "FeedCounts",
    "Marker",
    "has_demo_shop",
    "read_marker",
    "write_demo_shop",
]
