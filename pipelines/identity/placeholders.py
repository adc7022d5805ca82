"""What stands for "none" in a field for a phone number or an e-mail address, unless the profile says so."""

DEFAULT_PLACEHOLDER_PHONES = (
    "+86 138 0000 0000",
    # China Mobile's line for topping up.
    "+86 138 0013 8000",
    "+86 138 8888 8888",
    "+86 188 8888 8888",
)

DEFAULT_PLACEHOLDER_EMAILS = (
    *("test@*", "none@*", "null@*", "unknown@*", "nomail@*", "noemail@*", "no-email@*", "anonymous@*"),
    *("noreply@*", "no-reply@*", "no_reply@*", "donotreply@*", "do-not-reply@*"),
    *(
        "a@a.com",
        "aa@aa.com",
        "abc@abc.com",
        "asdf@asdf.com",
        "xxx@xxx.com",
        "email@email.com",
        "123@123.com",
    ),
)
"""Whole addresses, or a local part at any domain (`test@*`)."""
