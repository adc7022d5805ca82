"""How far two names agree, and what an e-mail address says of a name."""

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.identity.agreement import create_agreement_macros
from pipelines.identity.names import name_forms


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as con:
        create_agreement_macros(con)
        yield con


def read(con, spellings):
    con.register("given_spellings", pl.DataFrame({"spelling": spellings}, schema={"spelling": pl.String}))
    name_forms(con, spellings="given_spellings", into="forms")


def agreements(con, pairs):
    """By pair: the agreement, the one the other way round, and each name's with itself."""
    names = sorted({name for pair in pairs for name in pair})
    con.register("pairs", pl.DataFrame(pairs, schema={"a": pl.String, "b": pl.String}, orient="row"))
    read(con, names)
    rows = con.execute("""
    with named as (
        select spelling, {'form': form, 'han': han, 'family': family, 'given': given} as name from forms
    )
    select
        a,
        b,
        names_agree(x.name, y.name),
        names_agree(y.name, x.name),
        names_agree(x.name, x.name),
        names_agree(y.name, y.name)
    from pairs inner join named as x on a = x.spelling inner join named as y on b = y.spelling
    """).fetchall()
    return {(a, b): tuple(found) for a, b, *found in rows}


@pytest.mark.parametrize(
    ("a", "b", "agreement"),
    [
        *(
            ("王小明", "Xiaoming Wang", "same"),
            ("王伟", "王玮", "same"),
            ("John Smith", "SMITH, John", "same"),
        ),
        # A typing error in a name of three characters; in one of two as often two siblings.
        *(("王小明", "王小朋", "near"), ("王小明", "王大明", "near"), ("王明", "王芳", "weak")),
        *(
            ("王小明", "李小明", "different"),
            ("王小明", "王小明明", "different"),
            ("王小明", "王大朋", "different"),
        ),
        *(("欧阳晓明", "欧阳晓朋", "near"), ("欧阳锋", "欧阳克", "weak")),
        *(
            ("J Smith", "John Smith", "near"),
            ("J Smith", "Smith, James", "near"),
            ("B Smith", "John Smith", "different"),
        ),
        *(
            ("John A Smith", "John Smith", "near"),
            ("王小明", "X Wang", "near"),
            ("Lee Lee", "Lee X", "near"),
        ),
        *(
            ("Jon Smith", "John Smith", "weak"),
            ("Oiver Smith", "Oliver Smith", "near"),
            ("Jhon Smith", "John Smith", "weak"),
        ),
        *(("Anna Smith", "John Smith", "different"), ("Al Li", "Al Lu", "weak")),
        *(("王小明", "Wang Xiaomin", "near"), ("王丽", "Wang Lu", "weak")),
        # Two names, or a typing error: nobody knows.
        *(
            ("Wang Ming", "Wang Ping", "weak"),
            ("王明", "Wang Ping", "weak"),
            ("Mark Hill", "Mary Hill", "weak"),
        ),
        # hao is one syllable, not two of which one is the same.
        *(("郭浩", "郭涛", "weak"), ("Hanwei Peng", "彭明伟", "near"), ("Hanwei Peng", "彭伟", "different")),
        *(("王小明", "", None), ("test", "test", None)),
    ],
)
def test_name_agreement(con, a, b, agreement):
    found = agreements(con, [(a, b)])[a, b]
    assert found[:2] == (agreement, agreement)


NAMES = st.one_of(
    st.text("王李小明朋阳欧", min_size=1, max_size=4),
    st.lists(
        st.sampled_from(
            ["wang", "li", "xiaoming", "xiaomin", "ming", "john", "jon", "j", "x", "smith", "smiht"]
        ),
        min_size=1,
        max_size=3,
    ).map(" ".join),
)


@settings(max_examples=25, deadline=None)
@given(pairs=st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=60, unique=True))
def test_agreement_is_symmetric_and_a_name_agrees_with_itself(con, pairs):
    for there, back, *alone in agreements(con, pairs).values():
        assert there == back
        assert there in ("same", "near", "weak", "different", None)
        assert set(alone) <= {"same", None}
        assert (there is None) == (None in alone)


@pytest.mark.parametrize(
    ("email", "name", "names"),
    [
        *(("wang.xiaoming5x@qq.com", "王小明", True), ("xiaoming86@qq.com", "王小明", True)),
        *(("wang.xiaoming5x@qq.com", "Wang Xiaoming", True), ("john.smith@gmail.com", "John Smith", True)),
        # The surname beside another word in pinyin: somebody else's.
        *(("wang.xiaoming5x@qq.com", "王小朋", False), ("wang.dawei@qq.com", "Wang Xiaoming", False)),
        # Half of a longer word is no name.
        *(("liu.ling1@qq.com", "刘林", False), ("zhiyang.xu@qq.com", "徐洋", False)),
        # The surname alone, letters that are no word, other languages: nothing is said.
        *(("wang1@qq.com", "Wang Li", None), ("lin37cxfsm@qq.com", "Lin Wei", None)),
        *(("smith.anna@gmail.com", "John Smith", False), ("william49ggz@qq.com", "Jones William", None)),
        *((None, "王小明", None), ("x@qq.com", "", None), ("x@qq.com", "Иван", None)),
    ],
)
def test_email_names(con, email, name, names):
    read(con, [name])
    found = con.execute(
        "select email_names(address, forms) from (select cast(? as varchar) as address), forms", [email]
    ).fetchall()
    assert found == [(names,)]
