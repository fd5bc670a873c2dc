import json
import sys

import psycopg2

connection = psycopg2.connect("")


def pay(order):
    pass
    # SNIPPET


for argument in sys.argv[1:]:
    try:
        pay(int(argument))
        print("paid", argument)
    except psycopg2.Error:
        print("refused", argument)
