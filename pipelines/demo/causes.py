"""Who falls asleep for good, when and why, and what of it can be seen.

Table `sleep` (one row per person that dropped out) and `evidence` (person, cause, time: what the other
modules make visible). A cause without evidence leaves no trace of its own; a decoy is the trace of a cause
that was not it.
"""

import duckdb

from pipelines.demo import rates
from pipelines.demo.draws import DAY_SECONDS, by_value, one_of, texts


def create_sleep(con: duckdb.DuckDBPyConnection) -> None:
    """Creates `sleep` and `evidence` from `person`."""
    sub_reason = by_value(
        "cause",
        {
            cause: one_of(shares, "u('sub reason', person_no)")
            for cause, shares in rates.SUB_REASON_SHARES.items()
        },
    )
    con.execute(f"""
    create or replace table sleep as
    with drawn as (
        select
            person_no,
            cast(
                greatest(joined_s, 0) + waiting({rates.DROPOUT_MEAN_DAYS * DAY_SECONDS}, 'dropout', person_no)
                as bigint
            ) as dropout_s,
            {one_of(rates.CAUSE_SHARES, "u('cause', person_no)")} as cause,
            u('evidence', person_no) as evidence_draw
        from person
        where kind = 'buyer' and u('drops out', person_no) < {rates.DROPOUT_SHARE}
    )
    select person_no, dropout_s, cause, {sub_reason} as sub_reason,
        -- A share that holds in a small shop too.
        row_number() over (order by evidence_draw, person_no) <= {rates.EVIDENCE_SHARE} * count(*) over ()
            as has_evidence
    from drawn
    where dropout_s < {rates.DROPOUT_UNTIL_DAY * DAY_SECONDS}
    order by person_no
    """)
    con.execute(f"""
    create or replace table evidence as
    with candidates as (
        select
            person.person_no, sleep.cause as true_cause, sleep.has_evidence, sleep.dropout_s, person.joined_s,
            list_filter({texts(rates.CAUSE_SHARES)}, lambda name: name is distinct from sleep.cause)
                as others,
            row_number() over (order by u('has decoy', person.person_no), person.person_no)
            <= {rates.DECOY_SHARE} * count(*) over () as has_decoy
        from person
        left join sleep using (person_no)
        where person.kind = 'buyer'
    ),
    traces as (
        select person_no, true_cause as cause, false as is_decoy,
            dropout_s - u('evidence at', person_no) * {rates.EVIDENCE_BEFORE_DROPOUT_DAYS * DAY_SECONDS}
                as at_s
        from candidates
        where true_cause is not null and has_evidence
        union all
        select person_no, pick(others, 'decoy', person_no), true,
            if(
                dropout_s is not null,
                dropout_s - u('decoy at', person_no) * {2 * rates.EVIDENCE_BEFORE_DROPOUT_DAYS * DAY_SECONDS},
                greatest(joined_s, 0)
                + u('decoy at', person_no) * ({(rates.DAYS - 10) * DAY_SECONDS} - greatest(joined_s, 0))
            )
        from candidates
        where has_decoy
    )
    select person_no, cause, is_decoy,
        -- At office hours, and not before the person came.
        greatest(
            cast(at_s as bigint) // {DAY_SECONDS} * {DAY_SECONDS} + 32400 + below(36000, 'evidence time',
                person_no),
            greatest(joined_s, 0) + 3600 + below(86400, 'evidence delay', person_no)
        ) as at_s
    from traces
    inner join (select person_no, joined_s from person) using (person_no)
    order by person_no, is_decoy
    """)
