"""Closed lists of the policy: the decisions in SQL know these words and no others."""

from __future__ import annotations

TRIGGERS = ("woken", "birthday", "member_day", "browsed", "none")
CUSTOMER_KINDS = ("buyer", "registrant", "enquirer")
DORMANCY_STATES = ("active", "cooling", "dormant", "deep_dormant", "lost")
VALUE_TIERS = ("high", "mid", "low")
PRIMARY_REASONS = (
    "bad_experience",
    "need_satisfied",
    "communication_failure",
    "communication_overload",
    "price_competition",
    "brand_fade",
    "unknown",
    "none",
)
"""The reasons of the dormancy marts, and none for who is awake."""
GUIDE_CLASSES = ("important_value", "important_development", "important_retention", "general", "none")
"""The classes of the guide, and none for who never bought."""

DIMENSIONS = {
    "trigger": TRIGGERS,
    "customer_kind": CUSTOMER_KINDS,
    "dormancy_state": DORMANCY_STATES,
    "value_tier": VALUE_TIERS,
    "primary_reason": PRIMARY_REASONS,
    "guide_class": GUIDE_CLASSES,
}
"""What the playbook looks at, by column."""

JOURNEY_KINDS = (
    "win_back",
    "repair",
    "price",
    "content",
    "gentle",
    "reminder",
    "greeting",
    "retain",
    "ask",
    "welcome",
    "member",
)
SERVICE_KINDS = ("repair", "ask")
"""Journeys that may write without consent to marketing: who was wronged, and who is asked for an opinion."""
PURPOSES = ("marketing", "service")
CONDITIONS = (
    "start",
    "always",
    "not_delivered",
    "not_opened",
    "opened_not_clicked",
    "clicked_not_bought",
    "not_bought",
    "replied_no",
    "no_answer",
)

KPI_METRICS = (
    "wake_up_rate",
    "response_rate",
    "conversion_rate",
    "average_order_value",
    "roi",
    "unsubscribe_rate",
    "redormancy_share",
)
"""What `kpi.target` measures."""
DIRECTIONS = ("at_least", "at_most")
REACH = {
    "email": "email",
    "sms": "sms",
    "push": "push",
    "social_ads": "social",
    "social_dm": "social",
    "phone": "phone",
    "crm": "crm",
}
"""Channels, and the flag `reachable_<reach>` of core.customer that each needs."""
CHANNELS = tuple(REACH)
MESSAGE_CHANNELS = ("email", "sms", "push", "social_dm", "phone")
"""Channels whose files carry a text."""
LANGUAGES = ("zh", "en")

OFFER_KINDS = (
    "percent",
    "amount",
    "spend_and_save",
    "gift",
    "points",
    "double_points",
    "free_service",
    "tier_upgrade",
    "referral",
    "bundle",
)
COST_RULES = ("share_of_order", "fixed")
SCOPES = ("person", "address")
OCCASIONS = ("member_day",)
"""Each is a trigger of the playbook."""

DECISION_OF_REASON_CODE = {
    "recall": "send",
    "follow_up": "send",
    "reminder": "send",
    "greeting": "send",
    "retain": "send",
    "holdout": "holdout",
    "universal_control": "holdout",
    "suppressed": "suppressed",
    "no_consent": "suppressed",
    "not_reachable": "suppressed",
    "bought_since": "deferred",
    "open_complaint": "deferred",
    "journey_waiting": "deferred",
    "frequency_cap": "deferred",
    "no_window": "deferred",
    "budget_spent": "deferred",
    "channel_full": "deferred",
    "list_too_small": "deferred",
    "prefers_other_channel": "deferred",
    "no_history": "no_action",
    "awake": "no_action",
    "cooling": "no_action",
    "lost": "no_action",
    "journey_done": "no_action",
    "not_eligible": "no_action",
    "not_worth_it": "no_action",
    "mixed_arms": "no_action",
}
REASON_CODES = tuple(DECISION_OF_REASON_CODE)
