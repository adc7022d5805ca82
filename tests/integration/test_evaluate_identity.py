"""`make evaluate-identity` without a shop: what is not there is reported as not evaluated.

Its figures for a shop are in tests/pipeline/test_identity.py.
"""

import json
import sys

from pipelines.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "benchmarks"))

import evaluate_identity


def test_reference_data_that_is_not_there_is_not_evaluated(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WINBACK_REFERENCE_DATA", str(tmp_path))
    # It silences the run's log for its own process.
    monkeypatch.setattr(evaluate_identity.logging, "disable", lambda _: None)

    evaluate_identity.main(["--seeds"])

    printed = capsys.readouterr().out
    assert json.loads(printed.splitlines()[0]) == {"customers": 20_000, "seeds": {}}
    assert "fake_1000" in printed
    assert "febrl1" in printed
    assert printed.count("not evaluated") == 2
