"""Hashes for advertising platforms: the platforms' own examples, and what each rule must leave alone."""

import hashlib

import duckdb
import pytest

from pipelines.activation.hashing import PLATFORMS, RULES, hashed_sql, normalised_sql, versions

META = "developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters"


def run(expression, value):
    return duckdb.execute(f"select {expression} from (select ?::varchar as given)", [value]).fetchone()[0]


@pytest.mark.parametrize(
    ("platform", "kind", "given", "published"),
    [
        # Meta's page (META above) publishes these hashes. The phone number is its (650)555-1212 in E.164.
        (
            "meta",
            "email",
            "John_Smith@gmail.com",
            "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
        ),
        (
            "meta",
            "phone",
            "+16505551212",
            "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
        ),
        ("meta", "name", "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        ("meta", "name", "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        ("meta", "name", "Valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        # ads.tiktok.com/help/article/how-to-create-a-custom-audience-with-a-customer-file, September 2025.
        # The page writes the number with a plus; the hash that it publishes is the one without.
        (
            "tiktok",
            "email",
            "JaneDoe@gmail.com",
            "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69",
        ),
        (
            "tiktok",
            "phone",
            "+37493828222",
            "65b7e6dcf6f4310f8d7cbfbd78289a753062fb054d6664fb9aaac5df66a422d4",
        ),
    ],
)
def test_hashes_that_the_platform_publishes(platform, kind, given, published):
    assert run(hashed_sql(platform, kind, "given"), given) == published


@pytest.mark.parametrize(
    ("platform", "kind", "given", "published"),
    [
        # developers.google.com/data-manager/api/devguides/concepts/formatting publishes these forms, and in
        # SHA-256 in hex of them; the number is its (800)555-0100 in E.164.
        ("google", "email", "cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
        ("google", "email", "user.name+NYC@Example.com", "user.name+nyc@example.com"),
        ("google", "phone", "+18005550100", "+18005550100"),
        # ads.tiktok.com/help/article/list-of-supported-ids-and-formats-for-a-customer-file, August 2025.
        ("tiktok", "phone", "+16577770000", "16577770000"),
        ("tiktok", "phone", "+37493828222", "37493828222"),
        # developers.e.qq.com/docs/audience_management/file: eleven digits.
        ("tencent", "phone", "+8613800000000", "13800000000"),
        ("ocean_engine", "phone", "+8613800000000", "13800000000"),
    ],
)
def test_forms_that_the_platform_publishes(platform, kind, given, published):
    assert run(normalised_sql(platform, kind, "given"), given) == published
    assert run(hashed_sql(platform, kind, "given"), given) == hashlib.sha256(published.encode()).hexdigest()


@pytest.mark.parametrize(
    ("platform", "given", "form"),
    [
        ("google", " A.B+x@GoogleMail.com ", "ab@googlemail.com"),
        ("google", "a.b+x@gmail.com.example.com", "a.b+x@gmail.com.example.com"),
        ("google", "a.b@mygmail.com", "a.b@mygmail.com"),
        ("meta", " A.B+x@Gmail.com ", "a.b+x@gmail.com"),
        ("tiktok", "A.B+x+y@Gmail.com", "a.b@gmail.com"),
        ("tiktok", "a.b+x@example.com", "a.b@example.com"),
    ],
)
def test_dots_and_tags_go_only_where_the_platform_says(platform, given, form):
    assert run(normalised_sql(platform, "email", "given"), given) == form


def test_platforms_hash_the_same_customer_differently():
    emails = {
        run(hashed_sql(name, "email", "given"), "a.b+x@gmail.com") for name in ("google", "meta", "tiktok")
    }
    phones = {run(hashed_sql(name, "phone", "given"), "+8613800000000") for name in PLATFORMS}
    assert len(emails) == 3
    assert len(phones) == 3  # with plus; with country code; eleven digits


@pytest.mark.parametrize("given", ["+861380000000", "+85291234567", "+14155550100", "13800000000", "", None])
def test_chinese_platforms_match_mainland_mobiles_only(given):
    assert run(normalised_sql("tencent", "phone", "given"), given) is None
    assert run(hashed_sql("ocean_engine", "phone", "given"), given) is None


@pytest.mark.parametrize(
    ("platform", "kind"), [(name, kind) for name in PLATFORMS for kind in RULES[name].normalised]
)
def test_nothing_has_no_hash(platform, kind):
    assert run(hashed_sql(platform, kind, "given"), None) is None
    if kind != "email":
        assert run(hashed_sql(platform, kind, "given"), "") is None


def test_md5_of_the_same_form():
    expected = hashlib.md5(b"13800000000").hexdigest()
    assert run(hashed_sql("tencent", "phone", "given", "md5"), "+8613800000000") == expected


def test_names_keep_their_accents_and_lose_their_case():
    assert run(normalised_sql("google", "name", "given"), " Zoë ") == "zoë"
    assert run(normalised_sql("meta", "name", "given"), "O'Neil-Ruiz ") == "oneilruiz"


def test_what_there_is_no_rule_for_is_refused():
    with pytest.raises(ValueError, match="'tencent' has no rule for 'email'; there are google: email"):
        normalised_sql("tencent", "email", "given")
    with pytest.raises(ValueError, match="unknown hash 'sha1'"):
        hashed_sql("meta", "email", "given", "sha1")


def test_versions_are_those_of_the_platforms_asked_for():
    assert versions(["tiktok", "meta"]) == {"meta": "meta/2026-01", "tiktok": "tiktok/2025-08"}
