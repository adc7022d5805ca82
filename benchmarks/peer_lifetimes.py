"""RFM and P(alive) with pandas and lifetimes, for `benchmarks/peers.py`: runs where these are installed.

As lifetimes' own guide has it, with the model that Winback's is a generalisation of (MBG/NBD), fitted to all
customers; scores by `qcut` of ranks, as it is commonly written. No function is applied row by row.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peer_run import RESULT, SEEDS, Run, main


def run(this: Run) -> None:
    """Read, summarise, fit, score; then a second fit, on the given number of customers, beside the clock."""
    import pandas as pd  # noqa: PLC0415
    from lifetimes import ModifiedBetaGeoFitter  # noqa: PLC0415
    from lifetimes.utils import summary_data_from_transaction_data  # noqa: PLC0415

    this.start()
    lines = pd.read_parquet(this.lines, columns=["customer_id", "ordered_at", "amount"])
    this.done("read")
    summary = summary_data_from_transaction_data(
        lines, "customer_id", "ordered_at", observation_period_end=this.as_of_date
    )
    this.done("summary")
    customers = summary.join(lines.groupby("customer_id")["amount"].sum().round(2).rename("monetary"))
    customers["recency_days"] = customers["T"] - customers["recency"]
    customers["frequency"] = customers["frequency"] + 1
    n = len(customers)
    for score, column, ascending in (
        ("r_score", "recency_days", False),
        ("f_score", "frequency", True),
        ("m_score", "monetary", True),
    ):
        ranks = customers[column].rank(method="first", ascending=ascending)
        customers[score] = pd.qcut(ranks, 5, labels=False) + 1
    customers["recency_high"] = customers["recency_days"] < customers["recency_days"].mean()
    customers["frequency_high"] = customers["frequency"] > customers["frequency"].mean()
    customers["monetary_high"] = customers["monetary"] > customers["monetary"].mean()
    customers = (
        customers.reset_index()
        .merge(pd.read_csv(SEEDS / "rfm_segment_11.csv"), on=["r_score", "f_score"])
        .merge(pd.read_csv(SEEDS / "rfm_class.csv"), on=["recency_high", "frequency_high", "monetary_high"])
    )
    assert len(customers) == n
    this.done("rfm")
    history = summary["frequency"], summary["recency"], summary["T"]
    model = ModifiedBetaGeoFitter().fit(*history)
    this.done("fit")
    alive = pd.Series(model.conditional_probability_alive(*history), summary.index, name="p_alive")
    customers = customers.merge(alive, on="customer_id")
    this.done("p_alive")
    this.stop()
    this.found["model"] = {name: float(value) for name, value in model.params_.items()}
    customers[list(RESULT)].to_parquet(this.result)
    sample = summary.sample(min(this.given["fit_sample"], n), random_state=1)
    this.start()
    ModifiedBetaGeoFitter().fit(sample["frequency"], sample["recency"], sample["T"])
    this.done("fit_of_sample")
    this.found["fit_of_sample_seconds"] = this.parts["fit_of_sample"]


if __name__ == "__main__":
    main("lifetimes", run, ("lifetimes", "pandas", "numpy", "scipy", "autograd", "pyarrow"))
