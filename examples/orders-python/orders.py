#!/usr/bin/python3
"""An order service on PostgreSQL: orders.py DSN < orders.txt, a line "CUSTOMER CENTS" each.

An order that the customer cannot pay is rolled back, and its event with it.
"""

import json
import sys

import psycopg2

EMIT = """insert into outbox_event (topic, aggregate_id, event_type, payload, headers) values (%s, %s, %s, %s, %s)
          returning event_id"""


def place_order(connection, number, customer, cents):
    with connection, connection.cursor() as cursor:  # commits at the end, rolls back what raises
        # This locks the customer's row, so the events of one customer are in the order of the commits. It comes first.
        cursor.execute("update customers set credit = credit - %s where id = %s", (cents, customer))
        cursor.execute("insert into orders (number, customer, cents) values (%s, %s, %s)", (number, customer, cents))
        payload = json.dumps({"order": number, "cents": cents})
        headers = json.dumps({"source": "orders.py"})
        cursor.execute(EMIT, ("orders", f"customer-{customer}", "OrderPlaced", payload, headers))
        (event_id,) = cursor.fetchone()
        cursor.execute("select credit from customers where id = %s", (customer,))
        (credit,) = cursor.fetchone()
        if credit < 0:
            raise ValueError(f"customer {customer} has {credit + cents}")
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
            print(f"order {number} is placed, event {place_order(connection, number, int(customer), int(cents))}")
        except ValueError as error:
            print(f"order {number} is not placed: {error}")


main()
