// The service of a city library's kiosks, on database/sql and lib/pq.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func connect(connections int) *sql.DB {
	address, err := url.Parse(os.Getenv("DATABASE_URL"))
	must(err)
	words := address.Query()
	words.Set("sslmode", "disable")
	address.RawQuery = words.Encode()
	db, err := sql.Open("postgres", address.String())
	must(err)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

type querier interface {
	Query(query string, args ...interface{}) (*sql.Rows, error)
	QueryRow(query string, args ...interface{}) *sql.Row
	Exec(query string, args ...interface{}) (sql.Result, error)
}

func integers(db querier, query string, args ...interface{}) []int {
	rows, err := db.Query(query, args...)
	must(err)
	defer rows.Close()
	var all []int
	for rows.Next() {
		var value int
		must(rows.Scan(&value))
		all = append(all, value)
	}
	must(rows.Err())
	return all
}

func text(db querier, query string, args ...interface{}) string {
	var value sql.NullString
	must(db.QueryRow(query, args...).Scan(&value))
	return value.String
}

// The kiosk's start page fills in the cover and the best-known edition of each work, a goroutine per tile.
func startPage() {
	db := connect(6)
	defer db.Close()
	var editions, authors int64
	works := integers(db, "SELECT id FROM works WHERE first_published > 2010 ORDER BY title LIMIT 18")
	var waiting sync.WaitGroup
	for _, work := range works {
		waiting.Add(2)
		go func(work int) {
			defer waiting.Done()
			atomic.AddInt64(&editions, 1)
			text(db, "SELECT isbn FROM editions WHERE work_id = $1 ORDER BY published DESC, id LIMIT 1", work)
		}(work)
		go func(work int) {
			defer waiting.Done()
			atomic.AddInt64(&authors, 1)
			text(db, "SELECT string_agg(a.name, ', ') FROM authors a JOIN authorships s ON s.author_id = a.id WHERE s.work_id = $1", work)
		}(work)
	}
	waiting.Wait()
	expectLoop("from works where first_published", "select isbn from editions", editions)
	expectLoop("from works where first_published", "from authors a join authorships", authors)
}

// Rows of the register are still being read while a second connection answers for each of them.
func cardRegister() {
	db := connect(2)
	defer db.Close()
	var asked int64
	rows, err := db.Query("SELECT number, patron_id FROM cards WHERE patron_id <= $1 ORDER BY number", 220)
	must(err)
	for rows.Next() {
		var number string
		var patron int
		must(rows.Scan(&number, &patron))
		asked++
		text(db, "SELECT name FROM patrons WHERE id = $1", patron)
	}
	must(rows.Close())
	expectLoop("from cards where patron_id", "select name from patrons", asked)
}

// A pool of workers settles accounts: a transaction for each patron, a warning only for the worst.
func accountRun() {
	db := connect(5)
	defer db.Close()
	var sums, cards int64
	patrons := make(chan int)
	var workers sync.WaitGroup
	for i := 0; i < 4; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for patron := range patrons {
				tx, err := db.Begin()
				must(err)
				var owed float64
				atomic.AddInt64(&sums, 1)
				must(tx.QueryRow("SELECT coalesce(sum(f.amount), 0) FROM fines f JOIN loans l ON l.id = f.loan_id WHERE l.patron_id = $1 AND f.paid_at IS NULL", patron).Scan(&owed))
				atomic.AddInt64(&cards, 1)
				integers(tx, "SELECT 1 FROM cards WHERE patron_id = $1 AND blocked_at IS NULL FOR UPDATE", patron)
				if owed > 15 {
					_, err = tx.Exec("INSERT INTO journal (action, reference, amount) VALUES ('warning', $1, $2)", fmt.Sprint("patron ", patron), owed)
					must(err)
				}
				must(tx.Commit())
			}
		}()
	}
	for _, patron := range integers(db, "SELECT id FROM patrons WHERE kind = 'adult' AND home_branch_id IN (3, 4) ORDER BY id") {
		patrons <- patron
	}
	close(patrons)
	workers.Wait()
	expectLoop("from patrons where kind", "from fines f join loans", sums)
	expectLoop("from patrons where kind", "from cards where patron_id", cards)
}

// Which languages each open branch has most of, by name.
func languageMap() {
	db := connect(1)
	defer db.Close()
	var lists, names int64
	for _, branch := range integers(db, "SELECT id FROM branches WHERE closed_on IS NULL ORDER BY id") {
		lists++
		rows, err := db.Query("SELECT e.language_code FROM copies c JOIN editions e ON e.id = c.edition_id WHERE c.branch_id = $1 GROUP BY 1 ORDER BY count(*) DESC LIMIT 6", branch)
		must(err)
		var codes []string
		for rows.Next() {
			var code string
			must(rows.Scan(&code))
			codes = append(codes, code)
		}
		must(rows.Close())
		for _, code := range codes {
			names++
			text(db, "SELECT name FROM languages WHERE code = $1", code)
		}
	}
	expectLoop("from branches where closed_on", "select e.language_code from copies", lists)
	expectLoop("select e.language_code from copies", "from languages where code", names)
}

// The topics of one class, each with its number of works, by a prepared statement.
func topicCounts() {
	db := connect(1)
	defer db.Close()
	var asked int64
	count, err := db.Prepare("SELECT count(*) FROM works WHERE subject_id = $1")
	must(err)
	defer count.Close()
	for _, topic := range integers(db, "SELECT id FROM subjects WHERE parent_id = $1 ORDER BY name", 14) {
		asked++
		var works int
		must(count.QueryRow(topic).Scan(&works))
	}
	expectLoop("from subjects where parent_id", "from works where subject_id", asked)
}

// How busy the desks are, hour by hour, and how many loans of each day of a fortnight.
func busyHours() {
	db := connect(3)
	defer db.Close()
	day := time.Date(2025, 4, 7, 8, 0, 0, 0, time.UTC)
	for hour := 0; hour < 12; hour++ {
		from := day.Add(time.Duration(hour) * time.Hour)
		integers(db, "SELECT branch_id FROM holds WHERE placed_at >= $1 AND placed_at < $2", from, from.Add(time.Hour))
	}
	for i := 0; i < 14; i++ {
		integers(db, "SELECT count(*) FROM loans WHERE lent_on = $1", day.AddDate(0, 0, -i))
	}
}

// Copies and their works for a list, a hundred barcodes at a time.
func inventoryChunks() {
	db := connect(2)
	defer db.Close()
	rows, err := db.Query("SELECT barcode FROM copies WHERE branch_id < 4 ORDER BY barcode")
	must(err)
	var barcodes []string
	for rows.Next() {
		var barcode string
		must(rows.Scan(&barcode))
		barcodes = append(barcodes, barcode)
	}
	must(rows.Close())
	for from := 0; from < len(barcodes); from += 100 {
		to := from + 100
		if to > len(barcodes) {
			to = len(barcodes)
		}
		integers(db, "SELECT count(*) FROM loans WHERE barcode = ANY ($1) AND returned_on IS NULL", pq.Array(barcodes[from:to]))
		integers(db, "SELECT e.work_id FROM copies c JOIN editions e ON e.id = c.edition_id WHERE c.barcode = ANY ($1)", pq.Array(barcodes[from:to]))
	}
}

// The permission to lend is checked before every step, and each check reads the same librarian.
func deskSession() {
	db := connect(1)
	defer db.Close()
	var checks int64
	allowed := func(action string) bool {
		checks++
		role := text(db, "SELECT role FROM staff WHERE email = $1", "librarian8@library.example")
		return role == "desk" || action == "look"
	}
	for step := 0; step < 30; step++ {
		allowed([]string{"look", "lend", "return"}[step%3])
	}
	text(db, "SELECT count(*) FROM loans WHERE branch_id = 5 AND returned_on IS NULL")
	expectRepeat("redundant-query", checks)
}

// The service waits for its database and reports that it is well, side by side with two requests.
func readiness() {
	db := connect(3)
	defer db.Close()
	var both sync.WaitGroup
	both.Add(1)
	go func() {
		defer both.Done()
		for i := 0; i < 15; i++ {
			must(db.PingContext(context.Background()))
			text(db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
			time.Sleep(10 * time.Millisecond)
		}
	}()
	text(db, "SELECT title FROM works WHERE id = 12")
	time.Sleep(50 * time.Millisecond)
	integers(db, "SELECT e.id FROM works w JOIN editions e ON e.work_id = w.id WHERE w.subject_id = $1", 61)
	both.Wait()
}

func main() {
	present("lib/pq 1.10.7", []scenario{
		{"start_page", startPage},
		{"card_register", cardRegister},
		{"account_run", accountRun},
		{"language_map", languageMap},
		{"topic_counts", topicCounts},
		{"busy_hours", busyHours},
		{"inventory_chunks", inventoryChunks},
		{"desk_session", deskSession},
		{"readiness", readiness},
	})
}
