"""Feeds: from source files, by a contract and a profile's binding, into the lake and the `raw` schema.

What belongs here: contracts, bindings, reading, checking and quarantining rows, the lake's ingestions. What
does not: Dagster, dbt models, and any rule about customers.
"""
