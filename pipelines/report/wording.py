"""The two languages of the report: names of codes, numbers, and the words of the shop's policy.

A section builds itself once in each language. What it says stands in both, side by side, where it is said:
`say("Who is asleep", "谁在沉睡")`. Names of codes stand here, once for all sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

DASH = "–"

STATES = ("active", "cooling", "dormant", "deep_dormant", "lost")
ASLEEP = ("dormant", "deep_dormant", "lost")
TIERS = ("high", "mid", "low")
CLASSES = ("important_value", "important_development", "important_retention", "general")
REASONS = (
    "bad_experience",
    "need_satisfied",
    "price_competition",
    "communication_failure",
    "communication_overload",
    "brand_fade",
    "unknown",
)
DECISIONS = ("send", "holdout", "deferred", "suppressed", "no_action")

_IRREGULAR_EN = {
    "cant_lose": "Can't lose",
    "kpi": "KPI",
    "email": "E-mail",
    "sms": "SMS",
    "crm": "CRM",
    "push": "App push",
    "social_dm": "Social message",
    "roi": "Return on investment",
    "redormancy_share": "Asleep again",
    "conversion": "Purchase",
    "other": "Another offer",
    "wake_up_rate": "Wake-up rate",
    "treated": "Recalled",
}

_NAMES_ZH = {
    # Dormancy states.
    "active": "活跃",
    "cooling": "趋冷",
    "dormant": "沉睡",
    "deep_dormant": "深度沉睡",
    "lost": "流失",
    # Classes of the guide.
    "important_value": "重要价值",
    "important_development": "重要发展",
    "important_retention": "重要保持",
    "general": "一般",
    # The eleven segments.
    "champions": "冠军客户",
    "loyal": "忠诚客户",
    "potential_loyal": "潜在忠诚",
    "new": "新客户",
    "promising": "有潜力",
    "need_attention": "需要关注",
    "about_to_sleep": "即将沉睡",
    "at_risk": "有流失风险",
    "cant_lose": "不能失去",
    "hibernating": "休眠",
    # Why they sleep.
    "bad_experience": "体验不佳",
    "need_satisfied": "需求已满足",
    "price_competition": "价格与竞争",
    "communication_failure": "沟通未触达",
    "communication_overload": "沟通过度",
    "brand_fade": "品牌淡忘",
    "unknown": "原因未知",
    # The facts behind it.
    "survey_answer": "问卷回答",
    "complaint": "投诉",
    "ticket_rating": "客服评分低",
    "days_to_resolution": "问题解决慢",
    "days_late": "配送延误",
    "return": "退货",
    "durable_bought": "买过耐用品",
    "seasonal_bought": "买过应季品",
    "category_left": "不再购买原品类",
    "bounce": "消息退回",
    "days_unopened": "消息从未打开",
    "no_address": "无联系方式",
    "messages_in_28_days": "28天内触达过多",
    "unsubscribed": "退订",
    "spam_complaint": "举报骚扰",
    "price_enquiry": "询价",
    "coupon_order": "用券下单",
    "discount_share": "只买促销",
    "price_rise": "常购商品涨价",
    "days_silent_before": "沉睡前长期无接触",
    "days_silent_since": "沉睡后长期无接触",
    # Decisions.
    "send": "发送",
    "holdout": "对照组",
    "deferred": "暂缓",
    "suppressed": "禁止触达",
    "no_action": "不触达",
    # The reasons of decisions.
    "recall": "召回",
    "follow_up": "后续触达",
    "reminder": "浏览提醒",
    "greeting": "节日问候",
    "retain": "唤醒后留存",
    "universal_control": "总对照组",
    "treated": "召回组",
    "control": "对照组",
    "no_consent": "未获许可",
    "not_reachable": "无法联系",
    "bought_since": "旅程中已购买",
    "open_complaint": "投诉未结",
    "journey_waiting": "等待下一步",
    "frequency_cap": "触达频次已满",
    "no_window": "无可发送时段",
    "budget_spent": "预算已用完",
    "channel_full": "渠道容量已满",
    "list_too_small": "名单人数不足",
    "prefers_other_channel": "偏好其他渠道",
    "no_history": "无历史记录",
    "awake": "未沉睡",
    "journey_done": "旅程已走完",
    "not_eligible": "不符合优惠条件",
    "not_worth_it": "投入大于收益",
    "mixed_arms": "两组客户合并",
    # Channels.
    "email": "邮件",
    "sms": "短信",
    "push": "App推送",
    "social_ads": "社交广告",
    "social_dm": "社交私信",
    "social_group": "社群",
    "phone": "电话",
    "crm": "会员系统",
    # Kinds of offers.
    "percent": "折扣",
    "amount": "立减券",
    "spend_and_save": "满减",
    "gift": "赠品",
    "bundle": "搭配优惠",
    "points": "积分",
    "double_points": "双倍积分",
    "free_service": "免费服务",
    "tier_upgrade": "会员升级",
    "referral": "邀请好友",
    "other": "其他优惠",
    # What recalls are measured by.
    "wake_up_rate": "唤醒率",
    "response_rate": "响应率",
    "conversion_rate": "转化率",
    "average_order_value": "客单价",
    "roi": "投资回报率",
    "unsubscribe_rate": "退订率",
    "redormancy_share": "再次沉睡率",
    "wake_up": "唤醒",
    "conversion": "购买",
    # Verdicts on an effect.
    "effective": "有效",
    "harmful": "适得其反",
    "no_effect_seen": "未见效果",
    "too_small_to_tell": "样本不足",
    "too_early": "为时尚早",
    "invalid_split": "分组失衡",
    # Stages of the pipeline.
    "raw": "原始数据",
    "core": "核心数据",
    "marts": "分析集市",
    "activation": "召回决策",
    "kpi": "效果指标",
    # Why rows went to quarantine; a profile may have reasons of its own.
    "unreadable_line": "无法读取的行",
    "wrong_type": "类型错误",
    "missing_value": "缺少必填值",
    "not_allowed": "取值不在允许范围",
    "too_long": "文本过长",
    "out_of_range": "超出范围",
    "future_date": "日期在未来",
    "superseded_in_file": "同一文件内有更新版本",
    "erased": "已应本人要求删除",
    "expired": "超过保存期限",
    "zero_quantity": "数量为零",
    "negative_quantity": "数量为负",
    "negative_price": "价格为负",
    "absurd_amount": "金额异常",
    "bad_debt_adjustment": "坏账调整",
    "stock_movement": "库存调整",
    # Methods that tell who sleeps.
    "mbg_cnbd": "模型",
    "tuned_x": "最优X天",
    "recency_isotonic": "按沉默天数校准",
}

_CURRENCIES_ZH = {
    "CNY": "元",
    "HKD": "港元",
    "TWD": "新台币",
    "USD": "美元",
    "EUR": "欧元",
    "GBP": "英镑",
    "JPY": "日元",
    "SGD": "新加坡元",
}


@dataclass(frozen=True)
class PolicyWords:
    """What the shop's policy says of its codes, in English and Chinese, by code.

    Attributes:
        reason_codes: what each reason of a decision means.
        journeys: names of journeys.
        offers: names of offers.
    """

    reason_codes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    journeys: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    offers: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Wording:
    """One of the two languages.

    >>> en, zh = Wording("en"), Wording("zh")
    >>> zh("Who is asleep", "谁在沉睡"), en.name("deep_dormant"), zh.name("deep_dormant")
    ('谁在沉睡', 'Deep dormant', '深度沉睡')
    """

    language: Language

    def __call__(self, en: str, zh: str) -> str:
        """What is said, in this language."""
        return zh if self.language == "zh" else en

    def name(self, code: str) -> str:
        """A code's name; a code of the shop's own stands as it is in Chinese."""
        return self(words(code), _NAMES_ZH.get(code, code))

    def within(self, code: str) -> str:
        """A code's name within a sentence."""
        return self(uncapital(words(code)), _NAMES_ZH.get(code, code))

    def tier(self, tier: str) -> str:
        """A tier of historical value: `High value`."""
        return self(
            f"{words(tier)} value", {"high": "高价值", "mid": "中价值", "low": "低价值"}.get(tier, tier)
        )

    def category(self, category: str) -> str:
        """A category of goods, by the shop's own name; `all` is what the model makes of them together."""
        return self(category, "全部") if category == "all" else category

    def told(self, code: str, told: Mapping[str, tuple[str, str]]) -> str:
        """What the policy says of a code; nothing where it says nothing."""
        return self(*told[code]) if code in told else ""

    def unit(self, currency: str) -> str:
        """The currency's code in English, its name in Chinese."""
        return self(currency, _CURRENCIES_ZH.get(currency, currency))

    def money(self, amount: Decimal, currency: str) -> str:
        """An amount in whole units: `GBP 1,234`, `1,234 英镑`."""
        return self(f"{currency} {whole(amount)}", f"{whole(amount)} {self.unit(currency)}")

    def method(self, method: str) -> str:
        """A method as the evaluation names it."""
        k = method.removeprefix("mbg_cnbd_")
        return self(method_words(method), self.name(method) if k == method else f"模型（k = {k}）")

    def points(self, difference: float) -> str:
        """A difference of shares in percentage points, with its sign: `+1.2 points`."""
        return self(
            f"{signed(100 * difference, '.1f')} points", f"{signed(100 * difference, '.1f')} 个百分点"
        )


def words(code: str) -> str:
    """A code as English words: `deep_dormant` becomes `Deep dormant`."""
    return _IRREGULAR_EN.get(code, code.replace("_", " ").capitalize())


def method_words(method: str) -> str:
    """A method as the evaluation names it, in English words.

    >>> method_words("mbg_cnbd_2"), method_words("tuned_x")
    ('model, k = 2', 'best X days')
    """
    if method == "tuned_x":
        return "best X days"
    k = method.removeprefix("mbg_cnbd_")
    return words(method).lower() if k == method else f"model, k = {k}"


def ordered(rows: Iterable[dict[str, Any]], column: str, order: Sequence[str]) -> list[dict[str, Any]]:
    """Rows in the order of a column's values; values that the order lacks come last, by name."""
    rank = {value: position for position, value in enumerate(order)}
    return sorted(rows, key=lambda row: (rank.get(row[column], len(order)), row[column]))


def capital(text: str) -> str:
    """A text with a capital at its beginning, the rest as it is."""
    return f"{text[:1].upper()}{text[1:]}"


def uncapital(text: str) -> str:
    """A name as it stands within an English sentence; an abbreviation stays."""
    is_abbreviation = text[:2].isalpha() and text[:2].isupper()
    return text if is_abbreviation else f"{text[:1].lower()}{text[1:]}"


def number(value: int) -> str:
    """1234567 as `1,234,567`."""
    return f"{value:,}"


def signed(value: float, form: str) -> str:
    """A number with its sign, the minus as it is printed.

    >>> signed(-0.25, ".2f"), signed(1, ".1f")
    ('−0.25', '+1.0')
    """
    return f"{value:+{form}}".replace("-", "−")


def counted(value: int, noun: str) -> str:
    """A number with its English noun: `1 customer`, `2 customers`."""
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def whole(amount: Decimal) -> str:
    """An amount in whole units whose currency stands elsewhere: `1,234`."""
    return f"{amount:,.0f}"


def share(value: float | None) -> str:
    """A share such as `12.3%`; a dash where there is none."""
    return DASH if value is None else f"{value:.1%}"


def ratio(part: int | Decimal, whole: int | Decimal) -> float | None:
    """Part over whole; None when the whole is nothing or a loss, where a share says nothing."""
    return float(part) / float(whole) if whole > 0 else None


def percent(part: int | Decimal, whole: int | Decimal) -> str:
    """Part over whole such as `12.3%`; a dash where there is no share."""
    return share(ratio(part, whole))
