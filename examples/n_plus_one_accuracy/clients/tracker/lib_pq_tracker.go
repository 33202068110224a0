// The tracker's pages with Go's database/sql and lib/pq.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
)

type ticket struct {
	id, reporter int64
	project      string
	assignee     sql.NullInt64
	title        string
}

type page struct {
	name string
	show func(db *sql.DB)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func open(options string) *sql.DB {
	url := os.Getenv("DATABASE_URL")
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return must(sql.Open("postgres", url+separator+"sslmode=disable"+options))
}

type source interface {
	Query(text string, values ...any) (*sql.Rows, error)
	QueryRow(text string, values ...any) *sql.Row
}

func tickets(db source, count int) []ticket {
	rows := must(db.Query("SELECT id, reporter_id, project_slug, assignee_id, title FROM tickets ORDER BY id LIMIT $1", count))
	defer rows.Close()
	var list []ticket
	for rows.Next() {
		var one ticket
		must(0, rows.Scan(&one.id, &one.reporter, &one.project, &one.assignee, &one.title))
		list = append(list, one)
	}
	return list
}

func scan[T any](row *sql.Row) T {
	var value T
	must(0, row.Scan(&value))
	return value
}

func member(db source, id int64) string {
	return scan[string](db.QueryRow("SELECT handle FROM members WHERE id = $1", id))
}

var loops = []page{
	{"a query row per ticket", func(db *sql.DB) {
		list := tickets(db, 24)
		for _, one := range list {
			member(db, one.reporter)
		}
		expectLoop("from tickets", "from members", len(list))
	}},
	{"asked while the rows are open", func(db *sql.DB) {
		rows := must(db.Query("SELECT id, project_slug FROM tickets ORDER BY id LIMIT 29"))
		defer rows.Close()
		asked := 0
		for rows.Next() {
			var id int64
			var slug string
			must(0, rows.Scan(&id, &slug))
			scan[string](db.QueryRow("SELECT title FROM projects WHERE slug = $1", slug))
			asked++
		}
		expectLoop("from tickets", "from projects", asked)
	}},
	{"goroutines with a limit", func(db *sql.DB) {
		db.SetMaxOpenConns(4)
		list := tickets(db, 32)
		var group sync.WaitGroup
		for _, one := range list {
			group.Add(1)
			go func(id int64) {
				defer group.Done()
				scan[int](db.QueryRow("SELECT count(*) FROM files WHERE ticket_id = $1", id))
			}(one.id)
		}
		group.Wait()
		expectLoop("from tickets", "from files", len(list))
	}},
	{"a prepared statement, sorted first", func(db *sql.DB) {
		list := tickets(db, 27)
		sort.Slice(list, func(a, b int) bool { return list[a].title < list[b].title })
		statement := must(db.Prepare("SELECT EXISTS (SELECT 1 FROM files WHERE ticket_id = $1 AND bytes > 9000)"))
		for _, one := range list {
			scan[bool](statement.QueryRow(one.id))
		}
		expectLoop("from tickets", "from files", len(list))
	}},
	{"assignees where there are any, then a break", func(db *sql.DB) {
		asked := 0
		for _, one := range tickets(db, 90) {
			if !one.assignee.Valid {
				continue
			}
			member(db, one.assignee.Int64)
			if asked++; asked == 13 {
				break
			}
		}
		expectLoop("from tickets", "from members", asked)
	}},
	{"uuids as text, binary parameters", func(_ *sql.DB) {
		db := open("&binary_parameters=yes")
		defer db.Close()
		rows := must(db.Query("SELECT id FROM files ORDER BY bytes DESC LIMIT $1", 18))
		var keys []string
		for rows.Next() {
			var key string
			must(0, rows.Scan(&key))
			keys = append(keys, key)
		}
		for _, key := range keys {
			scan[string](db.QueryRow("SELECT verdict FROM scans WHERE file_id = $1", key))
		}
		expectLoop("from files", "from scans", len(keys))
	}},
	{"everything in one transaction", func(db *sql.DB) {
		tx := must(db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true}))
		defer tx.Rollback()
		list := tickets(tx, 15)
		for _, one := range list {
			scan[int](tx.QueryRow("SELECT count(*) FROM remarks WHERE subject_type = 'Ticket' AND subject_id = $1", one.id))
		}
		expectLoop("from tickets", "from remarks", len(list))
	}},
	{"workers that take jobs from a channel", func(db *sql.DB) {
		db.SetMaxOpenConns(4)
		rows := must(db.Query("SELECT id, ticket_id FROM jobs WHERE state = 'queued' ORDER BY id"))
		var keys []int64
		for rows.Next() {
			var id, key int64
			must(0, rows.Scan(&id, &key))
			keys = append(keys, key)
		}
		jobs := make(chan int64)
		var group sync.WaitGroup
		for at := 0; at < 4; at++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for key := range jobs {
					tx := must(db.Begin())
					reporter := scan[int64](tx.QueryRow("SELECT reporter_id FROM tickets WHERE id = $1", key))
					member(tx, reporter)
					must(0, tx.Commit())
				}
			}()
		}
		for _, key := range keys {
			jobs <- key
		}
		close(jobs)
		group.Wait()
		expectLoop("from jobs", "from tickets", len(keys))
		expectLoop("from tickets", "from members", len(keys))
	}},
	{"two handlers at once", func(db *sql.DB) {
		var group sync.WaitGroup
		var guard sync.Mutex
		for _, count := range []int{16, 21} {
			group.Add(1)
			go func(count int) {
				defer group.Done()
				connection := must(db.Conn(context.Background()))
				defer connection.Close()
				text := "SELECT id, author_id FROM remarks ORDER BY id LIMIT $1"
				rows := must(connection.QueryContext(context.Background(), text, count))
				var authors []int64
				for rows.Next() {
					var id, author int64
					must(0, rows.Scan(&id, &author))
					authors = append(authors, author)
				}
				for _, author := range authors {
					scan[string](connection.QueryRowContext(context.Background(), "SELECT handle FROM members WHERE id = $1", author))
				}
				guard.Lock()
				defer guard.Unlock()
				expectLoop("from remarks", "from members", len(authors))
			}(count)
		}
		group.Wait()
	}},
}

var clean = []page{
	{"an array of keys", func(db *sql.DB) {
		var keys []int64
		for _, one := range tickets(db, 60) {
			keys = append(keys, one.reporter)
		}
		must(db.Query("SELECT id, handle FROM members WHERE id = ANY ($1)", pq.Array(keys))).Close()
	}},
	{"copied in", func(db *sql.DB) {
		list := tickets(db, 50)
		tx := must(db.Begin())
		statement := must(tx.Prepare(pq.CopyIn("jobs", "kind", "ticket_id", "state")))
		for _, one := range list {
			must(statement.Exec("mail", one.id, "new"))
		}
		must(statement.Exec())
		must(0, statement.Close())
		must(0, tx.Commit())
	}},
	{"pings and a counter", func(db *sql.DB) {
		for at := 0; at < 10; at++ {
			must(0, db.Ping())
			must(db.Exec("UPDATE options SET value = $1 WHERE name = 'option_5'", fmt.Sprint(at)))
			time.Sleep(10 * time.Millisecond)
		}
	}},
	{"numbers of a sequence for inserts", func(db *sql.DB) {
		for at := 0; at < 9; at++ {
			number := scan[int64](db.QueryRow("SELECT nextval('receipt_numbers')"))
			must(db.Exec("INSERT INTO jobs (id, kind, ticket_id, state) VALUES ($1, 'mail', 1, 'new')", number+5000))
		}
	}},
	{"pages by key", func(db *sql.DB) {
		last := int64(0)
		for at := 0; at < 9; at++ {
			rows := must(db.Query("SELECT id FROM tickets WHERE id > $1 ORDER BY id LIMIT 20", last))
			for rows.Next() {
				must(0, rows.Scan(&last))
			}
		}
	}},
	{"a poller of two queues", func(db *sql.DB) {
		for at := 0; at < 7; at++ {
			for _, kind := range []string{"retry", "dead"} {
				must(db.Query("SELECT id FROM jobs WHERE state = $1 LIMIT 3", kind)).Close()
			}
			time.Sleep(150 * time.Millisecond)
		}
	}},
	{"a health check every moment", func(db *sql.DB) {
		for at := 0; at < 20; at++ {
			scan[int](db.QueryRow("SELECT 1"))
			time.Sleep(20 * time.Millisecond)
		}
	}},
	{"a retry until it can be had", func(db *sql.DB) {
		for at := 0; at < 6; at++ {
			tx := must(db.Begin())
			scan[bool](tx.QueryRow("SELECT pg_try_advisory_xact_lock($1)", 7))
			scan[string](tx.QueryRow("SELECT state FROM jobs WHERE id = $1 FOR UPDATE", 7))
			must(0, tx.Rollback())
			time.Sleep(30 * time.Millisecond)
		}
	}},
	{"two statements for each of some requests", func(db *sql.DB) {
		for _, id := range []int64{5, 120, 33, 78, 250, 61, 9} {
			reporter := scan[int64](db.QueryRow("SELECT reporter_id FROM tickets WHERE id = $1", id))
			member(db, reporter)
		}
	}},
	{"upserts of many rows", func(db *sql.DB) {
		for at := 0; at < 5; at++ {
			names := []string{fmt.Sprint("a", at), fmt.Sprint("b", at), fmt.Sprint("c", at)}
			must(db.Exec("INSERT INTO options (name, value) SELECT name, 'x' FROM unnest($1::text[]) name ON CONFLICT (name) DO UPDATE SET value = excluded.value", pq.Array(names)))
		}
	}},
}

func main() {
	var scenarios []scenario
	for _, one := range append(loops, clean...) {
		one := one
		scenarios = append(scenarios, scenario{one.name, func() {
			db := open("")
			defer db.Close()
			one.show(db)
		}})
	}
	present("lib/pq as packaged, "+runtime.Version(), scenarios)
}
