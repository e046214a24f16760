-- Rows that cannot be read or changed are looked for one by one.

-- statement: outbox_read_none
-- Finds out whether the server answers at all, with the columns of a claim and no row.
SELECT {columns} FROM outbox_events AS o WHERE false;

-- statement: outbox_read_some
-- Finds out whether rows can be read as a claim reads them.
SELECT {columns} FROM outbox_events AS o WHERE o.ctid = ANY ($1::tid[]);

-- statement: outbox_read_value
-- Finds out whether one column of a row can be read.
-- place value: o.event_data::text
SELECT {value} FROM outbox_events AS o WHERE o.ctid = ANY ($1::tid[]);

-- statement: outbox_try_change
-- Finds out, in a transaction that is rolled back, whether rows can be changed.
UPDATE outbox_events AS o
   SET status = 'PROCESSING'
 WHERE o.ctid = ANY ($1::tid[])
   AND {state(o)} IN ({relay_to_processing});
