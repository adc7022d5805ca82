"""What can be wrong with a feed. Every message names the file, the key, the value and what is accepted."""


class FeedError(Exception):
    """A feed cannot be taken in; the message says which file or setting is wrong and how to mend it."""


class ConfigError(FeedError):
    """A contract or a profile's feed binding is not valid."""


class MappingError(ConfigError):
    """A profile maps a column the contract or the source does not have, or an expression does not bind."""


class SourceNotFoundError(FeedError):
    """A source file, package or environment variable that a profile names is not there."""


class SourceUnreachableError(SourceNotFoundError):
    """A database does not answer, or its connection broke: the same may work a little later."""


class SourceUnreadableError(FeedError):
    """A source file is there but cannot be read as what the profile says it is."""


class ReconciliationError(FeedError):
    """Rows read are not rows loaded + quarantined + duplicate: a defect of the extraction, not the data."""
