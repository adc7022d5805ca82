"""What advertising platforms match customers by: addresses as each platform normalises them, then hashed.

Platforms disagree on what they hash, so one universal hash would match nowhere: each platform has its rules
here, as SQL expressions over an e-mail address, a phone number in E.164 with its plus, or a name. A rule's
version names the platform and the page's month, or a number where it has no date; it stands in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rules:
    """A platform's rules.

    Attributes:
        version: `<platform>/<month of the page, or a number where the page has no date>`.
        source: the platform's page.
        normalised: by what is matched (email, phone, name), SQL with a place `{value}`; null for what the
            platform cannot match.
    """

    version: str
    source: str
    normalised: Mapping[str, str] = field(default_factory=dict)


# Blanks of any kind, also those between: addresses and E.164 numbers have none.
_NO_BLANKS = r"regexp_replace(lower({value}), '\s', '', 'g')"
_TRIMMED_NAME = r"regexp_replace(lower({value}), '^\s+|\s+$', '', 'g')"
_DIGITS = "nullif(regexp_replace({value}, '[^0-9]', '', 'g'), '')"
_MAINLAND_MOBILE = r"nullif(regexp_extract({value}, '^\+86(1[0-9]{{10}})$', 1), '')"

RULES: Mapping[str, Rules] = {
    # Lower case, no blanks at all; dots and +tag go at gmail.com and googlemail.com and nowhere else (the
    # page's examples: cloudy.sanfrancisco+shopping@gmail.com, user.name+NYC@Example.com). Phone with plus.
    "google": Rules(
        "google/1",
        "developers.google.com/data-manager/api/devguides/concepts/formatting; headers of the file: "
        "support.google.com/google-ads/answer/7659867",
        {
            "email": rf"""if(
                regexp_matches({_NO_BLANKS}, '@(gmail|googlemail)\.com$'),
                replace(regexp_replace(split_part({_NO_BLANKS}, '@', 1), '\+.*', ''), '.', ''),
                split_part({_NO_BLANKS}, '@', 1)
            ) || '@' || split_part({_NO_BLANKS}, '@', 2)""",
            "phone": r"'+' || " + _DIGITS,
            "name": _TRIMMED_NAME,
        },
    ),
    # Trimmed and lower case; dots and tags stay. Phone with country code and without plus. Names in lower
    # case without punctuation, in UTF-8.
    "meta": Rules(
        "meta/2026-01",
        "developers.facebook.com/docs/marketing-api/conversions-api/parameters/"
        "customer-information-parameters; headers of the file: facebook.com/business/help/2082575038703844",
        {
            "email": r"regexp_replace(lower({value}), '^\s+|\s+$', '', 'g')",
            "phone": _DIGITS,
            "name": r"regexp_replace(lower({value}), '[\s\p{{P}}]', '', 'g')",
        },
    ),
    # The list of supported IDs of August 2025 takes off the plus of a phone number and the +tag of an
    # address, at any domain; dots stay. Its older version wanted the plus; the page of September 2025 shows
    # numbers with a plus and publishes the hash of the number without it: without it all pages agree.
    "tiktok": Rules(
        "tiktok/2025-08",
        "ads.tiktok.com/help/article/list-of-supported-ids-and-formats-for-a-customer-file",
        {
            "email": rf"regexp_replace({_NO_BLANKS}, '\+[^@]*@', '@')",
            "phone": _DIGITS,
        },
    ),
    # HASH_MOBILE_PHONE (MD5) and SHA256_MOBILE_PHONE of the eleven digits of a mainland mobile number.
    "tencent": Rules(
        "tencent/1",
        "developers.e.qq.com/docs/audience_management/file and "
        "developers.e.qq.com/docs/api/audiences/custom_audience_file/custom_audience_files_add",
        {"phone": _MAINLAND_MOBILE},
    ),
    # MOBILE_HASH_SHA256 of the audience upload. The pages behind the login were not open to us; that it is
    # the eleven digits follows its sister service (volcengine.com/docs/6504/82944: no country code).
    "ocean_engine": Rules(
        "ocean_engine/1",
        "open.oceanengine.com, upload of an audience by file: MOBILE_HASH_SHA256",
        {"phone": _MAINLAND_MOBILE},
    ),
}
"""By platform. Whoever changes a rule gives it a new version: what was uploaded under the old one is removed
with the old hashes, which the frozen exports keep."""

PLATFORMS: Sequence[str] = tuple(RULES)


def normalised_sql(platform: str, kind: str, value: str) -> str:
    """SQL for what the platform hashes, in clear; null where there is nothing to match.

    Args:
        platform: one of `PLATFORMS`.
        kind: `email`, `phone` (E.164 with plus) or `name`.
        value: a varchar expression.

    Raises:
        ValueError: the platform is unknown, or does not match by this kind.
    """
    if platform not in RULES or kind not in RULES[platform].normalised:
        accepted = "; ".join(f"{name}: {', '.join(rules.normalised)}" for name, rules in RULES.items())
        raise ValueError(f"{platform!r} has no rule for {kind!r}; there are {accepted}")
    return f"nullif({RULES[platform].normalised[kind].format(value=f'({value})')}, '')"


def hashed_sql(platform: str, kind: str, value: str, algorithm: str = "sha256") -> str:
    """SQL for the hash of the platform's form, in lower-case hexadecimal; null where there is none.

    Args:
        platform, kind, value: as in `normalised_sql`.
        algorithm: `sha256`, or `md5` where a platform still documents it.

    Raises:
        ValueError: as `normalised_sql`, or another algorithm.
    """
    if algorithm not in ("sha256", "md5"):
        raise ValueError(f"unknown hash {algorithm!r}; accepted are sha256 and md5")
    return f"{algorithm}({normalised_sql(platform, kind, value)})"


def versions(platforms: Sequence[str]) -> dict[str, str]:
    """The rule version of each of these platforms, in their order here."""
    return {name: rules.version for name, rules in RULES.items() if name in platforms}
