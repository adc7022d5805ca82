{{ touched_keys(source("raw", "web_events"), "visitor_id", "event_id", "int_visit") }}
