"""Every rate of the demo shop's world.

Fixed; later work must not retune them: the shop is there to test the product, so it may not be bent until the
product looks good. Shares are of 1, durations are in days unless the name says otherwise, money is in cents.
"""

from datetime import date

GENERATOR_VERSION = 1
"""Part of the marker: a shop that another version wrote is written anew."""

# --- the calendar: two years that end on a fixed date, in local time ---
FIRST_DAY = date(2024, 1, 1)
LAST_DAY = date(2025, 12, 31)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
TIME_ZONE = "Asia/Shanghai"
CURRENCY = "CNY"

# --- size ---
DEFAULT_SEED = 20260101
MIN_CUSTOMERS = 100
MAX_CUSTOMERS = 5_000_000
# The world is made in batches of whole households, which bounds memory at any size. A multiple of six, since
# households are cut out of blocks of six people.
BATCH_CUSTOMERS = 60_000
# From here on plain text gives way to Parquet and gz for the large feeds.
COMPRESSED_FROM_CUSTOMERS = 1_000_000

# --- people and households ---
BLOCK_PEOPLE = 6
# How six people live together: which household each belongs to.
HOUSEHOLD_PATTERNS = (
    (0, 1, 2, 3, 4, 5),
    (0, 0, 1, 2, 3, 4),
    (0, 0, 1, 1, 2, 3),
    (0, 0, 0, 1, 2, 3),
    (0, 0, 1, 1, 1, 2),
)
KIND_SHARES = {"buyer": 0.87, "registrant": 0.08, "enquirer": 0.05}
ENGLISH_NAME_SHARE = 0.06
OWN_SURNAME_SHARE = 0.35
FEMALE_SHARE = 0.54
MOVED_SHARE = 0.12
CHANGED_PHONE_SHARE = 0.10
JOINED_BEFORE_SHARE = 0.55
JOINED_BEFORE_MAX_DAYS = 600
JOINED_WITHIN_DAYS = 600
SEGMENT_SHARES = {"loyal": 0.25, "regular": 0.45, "occasional": 0.30}
# Factor on the gaps between purchases.
SEGMENT_GAP = {"loyal": 0.75, "regular": 1.0, "occasional": 1.7}

# --- accounts ---
ONLINE_SHARE = 0.75
STORE_SHARE = 0.60
SECOND_ONLINE_SHARE = 0.07
SECOND_STORE_SHARE = 0.04
HELP_DESK_SHARE = 0.16
SOCIAL_SHARE = 0.28
SECOND_ACCOUNT_MAX_DAYS = 200
# What stands in an account's phone and e-mail field. `household` is the number of the household's head;
# `typo` and `old` lead nowhere.
PHONE_SHARES = {
    "ecommerce": {"own": 0.82, "household": 0.05, "old": 0.03, "placeholder": 0.02, "none": 0.08},
    "pos": {"own": 0.85, "household": 0.07, "old": 0.03, "placeholder": 0.02, "none": 0.03},
    "helpdesk": {"own": 0.72, "household": 0.05, "old": 0.03, "none": 0.20},
    "social": {"none": 1.0},
}
EMAIL_SHARES = {
    "ecommerce": {"first": 0.64, "second": 0.08, "typo": 0.03, "placeholder": 0.02, "none": 0.23},
    "pos": {"first": 0.26, "second": 0.02, "none": 0.72},
    "helpdesk": {"first": 0.88, "second": 0.12},  # only where there is no phone number
    "social": {"none": 1.0},
}
NAME_SHARES = {
    "ecommerce": {"full": 0.72, "pinyin": 0.12, "pinyin_reversed": 0.05, "typo": 0.06, "none": 0.05},
    "pos": {"full": 0.86, "pinyin": 0.04, "typo": 0.08, "none": 0.02},
    "helpdesk": {"full": 1.0},
    "social": {"full": 0.30, "pinyin": 0.20, "nickname": 0.50},
}
SOCIAL_LINK_SHARES = {"ecommerce": 0.70, "pos": 0.19, "none": 0.11}
SOCIAL_VERIFIED_SHARE = 0.8
GROUP_MEMBER_SHARE = 0.35
EMAIL_VERIFIED_SHARE = 0.6
BIRTH_DATE_KNOWN_SHARE = 0.55
CHANGED_ACCOUNT_SHARE = 0.10
DEVICE_SHARE = 0.45
DEVICE_ENABLED_SHARE = 0.72
DEVICE_WITHOUT_ACCOUNT_SHARE = 0.08
# The promise of the demo shop; a test holds the world to it.
MIN_UNCONNECTED_PAIR_SHARE = 0.08

# --- products ---
PRODUCTS_PER_CATEGORY = 40
PRICE_RISE_SHARE = 0.3
PRICE_RISE_PERCENT = (8, 25)
LAUNCHED_LATER_SHARE = 0.12
DISCONTINUED_SHARE = 0.05
OUT_OF_STOCK_SHARE = 0.06
PROMOTION_MONTH_SHARE = 0.3
PROMOTION_PERCENT = (8, 25)

# --- purchases ---
GAP_SPREAD = 0.35  # standard deviation of the logarithm of personal mean gaps
MAX_PURCHASES_PER_NEED = 90
# Who has no other need has one of these.
DEFAULT_NEEDS = ("coffee", "books", "apparel", "apparel", "books")
FAVOURITE_SHARE = 0.65
FAVOURITES = 3
CARD_FORGOTTEN_SHARE = 0.06
CANCELLED_SHARE = 0.04
COUPON_SHARE = 0.12
COUPON_PERCENT = 10
ORDER_DISCOUNT_SHARE = 0.06
ORDER_DISCOUNT_CENTS = 1_000
DISCOUNT_LINE_SHARE = 0.05
SHIPPING_LINE_SHARE = 0.10
SHIPPING_CENTS = 800
RETURN_SHARE = 0.04
RETURN_STATES_ORDER_SHARE = 0.65
LATE_DELIVERY_SHARE = 0.05
ANONYMOUS_RECEIPT_SHARE = 0.08
STORES = 24

# --- web ---
BROWSE_GAP_DAYS = 82
BROWSE_AFTER_DROPOUT_SHARE = 0.12
SESSION_BEFORE_PURCHASE_SHARE = 0.92
LOGGED_IN_SHARE = 0.6
MAX_BROWSE_SESSIONS = 60
REGISTRANT_SESSIONS = 6

# --- sleep and its causes ---
DROPOUT_SHARE = 0.55
DROPOUT_MEAN_DAYS = 380
# Nobody drops out in the last days: whether they did could not be known.
DROPOUT_UNTIL_DAY = 690
CAUSE_SHARES = {
    "bad_experience": 0.20,
    "need_satisfied": 0.20,
    "communication_failure": 0.14,
    "communication_overload": 0.13,
    "price_competition": 0.20,
    "brand_fade": 0.13,
}
SUB_REASON_SHARES = {
    "bad_experience": {"delivery": 0.4, "product": 0.35, "service": 0.25},
    "need_satisfied": {"need_paused": 0.35, "durable_bought": 0.4, "life_stage_left": 0.25},
    "communication_failure": {"address_invalid": 0.5, "never_reached": 0.2, "irrelevant_content": 0.3},
    "communication_overload": {"too_frequent": 0.8, "wrong_time": 0.2},
    "price_competition": {"price_rise": 0.35, "competitor_price": 0.4, "competitor_non_price": 0.25},
    "brand_fade": {"no_contact": 0.6, "lost_interest": 0.4},
}
EVIDENCE_SHARE = 0.65
MAX_EVIDENCE_SHARE = 0.70
DECOY_SHARE = 0.20
EVIDENCE_BEFORE_DROPOUT_DAYS = 20
SURVEY_SHARE = 0.045
MAX_SURVEY_SHARE = 0.05
SURVEY_WRONG_SHARE = 0.10
SATISFACTION_SURVEY_SHARE = 0.04
COUPON_SHARE_PRICE_EVIDENCE = 0.85
SILENCE_BRAND_FADE_DAYS = 100
OVERLOAD_SENDS = 36
OVERLOAD_WITHIN_DAYS = 60
BOUNCED_LETTERS = 5
LATE_DELIVERY_EVIDENCE_DAYS = 9

# --- service and permissions ---
TICKET_PER_ORDER_SHARE = 0.05
CONSENT_GRANTED_SHARES = {"email": 0.72, "sms": 0.68, "push": 0.55, "phone": 0.35, "social": 0.30}
CONSENT_WITHDRAWN_SHARE = 0.07
PROFILING_CONSENT_SHARE = 0.5
SOCIAL_EXPORT_CONSENT_SHARE = 0.3

# --- campaigns ---
# Days from the first day; the last leaves a month for its effect.
CAMPAIGN_DAYS = (95, 180, 265, 350, 440, 520, 605, 680)
CAMPAIGN_SILENCE_DAYS = 60
CAMPAIGN_SELECTED_SHARE = 0.7
CAMPAIGN_CONTROL_SHARE = 0.2
CAMPAIGN_CHANNEL_SHARES = {"email": 0.35, "sms": 0.35, "push": 0.15, "phone": 0.15}
CAMPAIGN_OFFER_SHARES = {"none": 0.3, "percent_10": 0.4, "amount_30": 0.3}
CAMPAIGN_COST = {"email": "0.0100", "sms": "0.0500", "push": "0.0020", "phone": "3.5000"}
EFFECT_WINDOW_DAYS = 28
EFFECT_MEAN_DAYS = 8
# The true effect is the product of the three, but 0 where noted below: the probability that somebody who is
# treated (sent or not delivered: intention to treat) makes one more purchase within the window.
EFFECT_BY_CHANNEL = {"email": 0.05, "sms": 0.09, "push": 0.06, "phone": 0.16}
EFFECT_BY_OFFER = {"none": 0.5, "percent_10": 1.0, "amount_30": 1.4}
EFFECT_BY_SEGMENT = {"loyal": 1.3, "regular": 1.0, "occasional": 0.5}
NO_EFFECT = (("occasional", "email", "none"), ("occasional", "push", "none"), ("loyal", "sms", "none"))
SECOND_PURCHASE_SHARE = 0.3
LETTER_DAYS = (60, 150, 240, 330, 425, 515, 605, 695)
LETTER_SUBSCRIBER_SHARE = 0.45
BOUNCE_SHARE = 0.03
OPEN_SHARES = {"email": 0.30, "sms": 0.0, "push": 0.15, "phone": 0.0}
CLICK_SHARE = 0.2  # of those who opened
ANSWER_SHARE = 0.45
REPLY_SHARE = 0.02
UNSUBSCRIBE_SHARE = 0.006
REDEEM_SHARE = 0.8  # of those whom an offer woke

# --- dirty rows ---
DIRTY_ROWS_MIN = 3
DIRTY_ROWS_MAX = 20
CUSTOMERS_PER_DIRTY_ROW = 1_000
LONG_CELL_BYTES = 10 * 1024 * 1024
