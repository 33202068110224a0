<?php
// The tracker's pages with PDO and with PHP's own pg_* functions.

require __DIR__ . '/../labels.php';

function address(): array
{
    $address = parse_url(getenv('DATABASE_URL'));
    return [
        'host' => $address['host'], 'port' => $address['port'], 'dbname' => ltrim($address['path'], '/'),
        'user' => rawurldecode($address['user'] ?? ''), 'password' => rawurldecode($address['pass'] ?? ''),
    ];
}

function words(array $address): string
{
    return implode(' ', array_map(fn ($key, $value) => "$key='$value'", array_keys($address), $address));
}

function pdo(array $options = []): PDO
{
    $address = address();
    $dsn = 'pgsql:' . implode(';', array_map(fn ($key) => "$key={$address[$key]}", ['host', 'port', 'dbname']));
    return new PDO($dsn, $address['user'], $address['password'], $options + [PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC]);
}

function rows(PDO $db, string $text, array $values = []): array
{
    $statement = $db->prepare($text);
    $statement->execute($values);
    return $statement->fetchAll();
}

function tickets(PDO $db, int $count = 20): array
{
    return rows($db, 'SELECT id, title, reporter_id, assignee_id, project_slug, state FROM tickets ORDER BY id LIMIT ?', [$count]);
}

scenario('prepared anew for each ticket', function () {
    $db = pdo();
    $list = tickets($db, 22);
    foreach ($list as $row) {
        rows($db, 'SELECT handle FROM members WHERE id = :id', ['id' => $row['reporter_id']]);
    }
    expect_loop('from tickets', 'from members', count($list));
});

scenario('prepared once, emulated', function () {
    $db = pdo([PDO::ATTR_EMULATE_PREPARES => true]);
    $list = tickets($db, 19);
    $member = $db->prepare('SELECT handle FROM members WHERE id = ?');
    foreach ($list as $row) {
        $member->execute([$row['reporter_id']]);
        $member->fetch();
    }
    expect_loop('from tickets', 'from members', count($list));
});

scenario('a template that queries', function () {
    $db = pdo();
    $asked = 0;
    ob_start();
    $list = $db->query('SELECT id, name, parent_id FROM categories WHERE id < 25 ORDER BY name');
    while ($row = $list->fetch()) {
        echo "<li>{$row['name']}";
        foreach ($db->query('SELECT name FROM categories WHERE parent_id = ' . (int) $row['id'])->fetchAll() as $child) {
            echo "<b>{$child['name']}</b>";
        }
        $asked++;
    }
    ob_end_clean();
    expect_loop('order by name', 'parent_id =', $asked);
});

scenario('quoted keys of open tickets only', function () {
    $db = pdo();
    $asked = 0;
    foreach (tickets($db, 48) as $row) {
        if ($row['state'] === 'closed') {
            continue;
        }
        $db->query('SELECT title FROM projects WHERE slug = ' . $db->quote($row['project_slug']))->fetchColumn();
        $asked++;
    }
    expect_loop('from tickets', 'from projects', $asked);
});

scenario('a repository with a static cache', function () {
    $db = pdo();
    $known = [];
    foreach (tickets($db, 66) as $row) {
        $known[$row['reporter_id']] ??= rows($db, 'SELECT id, handle FROM members WHERE id = ? LIMIT 1', [$row['reporter_id']])[0];
    }
    expect_loop('from tickets', 'from members', count($known));
});

scenario('pg_query_params per ticket', function () {
    $db = pg_connect(words(address()));
    $list = pg_fetch_all(pg_query($db, 'SELECT id, title FROM tickets ORDER BY points, id LIMIT 21'));
    foreach ($list as $row) {
        pg_fetch_result(pg_query_params($db, 'SELECT count(*) FROM files WHERE ticket_id = $1', [$row['id']]), 0, 0);
    }
    expect_loop('from tickets', 'from files', count($list));
});

scenario('pg_execute of a named statement, in a transaction', function () {
    $db = pg_connect(words(address()));
    pg_query($db, 'BEGIN');
    $list = pg_fetch_all(pg_query($db, "SELECT id, member_id, day FROM entries WHERE day >= '2025-03-20' ORDER BY day, id"));
    pg_prepare($db, 'shift', 'SELECT hours FROM shifts WHERE member_id = $1 AND day = $2');
    foreach ($list as $row) {
        pg_execute($db, 'shift', [$row['member_id'], $row['day']]);
    }
    pg_query($db, 'COMMIT');
    expect_loop('from entries', 'from shifts', count($list));
});

scenario('remarks on several kinds, few of each', function () {
    $db = pdo();
    $tables = ['Ticket' => 'tickets', 'Milestone' => 'milestones', 'Member' => 'members'];
    $list = rows($db, 'SELECT id, subject_type, subject_id FROM remarks ORDER BY id DESC LIMIT 10');
    foreach ($list as $row) {
        rows($db, "SELECT * FROM {$tables[$row['subject_type']]} WHERE id = ?", [$row['subject_id']]);
    }
    // Ten children, fewer than five of a kind: one loop whose child alternates. The piece is in each of them.
    expect_loop('from remarks', 'where id = ?', count($list));
});

scenario('lists of one key, and what is found in them', function () {
    $db = pdo();
    $posts = $db->query("SELECT id, title, reporter_id FROM tickets WHERE state = 'review' ORDER BY id DESC LIMIT 15")->fetchAll();
    foreach ($posts as $post) {
        $db->query("SELECT id, name, bytes FROM files WHERE ticket_id IN ({$post['id']}) ORDER BY name")->fetchAll();
        $db->query("SELECT * FROM members WHERE id = {$post['reporter_id']} LIMIT 1")->fetch();
    }
    expect_loop('from tickets', 'from files', count($posts));
    expect_loop('from tickets', 'from members', count($posts));
});

scenario('six requests of one visitor', function () {
    // Each request reads the visitor again, then a few things of its own.
    for ($request = 0; $request < 6; $request++) {
        $db = pdo();
        rows($db, 'SELECT member_id FROM sessions WHERE token = ?', ['no such token']);
        rows($db, 'SELECT * FROM members WHERE id = ?', [17]);
        rows($db, 'SELECT id, title FROM tickets WHERE milestone_id = ? ORDER BY id', [$request + 3]);
        usleep(60000);
    }
});

scenario('a joined page', function () {
    rows(pdo(), 'SELECT t.id, m.handle FROM tickets t JOIN members m ON m.id = t.reporter_id ORDER BY t.id LIMIT 40');
});

scenario('placeholders for a list', function () {
    $db = pdo();
    $keys = array_values(array_unique(array_column(tickets($db, 50), 'reporter_id')));
    rows($db, 'SELECT id, handle FROM members WHERE id IN (' . implode(',', array_fill(0, count($keys), '?')) . ')', $keys);
});

scenario('pages with their count', function () {
    for ($page = 0; $page < 6; $page++) {
        $db = pdo();
        $db->query('SELECT count(*) FROM tickets')->fetchColumn();
        rows($db, 'SELECT id, title FROM tickets ORDER BY id LIMIT 20 OFFSET ?', [$page * 20]);
    }
});

scenario('a cache in a table, hit and missed', function () {
    $db = pdo();
    foreach (['menu', 'footer', 'option_3', 'sidebar', 'option_8', 'news'] as $key) {
        if (!rows($db, 'SELECT value FROM options WHERE name = ?', [$key])) {
            rows($db, 'INSERT INTO options (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING', [$key, 'made']);
        }
    }
});

scenario('all options at once', function () {
    $options = array_column(pdo()->query('SELECT name, value FROM options')->fetchAll(), 'value', 'name');
    foreach (range(1, 20) as $number) {
        $options["option_$number"] ?? null;
    }
});

scenario('one post and its parts', function () {
    $db = pdo();
    $post = rows($db, 'SELECT * FROM tickets WHERE id = ?', [33])[0];
    rows($db, 'SELECT * FROM members WHERE id = ?', [$post['reporter_id']]);
    rows($db, 'SELECT * FROM files WHERE ticket_id = ?', [$post['id']]);
    rows($db, 'SELECT l.* FROM labels l JOIN ticket_labels t ON t.label_id = l.id WHERE t.ticket_id = ?', [$post['id']]);
    rows($db, 'SELECT id FROM tickets WHERE id < ? ORDER BY id DESC LIMIT 1', [$post['id']]);
    rows($db, 'SELECT id FROM tickets WHERE id > ? ORDER BY id LIMIT 1', [$post['id']]);
});

scenario('inserts of many rows', function () {
    $db = pdo();
    $db->beginTransaction();
    foreach (array_chunk(range(1, 60), 12) as $chunk) {
        $values = implode(', ', array_map(fn ($number) => "('import', $number, 'new')", $chunk));
        $db->exec("INSERT INTO jobs (kind, ticket_id, state) VALUES $values");
    }
    $db->commit();
});

scenario('options named by the code', function () {
    $db = pdo();
    $names = array_map(fn ($number) => "option_$number", range(1, 14));
    foreach ($names as $name) {
        rows($db, 'SELECT value FROM options WHERE name = ? LIMIT 1', [$name]);
    }
    expect_repeat('repeated-query-without-visible-parent', count($names));
});

main($argv, 'PHP ' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION . '.' . PHP_RELEASE_VERSION);
