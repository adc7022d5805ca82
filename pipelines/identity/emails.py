"""E-mail addresses: the form that identifies a mailbox, and the address to write to.

Two spellings of one mailbox have one form. What a provider does with dots and `+` is applied only where the
provider documents it (see `_PROVIDERS`), since elsewhere `a.b@` and `ab@` can be two people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.feeds.sql import literal
from pipelines.identity.spellings import compatible_texts

if TYPE_CHECKING:
    import duckdb

# Reserved, so that nobody has an address there (RFC 2606 and RFC 6761). Only the example domains themselves:
# test data puts people's mailboxes below them.
_RESERVED_DOMAIN = r"^example\.(com|net|org)$|(^|\.)(test|invalid)$"


@dataclass(frozen=True)
class _Provider:
    """What a provider says about the addresses at its domains, the first of which stands for all `same`."""

    domains: tuple[str, ...]
    same: bool = False
    ignores_dots: bool = False
    ignores_tag: bool = False


_PROVIDERS = (
    # Google, support.google.com/mail/answer/…: dots do not matter (7436150), name+tag reaches the same inbox
    # (12096), gmail.com and googlemail.com are the same (10313). At other domains of theirs dots do matter.
    _Provider(("gmail.com", "googlemail.com"), same=True, ignores_dots=True, ignores_tag=True),
    # Microsoft, "Add or remove an email alias in Outlook.com" (459b1989): name+tag arrives in the same inbox.
    _Provider(("outlook.com", "hotmail.com", "live.com", "msn.com"), ignores_tag=True),
    # Apple, support article 118230: who has an me.com or mac.com address has it at icloud.com too. Apple's
    # pages on iCloud Mail say nothing of tags.
    _Provider(("icloud.com", "me.com", "mac.com"), same=True),
    # Fastmail, "Plus addressing and subdomain addressing" (article 360060591053).
    _Provider(("fastmail.com", "fastmail.fm"), ignores_tag=True),
    # Proton, "Addresses and aliases": +aliases. The domains are chosen one by one.
    _Provider(("proton.me", "protonmail.com", "protonmail.ch", "pm.me"), ignores_tag=True),
)

# Quoted local parts are left out, and the asterisk: it is the mask of w***@163.com. Dots may stand anywhere:
# Japanese operators gave out addresses with two in a row.
_LOCAL = r"[\p{L}\p{M}\p{N}.!#$%&'+/=?^_`{|}~-]+"
_BLANKS = "' ' || chr(9) || chr(10) || chr(13)"
_LABEL = r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?"
_ADDRESS = rf"{_LOCAL}@(?:{_LABEL}\.)+\p{{L}}(?:[\p{{L}}\p{{M}}\p{{N}}-]*[\p{{L}}\p{{M}}\p{{N}}])"


def email_forms(
    con: duckdb.DuckDBPyConnection, *, spellings: str, into: str, placeholders: Sequence[str]
) -> None:
    """Create the table `into` (spelling, form, address).

    `form` identifies the mailbox, `address` is the one to write to: the spelling in NFKC and lower case, with
    the blanks around it taken off. Both are null for what is no address, and for a placeholder: one of
    `placeholders`, or an address at a domain that is reserved for examples and tests.

    Args:
        con: an open connection.
        spellings: a table, a view or a query in brackets, with a column `spelling` (distinct, not null).
        into: the table to create or replace.
        placeholders: addresses that stand for none, or `local@*` for that local part at any domain.

    Raises:
        ValueError: a placeholder is neither.
    """
    local_parts, addresses = _split(placeholders)
    con.execute(
        "create or replace temp table _stand_in as select unnest($addresses::varchar[]) as spelling",
        {"addresses": addresses},
    )
    compatible_texts(con, spellings="_stand_in", into="_stand_in_text")
    compatible_texts(con, spellings=spellings, into="_email_text")
    # A table in between: a filter on what is computed here would be pushed down, and compute it many times.
    con.execute(f"create or replace temp table _stand_in_form as {_formed('_stand_in_text')}")
    con.execute(f"create or replace temp table _email_form as {_formed('_email_text')}")
    con.execute(
        f"""
        create or replace table {into} as
        with real as (
            select * from _email_form
            where form not in (select form from _stand_in_form where form is not null)
            and split_part(form, '@', 1) not in (select unnest($local_parts::varchar[]))
            and not regexp_matches(split_part(form, '@', 2), {literal(_RESERVED_DOMAIN)})
        )
        select spelling, real.form, real.address from _email_text left join real using (spelling)
        """,
        {"local_parts": local_parts},
    )
    con.execute("drop table _stand_in; drop table _stand_in_text; drop table _stand_in_form")
    con.execute("drop table _email_text; drop table _email_form")


def _split(placeholders: Sequence[str]) -> tuple[list[str], list[str]]:
    """The local parts that are placeholders at any domain, and the whole addresses."""
    local_parts, addresses = [], set()
    for placeholder in placeholders:
        local, at, domain = placeholder.strip().lower().partition("@")
        if not local or not at or not domain:
            raise ValueError(
                f"placeholder_emails: {placeholder!r} is no e-mail address; accepted are a@a.com and test@*"
            )
        if domain == "*":
            local_parts.append(local)
        else:
            addresses.add(placeholder)
    return local_parts, sorted(addresses)


def _formed(texts: str) -> str:
    """SQL for (spelling, form, address) of the texts that are addresses."""
    return f"""
    with trimmed as (
        -- Marks of direction and width without a picture come along when an address is copied.
        select spelling, lower(trim(regexp_replace(text, '\\p{{Cf}}', '', 'g'), {_BLANKS})) as address
        from {texts}
    ),
    parted as (
        select
            spelling,
            address,
            split_part(address, '@', 1) as local_part,
            split_part(address, '@', 2) as domain
        from trimmed
        -- The longest address that can be delivered to (RFC 5321, errata 1690).
        where strlen(address) <= 254 and regexp_full_match(address, {literal(_ADDRESS)})
    ),
    untagged as (
        select
            spelling,
            address,
            {_canonical_domain()} as domain,
            if({_at("ignores_tag")}, split_part(local_part, '+', 1), local_part) as local_part,
            {_at("ignores_dots")} as ignores_dots
        from parted
    )
    select
        spelling,
        nullif(if(ignores_dots, replace(local_part, '.', ''), local_part), '') || '@' || domain as form,
        address
    from untagged
    """


def _at(rule: str) -> str:
    domains = (name for each in _PROVIDERS if getattr(each, rule) for name in each.domains)
    return f"domain in ({_literals(domains)})"


def _canonical_domain() -> str:
    cases = [
        f"when domain in ({_literals(each.domains)}) then {literal(each.domains[0])}"
        for each in _PROVIDERS
        if each.same
    ]
    return f"case {' '.join(cases)} else domain end"


def _literals(names: Iterable[str]) -> str:
    return ", ".join(map(literal, names))
