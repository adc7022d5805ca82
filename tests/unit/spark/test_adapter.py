"""What the adapter of the target `spark` makes of seeds and of Python models."""

from types import SimpleNamespace

from pipelines.spark.adapter import seed_query


def table(rows, **kinds):
    columns = [SimpleNamespace(name=name, data_type=type(kind, (), {})()) for name, kind in kinds.items()]
    return SimpleNamespace(rows=rows, columns=columns)


def test_a_seed_has_the_types_that_it_states():
    seed = table([("it's", 1, None), ("b\\c", 2, "x")], name="Text", rank="Integer", note="Text")

    assert seed_query(seed, {"rank": "tinyint"}) == (
        "select cast(`name` as STRING) as `name`, cast(`rank` as TINYINT) as `rank`, "
        "cast(`note` as STRING) as `note` "
        "from values ('it\\'s', '1', null), ('b\\\\c', '2', 'x') as seed (`name`, `rank`, `note`)"
    )


def test_a_seed_without_rows_has_its_columns():
    assert seed_query(table([], name="Text", share="Number"), {}) == (
        "select cast(null as STRING) as `name`, cast(null as DOUBLE) as `share` where false"
    )
