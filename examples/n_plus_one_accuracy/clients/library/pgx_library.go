// The interlibrary exchange of a city library, on pgx and its pool.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

var ctx = context.Background()

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func connect() *pgx.Conn {
	db, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	must(err)
	return db
}

func pool(connections int32) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	must(err)
	config.MaxConns = connections
	db, err := pgxpool.ConnectConfig(ctx, config)
	must(err)
	return db
}

type querier interface {
	Query(ctx context.Context, query string, args ...interface{}) (pgx.Rows, error)
}

// read collects rows as their values.
func read(db querier, query string, args ...interface{}) [][]interface{} {
	rows, err := db.Query(ctx, query, args...)
	must(err)
	defer rows.Close()
	var all [][]interface{}
	for rows.Next() {
		values, err := rows.Values()
		must(err)
		all = append(all, values)
	}
	must(rows.Err())
	return all
}

// A catalogue record for each edition on offer, with its publisher; publishers are kept once they were read.
func editionRecords() {
	db := connect()
	defer db.Close(ctx)
	var publishers, copies int64
	known := map[interface{}]string{}
	for _, edition := range read(db, "SELECT id, isbn, publisher_id FROM editions WHERE published >= $1 ORDER BY isbn", 2022) {
		copies++
		read(db, "SELECT barcode, price FROM copies WHERE edition_id = $1", edition[0])
		if edition[2] == nil {
			continue
		}
		if _, ok := known[edition[2]]; !ok {
			publishers++
			known[edition[2]] = read(db, "SELECT name FROM publishers WHERE id = $1", edition[2])[0][0].(string)
		}
	}
	expectLoop("from editions where published", "from copies where edition_id", copies)
	expectLoop("from editions where published", "from publishers where id", publishers)
}

// Works are in the public domain one day: for each dead author the first works, at most three, and when each appeared.
func publicDomain() {
	db := connect()
	defer db.Close(ctx)
	var works, editions int64
	for _, author := range read(db, "SELECT id, name FROM authors WHERE died BETWEEN 1930 AND 1955 ORDER BY died, id") {
		works++
		for _, work := range read(db, "SELECT w.id, w.title FROM works w JOIN authorships s ON s.work_id = w.id WHERE s.author_id = $1 ORDER BY w.id LIMIT 3", author[0]) {
			editions++
			read(db, "SELECT min(published) FROM editions WHERE work_id = $1", work[0])
		}
	}
	expectLoop("from authors where died", "from works w join authorships", works)
	expectLoop("from works w join authorships", "from editions where work_id", editions)
}

// Two lists are worked off at the same time, by workers that share a pool.
func twoQueues() {
	db := pool(5)
	defer db.Close()
	var titles, hosts int64
	run := func(parent, child string, count *int64, done *sync.WaitGroup) {
		defer done.Done()
		ids := make(chan interface{})
		var workers sync.WaitGroup
		for i := 0; i < 2; i++ {
			workers.Add(1)
			go func() {
				defer workers.Done()
				for id := range ids {
					atomic.AddInt64(count, 1)
					read(db, child, id)
				}
			}()
		}
		for _, row := range read(db, parent) {
			ids <- row[0]
		}
		close(ids)
		workers.Wait()
	}
	var both sync.WaitGroup
	both.Add(2)
	go run("SELECT DISTINCT work_id FROM holds WHERE branch_id = 4 ORDER BY work_id LIMIT 28", "SELECT title, subject_id FROM works WHERE id = $1", &titles, &both)
	go run("SELECT id FROM events WHERE branch_id <> 4 ORDER BY id LIMIT 28", "SELECT count(*), sum(seats) FROM bookings WHERE event_id = $1", &hosts, &both)
	both.Wait()
	expectLoop("select distinct work_id from holds", "from works where id", titles)
	expectLoop("from events where branch_id", "from bookings where event_id", hosts)
}

// The newest copy of each work that is offered, four at a time, while a progress bar looks at the jobs.
func offerList() {
	db := pool(6)
	defer db.Close()
	var asked int64
	stop := make(chan struct{})
	var progress, offers sync.WaitGroup
	progress.Add(1)
	go func() {
		defer progress.Done()
		for {
			read(db, "SELECT count(*) FROM jobs WHERE state = 'ready'")
			select {
			case <-stop:
				return
			case <-time.After(15 * time.Millisecond):
			}
		}
	}()
	slots := make(chan struct{}, 4)
	for _, work := range read(db, "SELECT id, title FROM works WHERE subject_id BETWEEN 100 AND 130 ORDER BY id") {
		offers.Add(1)
		slots <- struct{}{}
		go func(id interface{}) {
			defer offers.Done()
			atomic.AddInt64(&asked, 1)
			read(db, "SELECT c.barcode, c.acquired_on FROM copies c JOIN editions e ON e.id = c.edition_id WHERE e.work_id = $1 ORDER BY c.acquired_on DESC LIMIT 1", id)
			time.Sleep(5 * time.Millisecond)
			<-slots
		}(work[0])
	}
	offers.Wait()
	close(stop)
	progress.Wait()
	expectLoop("from works where subject_id", "from copies c join editions", asked)
}

// Partner libraries ask by ISBN: the list comes with their request.
func requestByIsbn() {
	db := connect()
	defer db.Close(ctx)
	var asked int64
	for i := 1; i <= 45; i++ {
		isbn := fmt.Sprintf("978%010d", i*19*104729%1000000000)
		asked++
		read(db, "SELECT e.id, w.title FROM editions e JOIN works w ON w.id = e.work_id WHERE e.isbn = $1", isbn)
	}
	expectRepeat("repeated-query-without-visible-parent", asked)
}

// One page asks five different things in one round trip.
func memberPage() {
	db := connect()
	defer db.Close(ctx)
	for _, patron := range []int{21, 77} {
		batch := &pgx.Batch{}
		batch.Queue("SELECT name, kind FROM patrons WHERE id = $1", patron)
		batch.Queue("SELECT number FROM cards WHERE patron_id = $1", patron)
		batch.Queue("SELECT barcode, due_on FROM loans WHERE patron_id = $1 AND returned_on IS NULL", patron)
		batch.Queue("SELECT work_id, ready_at FROM holds WHERE patron_id = $1", patron)
		batch.Queue("SELECT event_id, seats FROM bookings WHERE patron_id = $1", patron)
		results := db.SendBatch(ctx, batch)
		for i := 0; i < batch.Len(); i++ {
			rows, err := results.Query()
			must(err)
			rows.Close()
		}
		must(results.Close())
	}
}

// Records of a partner are copied in, then merged in one statement; the state is read until it settles.
func partnerImport() {
	db := connect()
	defer db.Close(ctx)
	_, err := db.Exec(ctx, "CREATE TEMPORARY TABLE incoming (barcode text, edition_id integer, branch_id integer)")
	must(err)
	_, err = db.CopyFrom(ctx, pgx.Identifier{"incoming"}, []string{"barcode", "edition_id", "branch_id"},
		pgx.CopyFromSlice(300, func(i int) ([]interface{}, error) {
			return []interface{}{fmt.Sprintf("C%06d", 1700+i), 1 + i*3, 1 + i%9}, nil
		}))
	must(err)
	_, err = db.Exec(ctx, "INSERT INTO copies SELECT barcode, edition_id, branch_id, 1, 'transit', '2025-06-01' FROM incoming ON CONFLICT (barcode) DO NOTHING")
	must(err)
	for i := 0; i < 8; i++ {
		read(db, "SELECT state, count(*) FROM jobs GROUP BY state")
		time.Sleep(20 * time.Millisecond)
	}
}

// Overdue interlibrary loans of the branches that lend: the branch, its late loans, and the card of whoever has them.
func lateLoans() {
	db := pool(3)
	defer db.Close()
	var lists, cards int64
	for _, branch := range read(db, "SELECT id, code FROM branches ORDER BY code") {
		lists++
		for _, loan := range read(db, "SELECT id, patron_id FROM loans WHERE branch_id = $1 AND lent_on >= '2025-01-01' ORDER BY due_on DESC, id LIMIT 8", branch[0]) {
			cards++
			read(db, "SELECT number FROM cards WHERE patron_id = $1 ORDER BY issued_on DESC LIMIT 1", loan[1])
		}
	}
	expectLoop("from branches order by code", "from loans where branch_id", lists)
	expectLoop("from loans where branch_id", "from cards where patron_id", cards)
}

func main() {
	present("pgx 4.15.0", []scenario{
		{"edition_records", editionRecords},
		{"public_domain", publicDomain},
		{"two_queues", twoQueues},
		{"offer_list", offerList},
		{"request_by_isbn", requestByIsbn},
		{"member_page", memberPage},
		{"partner_import", partnerImport},
		{"late_loans", lateLoans},
	})
}
