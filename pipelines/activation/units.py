"""Contact units: customers who share an address, so that a message to one of them reaches the others.

They are drawn into one arm of an experiment. An address that many customers share (a company's switchboard)
joins nobody, or half of the shop would be one unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.identity.components import connect

if TYPE_CHECKING:
    import duckdb

MOST_AT_ONE_ADDRESS = 10
"""An address of more customers than these is no household's."""


def write_contact_units(con: duckdb.DuckDBPyConnection, addresses: str = "core.int_address") -> int:
    """Replace `control.contact_unit`: customer and unit of everybody who shares an address with another one.

    The unit is called after its smallest customer id. Customers who share nothing are not listed: they are
    their own unit.

    Args:
        con: open on a warehouse.
        addresses: table with the kind and address of each customer.

    Returns:
        The number of customers listed.
    """
    con.execute("create schema if not exists control")
    con.execute(
        f"""
        create or replace temporary table unit__link as
        select kind, address, unnest(customers) as customer_id, customers[1] as first_id
        from (
            select kind, address, list_sort(list(distinct customer_id)) as customers
            from {addresses}
            group by kind, address
            having count(distinct customer_id) between 2 and {MOST_AT_ONE_ADDRESS}
        );
        create or replace temporary table unit__node as
        select customer_id, row_number() over (order by customer_id) as node
        from (select distinct customer_id from unit__link);
        """
    )
    connect(
        con,
        nodes="(select node from unit__node)",
        edges=(
            "(select distinct a.node as a, b.node as b from unit__link as links "
            "inner join unit__node as a on links.customer_id = a.customer_id "
            "inner join unit__node as b on links.first_id = b.customer_id where a.node != b.node)"
        ),
        into="unit__component",
    )
    con.execute(
        """
        create or replace table control.contact_unit as
        select members.customer_id, heads.customer_id as unit_id
        from unit__component as components
        inner join unit__node as members on components.node = members.node
        inner join unit__node as heads on components.component = heads.node
        order by members.customer_id;
        drop table unit__link;
        drop table unit__node;
        drop table unit__component;
        """
    )
    counted = con.execute("select count(*) from control.contact_unit").fetchone()
    return int(counted[0]) if counted else 0
