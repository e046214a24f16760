// go_writer ACCOUNT CENTS: pays money in, and tells of it in the same transaction; lib/pq and the table alone.
// The database is named by libpq's variables (PGHOST, PGDATABASE, ...); lib/pq asks for TLS unless PGSSLMODE=disable.
package main

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	_ "github.com/lib/pq"
)

func payIn(tx *sql.Tx, account string, cents int64) error {
	// The update locks the account: its events get the order of its balances.
	var balance int64
	err := tx.QueryRow("UPDATE accounts SET cents = cents + $2 WHERE id = $1 RETURNING cents", account, cents).Scan(&balance)
	if errors.Is(err, sql.ErrNoRows) {
		return errors.New("no such account")
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string]int64{"cents": cents, "balance": balance})
	if err != nil {
		return err
	}
	id, err := newUUID()
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic)"+
		" VALUES ($1, 'account', $2, 'money.paid_in', $3, 'bank-events')", id, account, string(data))
	return err
}

// newUUID makes a random UUID (version 4).
func newUUID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

func run(account, amount string) error {
	cents, err := strconv.ParseInt(amount, 10, 64)
	if err != nil {
		return err
	}
	db, err := sql.Open("postgres", "")
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	if err := payIn(tx, account, cents); err != nil {
		return err
	}
	return tx.Commit()
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go_writer ACCOUNT CENTS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "go_writer:", err)
		os.Exit(1)
	}
}
