"""The truth about the demo shop, as Parquet, for tests and benchmarks alone: no pipeline code reads it.

`<truth>/<table>/part-<batch>.parquet`; money in cents, times as local timestamps without zone.

| table | one row is | columns of note |
|---|---|---|
| `person` | a true customer | kind, segment, household_no, joined_at |
| `household` | people who live together | people, phone that some of them share |
| `account` | an account in one system | source, account_key, person_no, normalised phone and e-mail |
| `account_pair` | two accounts of one person | shares_identifier, is_clean (by one nobody else has), \
is_reachable (by a chain of clean ones), is_connected (by a chain of any) |
| `need` | a person's need for a category | gap_days (true mean), until (drop-out or the end) |
| `sleep` | a person that dropped out | dropout_at, cause, sub_reason, has_evidence |
| `evidence` | a trace that was laid | cause, is_decoy, at |
| `purchase` | an order or receipt | person_no (also without a card), campaign_no if a campaign caused it |
| `campaign_effect` | segment × channel × offer | effect: probability of one more purchase in 28 days |
| `campaign_assignment` | a customer in a campaign | effect, is_control, is_woken |
| `survey_answer` | an answer | true_cause beside the one that was named |
| `ticket_owner`, `visitor_owner` | a ticket, a visitor id | person_no |
| `planted_dirt` | a dirty row | feed, file, reason, is_loaded (kept, not quarantined), key |
"""

from pathlib import Path

import duckdb

from pipelines.feeds.sql import literal

PER_BATCH = {
    "person": """
        select person_no, household_no, head_no, kind, segment, full_name, sex, birth_date, phone, email,
            second_email, city, new_city, moment(joined_s) as joined_at
        from person order by person_no
    """,
    "household": """
        select household_no, count(*) as people, min(household_phone) as phone
        from person group by household_no order by household_no
    """,
    "account": """
        select account_no, person_no, household_no, source, account_key, phone_norm, email_norm, linked_key,
            name,
            moment(opened_s) as opened_at
        from account order by account_no
    """,
    "account_pair": "select * from account_pair order by account_a, account_b",
    "need": """
        select person_no, category.code as category, need.rhythm, need.gap_days, moment(from_s) as from_at,
            moment(until_s) as until_at
        from need inner join category using (category_no) order by person_no, category_no
    """,
    "sleep": """
        select person_no, moment(dropout_s) as dropout_at, cause, sub_reason, has_evidence
        from sleep order by person_no
    """,
    "evidence": """
        select person_no, cause, is_decoy, moment(at_s) as happened_at 
        from evidence order by person_no, is_decoy
    """,
    "purchase": """
        select order_id, person_no, channel, account_key, is_card_forgotten, is_cancelled, campaign_no,
            moment(at_s) as purchased_at
        from purchase order by purchase_no
    """,
    "campaign_assignment": """
        select campaign_id, person_no, account_key, segment, channel, offer_id, is_control, effect, is_woken,
            moment(assigned_s) as assigned_at
        from assignment order by assignment_no
    """,
    "survey_answer": """
        select response_id, person_no, true_cause, reason_code from survey_answer order by response_id
    """,
    "ticket_owner": "select ticket_id, person_no from ticket order by ticket_id",
    "visitor_owner": "select distinct visitor_id, person_no from web_event order by visitor_id",
}
ONCE = {
    "campaign_effect": "select * from effect order by segment, channel, offer_id",
    "planted_dirt": "select * from planted order by all",
}


def write_truth(con: duckdb.DuckDBPyConnection, truth: Path, batch: int) -> None:
    """Writes the truth tables of one batch, and with the first one those that all batches share."""
    for table, query in (PER_BATCH | (ONCE if batch == 0 else {})).items():
        folder = truth / table
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"part-{batch:03d}.parquet"
        con.execute(
            f"copy ({query}) to {literal(str(file))} "
            "(format parquet, compression zstd, row_group_size 16000000)"
        )
