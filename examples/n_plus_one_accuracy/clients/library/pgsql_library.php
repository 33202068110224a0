<?php
// The catalogue's back office of a city library, on the pg_* functions.

require __DIR__ . '/../labels.php';

function connect(): PgSql\Connection
{
    $url = parse_url(getenv('DATABASE_URL'));
    $words = ['host' => $url['host'], 'port' => $url['port'] ?? 5432, 'dbname' => ltrim($url['path'], '/'),
        'user' => $url['user'], 'password' => $url['pass'] ?? ''];
    $words = array_filter($words, fn ($word) => $word !== '');
    return pg_connect(implode(' ', array_map(fn ($key, $word) => "$key='$word'", array_keys($words), $words)), PGSQL_CONNECT_FORCE_NEW);
}

function rows(PgSql\Connection $db, string $sql, array $values = []): array
{
    return pg_fetch_all($values ? pg_query_params($db, $sql, $values) : pg_query($db, $sql));
}

// Spine labels of a branch: each shelf lists what stands on it.
scenario('shelf_labels', function () {
    $db = connect();
    $shelves = 0;
    foreach (rows($db, 'SELECT branch_id, number, label FROM shelves WHERE branch_id = $1 ORDER BY number', [6]) as $shelf) {
        rows($db, 'SELECT c.barcode, e.isbn FROM copies c JOIN editions e ON e.id = c.edition_id WHERE c.branch_id = $1 AND c.shelf_number = $2 ORDER BY e.isbn',
            [$shelf['branch_id'], $shelf['number']]);
        $shelves++;
    }
    expect_loop('from shelves where branch_id', 'from copies c join editions', $shelves);
});

// Publishers with their newest edition and how many there are, by named statements.
scenario('publisher_report', function () {
    $db = connect();
    $newest = $counts = 0;
    pg_prepare($db, 'newest', 'SELECT isbn, published FROM editions WHERE publisher_id = $1 ORDER BY published DESC, id DESC LIMIT 1');
    pg_prepare($db, 'count', 'SELECT count(*) AS n FROM editions WHERE publisher_id = $1');
    foreach (rows($db, 'SELECT id, name FROM publishers ORDER BY name') as $publisher) {
        pg_fetch_assoc(pg_execute($db, 'count', [$publisher['id']]));
        $counts++;
        pg_fetch_assoc(pg_execute($db, 'newest', [$publisher['id']]));
        $newest++;
    }
    expect_loop('from publishers order by name', 'select isbn, published from editions', $newest);
    expect_loop('from publishers order by name', 'select count(*) as n from editions', $counts);
});

// A scanner's list of barcodes is checked one by one.
scenario('returned_box', function () {
    $db = connect();
    $asked = 0;
    $scanned = array_map(fn ($i) => sprintf('C%06d', 3 + $i * 14), range(0, 119));
    foreach ($scanned as $barcode) {
        rows($db, 'SELECT status, branch_id FROM copies WHERE barcode = $1', [$barcode]);
        $asked++;
    }
    expect_repeat('repeated-query-without-visible-parent', $asked);
});

// Lent and waiting for every branch: two connections work at the same time.
scenario('live_board', function () {
    [$one, $two] = [connect(), connect()];
    $lent = $waiting = 0;
    foreach (rows($one, 'SELECT id, name FROM branches ORDER BY id') as $branch) {
        pg_send_query_params($one, 'SELECT count(*) FROM loans WHERE branch_id = $1 AND returned_on IS NULL', [$branch['id']]);
        $lent++;
        pg_send_query_params($two, 'SELECT count(*) FROM holds WHERE branch_id = $1 AND ready_at IS NULL', [$branch['id']]);
        $waiting++;
        foreach ([$two, $one] as $db) {
            while ($result = pg_get_result($db)) {
                pg_fetch_result($result, 0, 0);
            }
        }
    }
    expect_loop('from branches order by id', 'from loans where branch_id', $lent);
    expect_loop('from branches order by id', 'from holds where branch_id', $waiting);
});

// The union catalogue is exported through a cursor.
scenario('union_export', function () {
    $db = connect();
    pg_query($db, 'BEGIN READ ONLY');
    pg_query($db, 'DECLARE export CURSOR FOR SELECT e.isbn, w.title FROM editions e JOIN works w ON w.id = e.work_id ORDER BY e.isbn');
    do {
        $part = pg_fetch_all(pg_query($db, 'FETCH 100 FROM export'));
    } while ($part);
    pg_query($db, 'CLOSE export');
    pg_query($db, 'COMMIT');
});

// The administration's page about the database itself.
scenario('schema_page', function () {
    $db = connect();
    rows($db, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'");
    foreach (['works', 'editions', 'copies', 'patrons', 'loans', 'fines'] as $table) {
        rows($db, 'SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position', [$table]);
    }
    rows($db, 'SELECT pg_size_pretty(pg_database_size(current_database())), version()');
});

// One work with all that its page shows.
scenario('work_page', function () {
    $db = connect();
    $work = rows($db, 'SELECT id, title, subject_id FROM works WHERE id = $1', [48])[0];
    rows($db, 'SELECT name FROM subjects WHERE id = $1', [$work['subject_id']]);
    rows($db, 'SELECT a.name, s.role FROM authorships s JOIN authors a ON a.id = s.author_id WHERE s.work_id = $1', [$work['id']]);
    $editions = rows($db, 'SELECT id, isbn FROM editions WHERE work_id = $1', [$work['id']]);
    foreach ($editions as $edition) {
        rows($db, 'SELECT barcode, status FROM copies WHERE edition_id = $1', [$edition['id']]);
    }
    rows($db, 'SELECT body FROM notes WHERE about_type = $1 AND about_id = $2', ['Work', $work['id']]);
    rows($db, 'SELECT count(*) FROM holds WHERE work_id = $1', [$work['id']]);
});

// Polish editions for a bookseller, each with its cheapest copy; ids are put into the text.
scenario('price_list', function () {
    $db = connect();
    $editions = 0;
    foreach (rows($db, "SELECT e.id, e.isbn FROM editions e WHERE e.language_code = 'pl' AND e.published >= 1990 ORDER BY e.id") as $edition) {
        rows($db, "SELECT min(price) FROM copies WHERE edition_id = $edition[id]");
        $editions++;
    }
    expect_loop('from editions e where e.language_code', 'select min(price) from copies', $editions);
});

main($argv, 'pgsql ' . phpversion('pgsql'));
