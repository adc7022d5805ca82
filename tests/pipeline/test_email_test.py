"""A randomised e-mail test without names, through its profile: its known rates and lifts come out."""

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from data_home import Home
from scipy import stats
from small_shop import SmallShop

from pipelines.settings import PROFILES_DIR

PEOPLE = 3_000
ARMS = {"Mens E-Mail": (0.18, 0.05), "Womens E-Mail": (0.15, 0.03), "No E-Mail": (0.10, 0.02)}
"""Chance of a visit, and of a purchase."""


@dataclass
class EmailTest(Home):
    """The home of the profile that the project has, on a file of the same columns."""

    file: Path = Path()

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"WINBACK_EMAIL_TEST": str(self.file)}


@pytest.fixture(scope="module")
def people():
    """People of three arms, with what came of it; many are alike in every figure."""
    rng = random.Random(5)
    rows = []
    for number in range(PEOPLE):
        arm = list(ARMS)[number % 3]
        visits, buys = ARMS[arm]
        visit = rng.random() < visits
        conversion = visit and rng.random() < buys / visits
        spend = round(rng.lognormvariate(4, 0.8), 2) if conversion else 0
        rows.append(
            {
                "recency": rng.randint(1, 12),
                "history": rng.choice(["29.99", "142.44"]),
                "segment": arm,
                "visit": int(visit),
                "conversion": int(conversion),
                "spend": spend,
            }
        )
    return rows


@pytest.fixture(scope="module")
def home(people, tmp_path_factory):
    folder = tmp_path_factory.mktemp("email_test")
    file = folder / "test.csv"
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, people[0])
        writer.writeheader()
        writer.writerows(people)
    shop = SmallShop(folder, PROFILES_DIR / "email_test.yaml", {})
    home = EmailTest(shop, folder / "home", file)
    assert home.run("--date", "2008-03-25") == 0
    return home


@pytest.mark.parametrize("arm", ["Mens E-Mail", "Womens E-Mail"])
@pytest.mark.parametrize(
    ("metric", "column"), [("wake_up", "visit"), ("conversion", "conversion"), ("revenue", "spend")]
)
def test_rates_lifts_and_standard_errors_are_those_of_the_file(home, people, arm, metric, column):
    treated, held_out = (
        [row[column] for row in people if row["segment"] == name] for name in (arm, "No E-Mail")
    )
    with home.published() as con:
        row = con.execute(
            "select treated, holdout, treated_rate, holdout_rate, lift, std_error, ci_low, ci_high, "
            "srm_p_value "
            "from kpi.incrementality where campaign_id = 'email_test' and segment_dim = 'all' "
            "and arm = ? and metric = ?",
            [arm.lower().replace(" ", "_"), metric],
        ).fetchone()
    counts, rates, (lift, error, low, high, split) = row[:2], row[2:4], row[4:]
    means = [sum(values) / len(values) for values in (treated, held_out)]
    assert counts == (PEOPLE / 3, PEOPLE / 3)
    assert rates == pytest.approx(tuple(means))
    assert lift == pytest.approx(means[0] - means[1])
    # The standard error of Welch's test; of shares it is the same but for the degrees of freedom.
    welch = stats.ttest_ind(treated, held_out, equal_var=False)
    assert error == pytest.approx(abs(lift / welch.statistic), rel=1e-3)
    assert low < lift < high
    assert split == pytest.approx(1)


def test_nobody_is_lost_and_the_file_is_named_when_it_is_missing(home, capfd):
    with home.published() as con:
        loaded = con.execute(
            "select rows_read, rows_loaded from quality.ingestions where feed = 'campaign_members'"
        ).fetchall()
    assert loaded == [(PEOPLE, PEOPLE)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "file", home.file.with_name("elsewhere.csv"))
        assert home.run("--date", "2008-03-25") == 1
    said = capfd.readouterr().err
    assert "elsewhere.csv" in said
    assert "WINBACK_EMAIL_TEST" in said
