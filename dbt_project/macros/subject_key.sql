{#
  Whom a row is about, as one value: the account, membership and address that it names. Feeds name some of
  the three; int_subject tells which customers they are.
#}
{% macro subject_key() -%}
    coalesce(account_id, '') || chr(31) || coalesce(member_id, '') || chr(31) || coalesce(address, '')
{%- endmacro %}
