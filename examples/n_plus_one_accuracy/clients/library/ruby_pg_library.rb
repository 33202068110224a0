# Nightly jobs of a city library, on the plain pg gem.
require "pg"
require_relative "../labels"

def connect = PG.connect(Labels::URL)

# Cards that run out: each patron's fines decide whether the card is renewed.
Labels.scenario("card_renewal") do
  db = connect
  fines = 0
  db.exec_params("SELECT number, patron_id FROM cards WHERE issued_on < $1 AND blocked_at IS NULL ORDER BY issued_on, number", ["2019-07-01"]).each do |card|
    owed = db.exec_params("SELECT coalesce(sum(f.amount), 0) FROM fines f JOIN loans l ON l.id = f.loan_id WHERE l.patron_id = $1 AND f.paid_at IS NULL",
                          [card["patron_id"]]).getvalue(0, 0)
    fines += 1
    card["renewable"] = owed.to_f < 15
  end
  Labels.expect_loop("from cards where issued_on", "from fines f join loans", fines)
end

# The coming events and who hosts each; hosts are remembered.
Labels.scenario("event_hosts") do
  db = connect
  asked = 0
  hosts = {}
  events = db.exec("SELECT id, title, host_id FROM events WHERE starts_at < '2025-07-20' AND host_id IS NOT NULL ORDER BY starts_at")
  db.prepare("host", "SELECT name, email FROM staff WHERE id = $1")
  events.each do |event|
    hosts[event["host_id"]] ||= begin
      asked += 1
      db.exec_prepared("host", [event["host_id"]]).first
    end
  end
  Labels.expect_loop("from events where starts_at", "from staff where id", asked)
end

# What the staff did since spring, and where each of them works.
Labels.scenario("staff_report") do
  db = connect
  notes = branches = 0
  db.exec("SELECT id, name, branch_id FROM staff ORDER BY name").each do |person|
    db.exec_params("SELECT count(*), max(created_at) FROM notes WHERE staff_id = $1 AND created_at >= $2", [person["id"], "2025-03-10"])
    notes += 1
    next if person["branch_id"].nil?
    db.exec_params("SELECT name FROM branches WHERE id = $1", [person["branch_id"]])
    branches += 1
  end
  Labels.expect_loop("from staff order by name", "from notes where staff_id", notes)
  Labels.expect_loop("from staff order by name", "from branches where id", branches)
end

# Rows come one at a time while another connection looks up what they mean.
Labels.scenario("loan_stream") do
  reading, lookups = connect, connect
  asked = 0
  reading.send_query_params("SELECT id, barcode, patron_id FROM loans WHERE branch_id = $1 AND lent_on >= $2 ORDER BY id", [4, "2025-03-01"])
  reading.set_single_row_mode
  reading.get_result.stream_each do |loan|
    lookups.exec_params("SELECT edition_id, price FROM copies WHERE barcode = $1", [loan["barcode"]]).first
    asked += 1
  end
  Labels.expect_loop("from loans where branch_id", "from copies where barcode", asked)
end

# The search index is fed: works by keyset, and what belongs to each page in one statement.
Labels.scenario("search_index") do
  db = connect
  last = 0
  loop do
    works = db.exec_params("SELECT id, title FROM works WHERE id > $1 ORDER BY id LIMIT 50", [last]).to_a
    break if works.empty?
    ids = PG::TextEncoder::Array.new.encode(works.map { |work| work["id"] })
    db.exec_params("SELECT work_id, array_agg(isbn) FROM editions WHERE work_id = ANY ($1::int[]) GROUP BY work_id", [ids]).to_a
    last = works.last["id"]
  end
end

# Before the night's work: is the database there, and still there?
Labels.scenario("watchdog") do
  db = connect
  10.times do
    db.exec("SELECT 1")
    db.exec("SELECT pg_is_in_recovery()")
    sleep 0.02
  end
  db.exec("SELECT relname, n_live_tup FROM pg_stat_user_tables ORDER BY relname").to_a
end

# Payments of the cash desk are copied in, then settled at once.
Labels.scenario("cash_desk") do
  db = connect
  db.transaction do
    db.copy_data("COPY journal (action, reference, amount) FROM STDIN") do
      150.times { |i| db.put_copy_data("payment\tfine #{i * 3 + 3}\t#{'%.2f' % (i * 0.2)}\n") }
    end
    db.exec("UPDATE fines SET paid_at = now() FROM journal j WHERE j.reference = 'fine ' || fines.id AND fines.paid_at IS NULL")
  end
end

# Branch managers' letters: for each branch its rarest topics, and for each of those the works.
Labels.scenario("collection_letter") do
  db = connect
  topics = works = 0
  db.exec("SELECT id, name FROM branches WHERE city = 'Ambleford' ORDER BY name").each do |branch|
    rare = db.exec_params(<<~SQL, [branch["id"]])
      SELECT w.subject_id, count(*) AS copies
      FROM copies c JOIN editions e ON e.id = c.edition_id JOIN works w ON w.id = e.work_id
      WHERE c.branch_id = $1 GROUP BY w.subject_id ORDER BY copies, w.subject_id LIMIT 6
    SQL
    topics += 1
    rare.each do |row|
      db.exec_params("SELECT title FROM works WHERE subject_id = $1 ORDER BY title", [row["subject_id"]]).to_a
      works += 1
    end
  end
  Labels.expect_loop("from branches where city", "from copies c join editions", topics)
  Labels.expect_loop("from copies c join editions", "from works where subject_id", works)
end

Labels.main("pg #{PG::VERSION}")
