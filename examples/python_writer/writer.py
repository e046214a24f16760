#!/usr/bin/python3
"""writer.py ACCOUNT CENTS: pays money in, and tells of it in the same transaction; psycopg2 and the table alone.

The database is named by libpq's variables (PGHOST, PGDATABASE, ...).
"""
import json
import sys
import uuid

import psycopg2


def pay_in(cursor, account, cents):
    # The update locks the account: its events get the order of its balances.
    cursor.execute(
        "UPDATE accounts SET cents = cents + %s WHERE id = %s RETURNING cents",
        (cents, account),
    )
    row = cursor.fetchone()
    if row is None:
        raise LookupError("no such account")
    cursor.execute(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic)"
        " VALUES (%s, 'account', %s, 'money.paid_in', %s, 'bank-events')",
        (str(uuid.uuid4()), account, json.dumps({"cents": cents, "balance": row[0]})),
    )


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: writer.py ACCOUNT CENTS")
    connection = psycopg2.connect("")
    try:
        # One transaction: committed at the end of the block, rolled back when an error leaves it.
        with connection, connection.cursor() as cursor:
            pay_in(cursor, sys.argv[1], int(sys.argv[2]))
    except (LookupError, ValueError, psycopg2.Error) as error:
        sys.exit(f"writer.py: {error}")
    finally:
        connection.close()


if __name__ == "__main__":
    main()
