#!/usr/bin/python3
"""An order service on PostgreSQL that emits an event for each order. Usage: orders.py DSN < orders.txt

Each line of orders.txt is "CUSTOMER CENTS". An order that exceeds the customer's credit is rolled back together with
its event.
"""

import json
import sys

import psycopg2

EMIT = """insert into outbox_event (topic, aggregate_id, event_type, payload, headers) values (%s, %s, %s, %s, %s)
          returning event_id"""


def place_order(connection, number, customer, cents):
    with connection, connection.cursor() as cursor:  # commits at the end; an exception rolls back
        # The update comes first because it locks the customer's row: so the events of a customer are in commit order.
        cursor.execute("update customers set credit = credit - %s where id = %s", (cents, customer))
        cursor.execute("insert into orders (number, customer, cents) values (%s, %s, %s)", (number, customer, cents))
        payload = json.dumps({"order": number, "cents": cents})
        headers = json.dumps({"source": "orders.py"})
        cursor.execute(EMIT, ("orders", f"customer-{customer}", "OrderPlaced", payload, headers))
        (event_id,) = cursor.fetchone()
        cursor.execute("select credit from customers where id = %s", (customer,))
        (credit,) = cursor.fetchone()
        if credit < 0:
            raise ValueError(f"customer {customer} has a credit of only {credit + cents} cents")
    return event_id


def main():
    connection = psycopg2.connect(sys.argv[1])
    with connection, connection.cursor() as cursor:
        cursor.execute("create table if not exists customers (id integer primary key, credit integer not null)")
        cursor.execute("create table if not exists orders (number integer primary key, customer integer, cents integer)")
        cursor.execute("insert into customers values (1, 10000), (2, 10000), (3, 10000) on conflict do nothing")
    for number, line in enumerate(sys.stdin, start=1):
        customer, cents = line.split()
        try:
            print(f"order {number} was placed as event {place_order(connection, number, int(customer), int(cents))}")
        except ValueError as error:
            print(f"order {number} was not placed: {error}")


main()
