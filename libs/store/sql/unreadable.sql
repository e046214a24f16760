-- Rows that cannot be read or changed are looked for one by one, and rows that somebody has locked all at once.

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

-- statement: outbox_find_locked
-- Names those of the unsent rows with the ids $1 that other transactions have locked, and what ends those. Of a
-- row that several have locked nobody can tell.
WITH free AS
    (SELECT o.id FROM outbox_events AS o WHERE o.id = ANY ($1::uuid[]) AND {unsent(o)} FOR NO KEY UPDATE SKIP LOCKED)
SELECT {identity},
       coalesce((SELECT format('the prepared transaction %L has locked it; type: COMMIT PREPARED %1$L or ROLLBACK PREPARED %1$L',
                               x.gid)
                   FROM pg_prepared_xacts AS x
                  WHERE x.transaction = o.xmax),
                (SELECT format('session %s%s has locked it; end its transaction, or type: SELECT pg_terminate_backend(%1$s)',
                               l.pid, ' (' || nullif(concat_ws(', ', a.usename, nullif(a.application_name, '')), '') || ')')
                   FROM pg_locks AS l
                   LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
                  WHERE l.locktype = 'transactionid'
                    AND l.granted
                    AND l.transactionid = o.xmax
                  LIMIT 1),
                'another transaction has locked it')
  FROM outbox_events AS o
 WHERE o.id = ANY ($1::uuid[])
   AND {unsent(o)}
   AND o.id NOT IN (SELECT free.id FROM free)
 ORDER BY o.seq;
