"""Notices of what failed: to a file of the data home, and to the webhooks that the shop has configured.

`notice` says what happened, without personal data; `forms` puts it into what a service expects; `webhook`
delivers it; `journal` keeps it and sees to it that each is sent once. Nothing here imports Dagster.
"""

from pipelines.notices.channels import Channel, channels_of
from pipelines.notices.journal import Journal
from pipelines.notices.notice import Notice

__all__ = ["Channel", "Journal", "Notice", "channels_of"]
