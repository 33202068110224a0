<?php
// The public site of a city library, on PDO.

require __DIR__ . '/../labels.php';

function connect(array $options = []): PDO
{
    $url = parse_url(getenv('DATABASE_URL'));
    $place = sprintf('pgsql:host=%s;port=%d;dbname=%s', $url['host'], $url['port'] ?? 5432, ltrim($url['path'], '/'));
    return new PDO($place, $url['user'], $url['pass'] ?? null, $options + [
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
        PDO::ATTR_EMULATE_PREPARES => false,
    ]);
}

function all(PDO $db, string $sql, array $values = []): array
{
    $statement = $db->prepare($sql);
    $statement->execute($values);
    return $statement->fetchAll();
}

// A topic's works: for each its authors, and how many people wait for it.
scenario('topic_page', function () {
    $db = connect();
    $authors = $waiting = 0;
    $works = all($db, 'SELECT w.id, w.title FROM works w JOIN subjects s ON s.id = w.subject_id WHERE s.parent_id = ? ORDER BY w.title', [9]);
    $credits = $db->prepare('SELECT a.name FROM authors a JOIN authorships s ON s.author_id = a.id WHERE s.work_id = ? ORDER BY s.position');
    $holds = $db->prepare('SELECT count(*) FROM holds WHERE work_id = ? AND ready_at IS NULL');
    foreach ($works as &$work) {
        $credits->execute([$work['id']]);
        $work['authors'] = $credits->fetchAll(PDO::FETCH_COLUMN);
        $authors++;
        $holds->execute([$work['id']]);
        $work['waiting'] = (int) $holds->fetchColumn();
        $waiting++;
    }
    expect_loop('from works w join subjects', 'from authors a join authorships', $authors);
    expect_loop('from works w join subjects', 'from holds where work_id', $waiting);
});

// The whole classification as nested lists, level by level.
scenario('classification_tree', function () {
    $db = connect();
    $first = $deeper = 0;
    $branch = function (array $subject, bool $isDivision) use (&$branch, $db, &$first, &$deeper): array {
        $isDivision ? $first++ : $deeper++;
        $children = all($db, 'SELECT id, name FROM subjects WHERE parent_id = ? ORDER BY name', [$subject['id']]);
        return [$subject['name'] => array_map(fn ($child) => $branch($child, false), $children)];
    };
    foreach (all($db, 'SELECT id, name FROM subjects WHERE parent_id IS NULL ORDER BY name') as $division) {
        $branch($division, true);
    }
    expect_loop('from subjects where parent_id is null', 'from subjects where parent_id =', $first);
    expect_loop('from subjects where parent_id =', 'from subjects where parent_id =', $deeper);
});

// The librarians' feed: what each note is about depends on its type.
scenario('notes_feed', function () {
    $db = connect();
    $asked = ['Work' => 0, 'Patron' => 0, 'Event' => 0];
    $about = [
        'Work' => 'SELECT title FROM works WHERE id = ?',
        'Patron' => 'SELECT name FROM patrons WHERE id = ?',
        'Event' => 'SELECT title, starts_at FROM events WHERE id = ?',
    ];
    foreach (all($db, 'SELECT id, about_type, about_id, body FROM notes ORDER BY created_at DESC LIMIT 60') as $note) {
        all($db, $about[$note['about_type']], [$note['about_id']]);
        $asked[$note['about_type']]++;
    }
    expect_loop('from notes order by created_at', 'from works where id', $asked['Work']);
    expect_loop('from notes order by created_at', 'from patrons where id', $asked['Patron']);
    expect_loop('from notes order by created_at', 'from events where id', $asked['Event']);
});

// Branches with their hours; values are quoted into the text by the driver.
scenario('branch_list', function () {
    $db = connect([PDO::ATTR_EMULATE_PREPARES => true]);
    $hours = 0;
    foreach ($db->query('SELECT id, name, city FROM branches WHERE closed_on IS NULL ORDER BY city, name') as $branch) {
        all($db, 'SELECT weekday, opens, closes FROM opening_hours WHERE branch_id = :branch ORDER BY weekday', ['branch' => $branch['id']]);
        $hours++;
    }
    expect_loop('from branches where closed_on', 'from opening_hours where branch_id', $hours);
});

// Notices for holds that became ready, a transaction each; who has no address gets a line in the journal.
scenario('hold_notices', function () {
    $db = connect();
    $titles = $patrons = 0;
    foreach (all($db, 'SELECT id, work_id, patron_id FROM holds WHERE ready_at < ? ORDER BY ready_at LIMIT 30', ['2025-05-25']) as $hold) {
        $db->beginTransaction();
        all($db, 'SELECT title FROM works WHERE id = ?', [$hold['work_id']]);
        $titles++;
        [$patron] = all($db, 'SELECT name, email, kind FROM patrons WHERE id = ?', [$hold['patron_id']]);
        $patrons++;
        if ($patron['email'] === null && $patron['kind'] === 'junior') {
            all($db, 'INSERT INTO journal (action, reference) VALUES (?, ?)', ['no address', "hold $hold[id]"]);
        }
        $db->commit();
    }
    expect_loop('from holds where ready_at', 'select title from works', $titles);
    expect_loop('from holds where ready_at', 'from patrons where id', $patrons);
});

// Five pages of the fines of a year, and for each fine who has to pay it.
scenario('fine_pages', function () {
    $db = connect();
    $debtors = 0;
    for ($page = 0; $page < 5; $page++) {
        foreach (all($db, 'SELECT id, loan_id, amount FROM fines WHERE paid_at >= ? ORDER BY id LIMIT 20 OFFSET ?', ['2025-01-15', $page * 20]) as $fine) {
            all($db, 'SELECT p.name, p.email FROM loans l JOIN patrons p ON p.id = l.patron_id WHERE l.id = ?', [$fine['loan_id']]);
            $debtors++;
        }
    }
    expect_loop('from fines where paid_at', 'from loans l join patrons', $debtors);
});

// The four events of the banner, each with the seats that are taken.
scenario('event_banner', function () {
    $db = connect();
    foreach (all($db, 'SELECT id, title, capacity FROM events ORDER BY starts_at LIMIT 4') as $event) {
        all($db, 'SELECT sum(seats) FROM bookings WHERE event_id = ?', [$event['id']]);
    }
});

// What every request reads before it does anything.
scenario('site_settings', function () {
    $db = connect();
    $setting = $db->prepare('SELECT value FROM settings WHERE key = ?');
    foreach (['currency', 'time_zone', 'motto', 'terms_version', 'mail_from', 'loan_days', 'max_loans', 'max_holds'] as $key) {
        $setting->execute([$key]);
        $setting->fetchColumn();
    }
    all($db, 'SELECT id, title, starts_at FROM events WHERE starts_at > ? ORDER BY starts_at LIMIT 5', ['2025-06-01']);
});

// The rate is looked up for every fine although it is always the same.
scenario('fine_statement', function () {
    $db = connect();
    $asked = 0;
    $sum = 0.0;
    foreach (all($db, 'SELECT f.id, f.amount FROM fines f JOIN loans l ON l.id = f.loan_id WHERE f.paid_at IS NULL AND l.branch_id = ?', [5]) as $fine) {
        $rate = all($db, 'SELECT value FROM settings WHERE key = ?', ['fine_per_day'])[0]['value'];
        $asked++;
        $sum += round($fine['amount'] / $rate) * $rate;
    }
    expect_repeat('redundant-query', $asked);
});

// The school sends its pupils: upserts of fifty rows each.
scenario('pupil_import', function () {
    $db = connect();
    $pupils = array_map(fn ($i) => [350 + $i, "Pupil $i", 'junior', 1 + $i % 9], range(1, 400));
    $db->beginTransaction();
    foreach (array_chunk($pupils, 50) as $chunk) {
        $rows = implode(', ', array_fill(0, count($chunk), '(?, ?, ?, ?)'));
        all($db, "INSERT INTO patrons (id, name, kind, home_branch_id) VALUES $rows "
            . 'ON CONFLICT (id) DO UPDATE SET name = excluded.name', array_merge(...$chunk));
    }
    $db->commit();
});

// A test of renewing: savepoints around what must fail, and all is rolled back.
scenario('renewal_test', function () {
    $db = connect();
    $db->beginTransaction();
    foreach ([12, 18, 24, 30, 36, 42] as $step => $loan) {
        $db->exec("SAVEPOINT step_$step");
        try {
            $db->exec($step % 2 ? "UPDATE loans SET renewals = renewals + 1 WHERE id = $loan" : "UPDATE loans SET barcode = NULL WHERE id = $loan");
            $db->exec("RELEASE SAVEPOINT step_$step");
        } catch (PDOException) {
            $db->exec("ROLLBACK TO SAVEPOINT step_$step");
        }
    }
    assert(all($db, 'SELECT sum(renewals) FROM loans WHERE id <= 42')[0]['sum'] > 0);
    $db->rollBack();
});

main($argv, 'pdo_pgsql ' . phpversion('pdo_pgsql'));
