"""Accounts, memberships, social accounts, installations and permissions as their systems export them."""

from pipelines.demo import rates
from pipelines.demo.draws import DAY_SECONDS
from pipelines.demo.exports import Export

_CHANGED_EMAIL_SHARE = 0.4

# An account that changed stands in two files: as it was opened, and as it is now.
ACCOUNTS = Export(
    feed="ecommerce_customers",
    format="csv",
    gz="large",
    byte_order_mark=True,
    select=f"""
    with versions as (
        select * exclude (email, city),
            if(
                updated_s is not null and u('changed email', account_no) < {_CHANGED_EMAIL_SHARE},
                'old.' || email, email
            ) as email,
            city, opened_s as version_s, 'accounts_' || year_of(opened_s) as file
        from account
        where source = 'ecommerce'
        union all
        select * exclude (email, city), email, new_city, updated_s, 'account_changes'
        from account
        where source = 'ecommerce' and updated_s is not null
    )
    select
        account_key as account,
        name,
        phone as mobile,
        email,
        if(email_verified, 'true', 'false') as email_verified,
        cast(birth_date as varchar) as birthday,
        sex as gender,
        city,
        stamp(opened_s) as registered,
        stamp(version_s) as updated,
        file as _file,
        version_s as _at,
        account_key as _key
    from versions
    """,
)

MEMBERS = Export(
    feed="pos_members",
    format="csv",
    gz="large",
    encoding="gb18030",
    select=f"""
    with owned as (
        select account.*, segment from account inner join person using (person_no)
            where account.source = 'pos'
    ),
    versions as (
        select *, city as lives_in, opened_s as version_s, 'members' as file from owned
        union all
        select *, new_city, updated_s, 'member_changes' from owned where updated_s is not null
    )
    select
        account_key as "会员号",
        name as "姓名",
        phone as "手机",
        email as "邮箱",
        '6688' || scrambled(account_no, 16) as "卡号",
        case sex when 'female' then '女' when 'male' then '男' end as "性别",
        replace(cast(birth_date as varchar), '-', '/') as "生日",
        lives_in as "城市",
        case segment when 'loyal' then '金卡' when 'regular' then '银卡' else '普卡' end as "等级",
        cast(below(4000, 'points', account_no) as varchar) as "积分",
        '2026/03/31' as "积分到期",
        cast(money(100 * below(900, 'next tier', account_no)) as varchar) as "升级差额",
        replace(stamp(opened_s), '-', '/') as "入会时间",
        'S' || lpad(cast(1 + below({rates.STORES}, 'store', person_no) as varchar), 2, '0') as "门店",
        replace(stamp(version_s), '-', '/') as "更新时间",
        file as _file,
        version_s as _at,
        account_key as _key
    from versions
    """,
)

SOCIAL_ACCOUNTS = Export(
    feed="social_accounts",
    format="tsv",
    gz="large",
    delimiter="\t",
    select=f"""
    select
        pick(['wechat', 'wechat', 'douyin', 'weibo'], 'platform', account_no) as platform,
        account_key as open_id,
        if(linked_key like 'A%', linked_key, null) as account,
        if(linked_key like 'M%', linked_key, null) as member,
        name as nickname,
        if(link_verified and linked_key is not null, '1', '0') as verified,
        if(u('group', account_no) < {rates.GROUP_MEMBER_SHARE}, '1', '0') as in_group,
        stamp(opened_s) as updated,
        'social_accounts' as _file,
        opened_s as _at,
        account_key as _key
    from account
    where source = 'social'
    """,
)

# A new installation reports itself again: the later row of a device stands in the second file.
DEVICES = Export(
    feed="devices",
    format="jsonl",
    gz="large",
    select=f"""
    with versions as (
        select *, enabled as is_on, at_s as version_s, 'devices_1' as file from device
        union all
        select *, false, least(at_s + 40 * {DAY_SECONDS}, {rates.DAYS * DAY_SECONDS} - 1), 'devices_2'
        from device
        where enabled and u('switched off', person_no) < 0.05
    )
    select
        device_id as device,
        account_key as account,
        push_token as token,
        vendor,
        if(is_on, 'true', 'false') as enabled,
        stamp(version_s) as updated,
        file as _file,
        version_s as _at,
        device_id as _key
    from versions
    """,
)

CONSENTS = Export(
    feed="consents",
    format="parquet",
    select="""
    select
        consent_id as id,
        if(source = 'ecommerce', account_key, null) as account,
        if(source = 'pos', account_key, null) as member,
        channel,
        purpose,
        status,
        basis,
        moment(at_s) as recorded,
        evidence as proof,
        if(status = 'withdrawn', 'withdrawals', 'consents') as _file,
        at_s as _at,
        consent_id as _key
    from consent
    """,
)
