"""Recommendations by `implicit`, an established implementation, to compare with; it need not be installed.

It gets the same purchases with the same decay as our own list of repeats (half of it after 120 days), one
number per customer and product: the cosine of items (50 neighbours) and ALS (64 factors, seeded). Its lists
of known purchases may hold own products, those of new ones may not.
"""

import importlib
import importlib.util
from collections.abc import Iterator

import duckdb
import numpy as np
import scipy.sparse


def is_installed() -> bool:
    """Is `implicit` installed, with SciPy, which it needs?"""
    return importlib.util.find_spec("implicit") is not None


def recommend(con: duckdb.DuckDBPyConnection, first: int) -> Iterator[str]:
    """Fit and recommend to the customers of `bought`, from the purchases in `known`.

    Yields:
        The name of a method, after the tables `implicit_<name>` and `implicit_<name>_new` are made.
    """
    if not is_installed():
        return
    als = importlib.import_module("implicit.als")
    nearest_neighbours = importlib.import_module("implicit.nearest_neighbours")
    numbers = con.execute(
        """
        with weighed as (
            select
                customer_id, product_id,
                pow(2, -((select max(purchased_on) from known) - purchased_on) / 120.0) as weight
            from known
        )
        select
            dense_rank() over (order by customer_id) - 1 as customer_no,
            dense_rank() over (order by product_id) - 1 as product_no,
            customer_id, product_id, weight
        from (
            select customer_id, product_id, sum(weight) as weight
            from weighed
            group by customer_id, product_id
        )
        order by customer_no, product_no
        """
    ).fetchnumpy()
    rows, columns = numbers["customer_no"].astype(np.int64), numbers["product_no"].astype(np.int64)
    matrix = scipy.sparse.csr_matrix((numbers["weight"].astype(np.float32), (rows, columns)))
    customers, products = np.unique(numbers["customer_id"]), np.unique(numbers["product_id"])
    buyers = con.execute("select distinct customer_id from bought order by customer_id").fetchnumpy()
    asked = np.searchsorted(customers, buyers["customer_id"])
    models = {
        "cosine": nearest_neighbours.CosineRecommender(K=50, num_threads=1),
        "als": als.AlternatingLeastSquares(factors=64, random_state=1, num_threads=1),
    }
    for name, model in models.items():
        model.fit(matrix, show_progress=False)
        for suffix, new_only in (("", False), ("_new", True)):
            ids, _ = model.recommend(asked, matrix[asked], N=first, filter_already_liked_items=new_only)
            found = {
                "customer_id": np.repeat(customers[asked], ids.shape[1]),
                "product_id": products[np.maximum(ids, 0).ravel()],
                "is_one": (ids >= 0).ravel(),
            }
            con.execute(
                f"""
                create or replace temp table implicit_{name}{suffix} as
                select distinct customer_id, product_id from found where is_one
                """
            )
            del found
        yield name
