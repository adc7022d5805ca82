{{ config(materialized="view") }}

-- A view: what has come is asked at the moment in which the visits are made.
{{ touched_keys(source("raw", "web_events"), "visitor_id", "event_id", "int_visit") }}
