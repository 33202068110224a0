import java.net.URI;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.LocalDate;
import java.time.YearMonth;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** The back office of a city library, on plain JDBC. */
public final class JdbcLibrary {
    private static final Labels LABELS = new Labels();

    private static Connection connect() throws SQLException {
        URI address = URI.create(System.getenv("DATABASE_URL"));
        Properties properties = new Properties();
        String[] who = address.getUserInfo().split(":", 2);
        properties.setProperty("user", who[0]);
        if (who.length == 2) {
            properties.setProperty("password", who[1]);
        }
        properties.setProperty("sslmode", "disable");
        int port = address.getPort() < 0 ? 5432 : address.getPort();
        return DriverManager.getConnection(
                "jdbc:postgresql://" + address.getHost() + ":" + port + address.getPath(), properties);
    }

    interface Read<T> {
        T row(ResultSet row) throws SQLException;
    }

    private static <T> List<T> query(Connection db, String sql, Read<T> read, Object... values) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            List<T> found = new ArrayList<>();
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    found.add(read.row(rows));
                }
            }
            return found;
        }
    }

    private static int update(Connection db, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            return statement.executeUpdate();
        }
    }

    /** A handful of connections, lent to whoever asks first. */
    private static final class Pool implements AutoCloseable {
        private final BlockingQueue<Connection> idle;

        Pool(int size) throws SQLException {
            idle = new ArrayBlockingQueue<>(size);
            for (int i = 0; i < size; i++) {
                idle.add(connect());
            }
        }

        interface Use<T> {
            T with(Connection db) throws SQLException;
        }

        <T> T borrow(Use<T> use) throws SQLException, InterruptedException {
            Connection db = idle.take();
            try {
                return use.with(db);
            } finally {
                idle.add(db);
            }
        }

        @Override
        public void close() throws SQLException {
            for (Connection db : idle) {
                db.close();
            }
        }
    }

    record Branch(int id, String name) {}

    /** The dashboard shows, for each branch, what is overdue and what comes next. */
    private static void branchDashboard() throws SQLException {
        int counts = 0;
        int next = 0;
        try (Connection db = connect()) {
            List<Branch> branches = query(db, "SELECT id, name FROM branches ORDER BY name",
                    row -> new Branch(row.getInt("id"), row.getString("name")));
            for (Branch branch : branches) {
                query(db, "SELECT count(*) FROM loans WHERE branch_id = ? AND returned_on IS NULL AND due_on < ?",
                        row -> row.getLong(1), branch.id(), Date.valueOf("2025-06-01"));
                counts++;
                query(db, "SELECT title, starts_at FROM events WHERE branch_id = ? ORDER BY starts_at LIMIT 1",
                        row -> row.getString("title"), branch.id());
                next++;
            }
        }
        LABELS.expectLoop("from branches order by name", "from loans where branch_id =", counts);
        LABELS.expectLoop("from branches order by name", "from events where branch_id =", next);
    }

    record Overdue(long id, int patron, String barcode) {}

    /** Letters for overdue loans are written by four workers, each with a connection of the pool. */
    private static void overdueLetters() throws Exception {
        AtomicInteger patrons = new AtomicInteger();
        AtomicInteger titles = new AtomicInteger();
        ExecutorService workers = Executors.newFixedThreadPool(4);
        try (Pool pool = new Pool(4)) {
            List<Overdue> overdue = pool.borrow(db -> query(db,
                    "SELECT id, patron_id, barcode FROM loans WHERE returned_on IS NULL AND due_on < ? ORDER BY due_on, id LIMIT 60",
                    row -> new Overdue(row.getLong(1), row.getInt(2), row.getString(3)), Date.valueOf("2025-01-01")));
            List<Callable<String>> letters = new ArrayList<>();
            for (Overdue loan : overdue) {
                letters.add(() -> {
                    String name = pool.borrow(db -> {
                        patrons.incrementAndGet();
                        return query(db, "SELECT name, email FROM patrons WHERE id = ?",
                                row -> row.getString("name"), loan.patron()).get(0);
                    });
                    String title = pool.borrow(db -> {
                        titles.incrementAndGet();
                        return query(db, "SELECT w.title FROM copies c JOIN editions e ON e.id = c.edition_id "
                                + "JOIN works w ON w.id = e.work_id WHERE c.barcode = ?",
                                row -> row.getString(1), loan.barcode()).get(0);
                    });
                    return "Dear " + name + ", please bring back " + title;
                });
            }
            for (Future<String> letter : workers.invokeAll(letters)) {
                letter.get();
            }
        } finally {
            workers.shutdown();
        }
        LABELS.expectLoop("from loans where returned_on is null", "from patrons where id", patrons.get());
        LABELS.expectLoop("from loans where returned_on is null", "from copies c join editions", titles.get());
    }

    /** The export reads copies through a cursor; editions it has seen are kept. */
    private static void copyExport() throws SQLException {
        int asked = 0;
        StringBuilder csv = new StringBuilder();
        Map<Integer, String> isbns = new HashMap<>();
        try (Connection reading = connect(); Connection lookups = connect()) {
            reading.setAutoCommit(false);
            try (PreparedStatement copies = reading.prepareStatement(
                    "SELECT barcode, edition_id, status FROM copies WHERE branch_id = ? ORDER BY edition_id, barcode")) {
                copies.setFetchSize(50);
                copies.setInt(1, 3);
                try (ResultSet rows = copies.executeQuery()) {
                    while (rows.next()) {
                        int edition = rows.getInt("edition_id");
                        if (!isbns.containsKey(edition)) {
                            asked++;
                            isbns.put(edition, query(lookups, "SELECT isbn FROM editions WHERE id = ?",
                                    row -> row.getString(1), edition).get(0));
                        }
                        csv.append(rows.getString(1)).append(';').append(isbns.get(edition)).append('\n');
                    }
                }
            }
            reading.commit();
        }
        LABELS.expectLoop("from copies where branch_id", "select isbn from editions", asked);
    }

    /** How many works each class of a division has; the numbers are written into the statements. */
    private static void divisionOverview() throws SQLException {
        int asked = 0;
        try (Connection db = connect(); var classes = db.createStatement(); var counts = db.createStatement()) {
            try (ResultSet rows = classes.executeQuery("SELECT id, name FROM subjects WHERE parent_id = 2 ORDER BY name")) {
                while (rows.next()) {
                    asked++;
                    try (ResultSet count = counts.executeQuery("SELECT count(*) FROM works w JOIN subjects topic "
                            + "ON topic.id = w.subject_id WHERE topic.parent_id = " + rows.getInt("id"))) {
                        count.next();
                    }
                }
            }
        }
        LABELS.expectLoop("select id, name from subjects", "from works w join subjects topic", asked);
    }

    record Guest(int patron, int seats) {}

    /** Each coming event with its guests, and each guest's name. */
    private static void eventProgramme() throws SQLException {
        int lists = 0;
        int names = 0;
        try (Connection db = connect()) {
            List<Integer> events = query(db, "SELECT id, title FROM events WHERE starts_at < ? ORDER BY starts_at",
                    row -> row.getInt("id"), java.sql.Timestamp.valueOf("2025-06-15 00:00:00"));
            for (int event : events) {
                List<Guest> guests = query(db, "SELECT patron_id, seats FROM bookings WHERE event_id = ? ORDER BY booked_at",
                        row -> new Guest(row.getInt(1), row.getInt(2)), event);
                lists++;
                for (Guest guest : guests) {
                    query(db, "SELECT name FROM patrons WHERE id = ?", row -> row.getString(1), guest.patron());
                    names++;
                }
            }
        }
        LABELS.expectLoop("from events where starts_at", "from bookings where event_id", lists);
        LABELS.expectLoop("from bookings where event_id", "select name from patrons", names);
    }

    /** A result page, then what belongs to all its works at once. */
    private static void searchPage() throws SQLException {
        try (Connection db = connect()) {
            for (int after = 0, page = 0; page < 6; page++) {
                List<Integer> works = query(db, "SELECT id, title FROM works WHERE id > ? ORDER BY id LIMIT 20",
                        row -> row.getInt(1), after);
                Object ids = db.createArrayOf("integer", works.toArray());
                query(db, "SELECT id, work_id, isbn FROM editions WHERE work_id = ANY (?)", row -> row.getString(3), ids);
                query(db, "SELECT s.work_id, a.name FROM authorships s JOIN authors a ON a.id = s.author_id "
                        + "WHERE s.work_id = ANY (?) ORDER BY s.work_id, s.position", row -> row.getString(2), ids);
                after = works.get(works.size() - 1);
            }
        }
    }

    /** Loans of each month of a year, whichever branches there are. */
    private static void yearlyReport() throws SQLException {
        try (Connection db = connect()) {
            query(db, "SELECT id, code FROM branches WHERE closed_on IS NULL", row -> row.getString("code"));
            YearMonth month = YearMonth.of(2024, 1);
            for (int i = 0; i < 12; i++, month = month.plusMonths(1)) {
                query(db, "SELECT branch_id, count(*) FROM loans WHERE lent_on >= ? AND lent_on < ? GROUP BY branch_id",
                        row -> row.getLong(2), month.atDay(1), month.plusMonths(1).atDay(1));
            }
        }
    }

    record Delivered(String barcode, int edition, int branch, int shelf, LocalDate on) {}

    /** New copies of a delivery, one statement each within one transaction. */
    private static void deliveryImport() throws SQLException {
        int inserted = 0;
        List<Delivered> delivery = new ArrayList<>();
        for (int i = 0; i < 80; i++) {
            delivery.add(new Delivered(String.format("N%06d", i), 500 + i * 3, 1 + i % 9, 1 + i % 12, LocalDate.of(2025, 6, 2)));
        }
        try (Connection db = connect()) {
            db.setAutoCommit(false);
            for (Delivered copy : delivery) {
                update(db, "INSERT INTO copies (barcode, edition_id, branch_id, shelf_number, acquired_on) VALUES (?, ?, ?, ?, ?)",
                        copy.barcode(), copy.edition(), copy.branch(), copy.shelf(), copy.on());
                inserted++;
            }
            db.commit();
        }
        LABELS.expectRepeat("row-by-row-writes", inserted);
    }

    record Shelf(int branch, int number, String label) {}

    /** A stock-take walks along a branch's shelves, two at a time. */
    private static void stockTake() throws Exception {
        AtomicInteger shelves = new AtomicInteger();
        AtomicInteger acquired = new AtomicInteger();
        ExecutorService hands = Executors.newFixedThreadPool(2);
        try (Pool pool = new Pool(3)) {
            List<Shelf> all = pool.borrow(db -> query(db,
                    "SELECT branch_id, number, label FROM shelves WHERE branch_id IN (2, 5) ORDER BY branch_id, number",
                    row -> new Shelf(row.getInt(1), row.getInt(2), row.getString(3))));
            List<Future<Integer>> counts = new ArrayList<>();
            for (Shelf shelf : all) {
                counts.add(hands.submit(() -> pool.borrow(db -> {
                    shelves.incrementAndGet();
                    return query(db, "SELECT barcode FROM copies WHERE branch_id = ? AND shelf_number = ? AND status <> 'lent'",
                            row -> row.getString(1), shelf.branch(), shelf.number()).size();
                })));
                counts.add(hands.submit(() -> pool.borrow(db -> {
                    acquired.incrementAndGet();
                    return query(db, "SELECT max(acquired_on) FROM copies WHERE branch_id = ? AND shelf_number = ?",
                            row -> row.getDate(1), shelf.branch(), shelf.number()).size();
                })));
            }
            for (Future<Integer> count : counts) {
                count.get();
            }
        } finally {
            hands.shutdown();
        }
        LABELS.expectLoop("from shelves where branch_id in", "select barcode from copies", shelves.get());
        LABELS.expectLoop("from shelves where branch_id in", "select max(acquired_on) from copies", acquired.get());
    }

    /** Two clerks lend the last copy: a serialization failure, and the same again. */
    private static void lendingRetry() throws SQLException {
        try (Connection db = connect(); Connection other = connect()) {
            for (int attempt = 1; ; attempt++) {
                db.setAutoCommit(false);
                db.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
                try {
                    query(db, "SELECT status FROM copies WHERE barcode = ?", row -> row.getString(1), "C000042");
                    query(db, "SELECT count(*) FROM loans WHERE patron_id = ? AND returned_on IS NULL", row -> row.getInt(1), 17);
                    if (attempt < 6) {
                        update(other, "UPDATE copies SET status = ? WHERE barcode = ?", attempt % 2 == 0 ? "available" : "repair", "C000042");
                    }
                    update(db, "UPDATE copies SET status = 'lent' WHERE barcode = ?", "C000042");
                    update(db, "INSERT INTO loans (barcode, patron_id, branch_id, lent_on, due_on) VALUES (?, 17, 7, ?, ?)",
                            "C000042", LocalDate.of(2025, 6, 1), LocalDate.of(2025, 6, 29));
                    db.commit();
                    return;
                } catch (SQLException e) {
                    db.rollback();
                    if (!"40001".equals(e.getSQLState())) {
                        throw e;
                    }
                }
            }
        }
    }

    public static void main(String[] words) throws Exception {
        LABELS.scenario("branch_dashboard", JdbcLibrary::branchDashboard);
        LABELS.scenario("overdue_letters", JdbcLibrary::overdueLetters);
        LABELS.scenario("copy_export", JdbcLibrary::copyExport);
        LABELS.scenario("event_programme", JdbcLibrary::eventProgramme);
        LABELS.scenario("division_overview", JdbcLibrary::divisionOverview);
        LABELS.scenario("search_page", JdbcLibrary::searchPage);
        LABELS.scenario("yearly_report", JdbcLibrary::yearlyReport);
        LABELS.scenario("delivery_import", JdbcLibrary::deliveryImport);
        LABELS.scenario("stock_take", JdbcLibrary::stockTake);
        LABELS.scenario("lending_retry", JdbcLibrary::lendingRetry);
        LABELS.main(words, "postgresql-jdbc " + org.postgresql.Driver.class.getPackage().getImplementationVersion());
    }
}
