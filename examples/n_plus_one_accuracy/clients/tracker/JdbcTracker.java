import java.math.BigDecimal;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** The tracker's pages with JDBC: data access objects, row mappers, executors. */
final class JdbcTracker {
    private static final String TICKETS =
        "SELECT id, title, reporter_id, assignee_id, project_slug, state FROM tickets ORDER BY id LIMIT ?";
    private static final Labels LABELS = new Labels();

    record Ticket(long id, String title, long reporter, Long assignee, String project, String state) {}

    interface Work {
        void with(Connection connection) throws Exception;
    }

    interface Mapper<T> {
        T row(ResultSet rows) throws SQLException;
    }

    public static void main(String[] words) throws Exception {
        loops();
        moreLoops();
        clean();
        LABELS.main(words, "PostgreSQL JDBC " + new org.postgresql.Driver().getMajorVersion() + "."
            + new org.postgresql.Driver().getMinorVersion() + ", Java " + Runtime.version().feature());
    }

    private static void loops() {
        page("a member per ticket, over the prepare threshold", "", connection -> {
            List<Ticket> rows = tickets(connection, 24);
            try (PreparedStatement member = connection.prepareStatement("SELECT handle FROM members WHERE id = ?")) {
                for (Ticket row : rows) {
                    member.setLong(1, row.reporter());
                    member.executeQuery().close();
                }
            }
            LABELS.expectLoop("from tickets", "from members", rows.size());
        });
        page("a statement of its own per ticket", "", connection -> {
            List<Ticket> rows = tickets(connection, 18);
            for (Ticket row : rows) {
                query(connection, "SELECT title, owner_id FROM projects WHERE slug = ?", found -> found.getString(1), row.project());
            }
            LABELS.expectLoop("from tickets", "from projects", rows.size());
        });
        page("simple queries with a statement", "preferQueryMode=simple", connection -> {
            List<Ticket> rows = tickets(connection, 16);
            for (Ticket row : rows) {
                query(connection, "SELECT count(*) FROM files WHERE ticket_id = ?", found -> found.getLong(1), row.id());
            }
            LABELS.expectLoop("from tickets", "from files", rows.size());
        });
        page("mapped rows that ask while the list is read", "", connection -> {
            connection.setAutoCommit(false);
            int asked = 0;
            try (PreparedStatement list = connection.prepareStatement(TICKETS)) {
                list.setFetchSize(9);
                list.setInt(1, 41);
                ResultSet rows = list.executeQuery();
                while (rows.next()) {
                    query(connection, "SELECT handle FROM members WHERE id = ?", found -> found.getString(1), rows.getLong("reporter_id"));
                    asked += 1;
                }
            }
            connection.commit();
            LABELS.expectLoop("from tickets", "from members", asked);
        });
        page("an executor with a connection per task", "", connection -> {
            List<Ticket> rows = tickets(connection, 20);
            ExecutorService threads = Executors.newFixedThreadPool(3);
            List<Callable<List<Long>>> tasks = new ArrayList<>();
            for (Ticket row : rows) {
                tasks.add(() -> {
                    try (Connection own = connect("")) {
                        return query(own, "SELECT sum(bytes) FROM files WHERE ticket_id = ?", found -> found.getLong(1), row.id());
                    }
                });
            }
            for (Future<List<Long>> done : threads.invokeAll(tasks)) {
                done.get();
            }
            threads.shutdown();
            LABELS.expectLoop("from tickets", "from files", rows.size());
        });
        page("assignees by a numeric parameter, shuffled", "", connection -> {
            List<Ticket> rows = tickets(connection, 45);
            rows.removeIf(row -> row.assignee() == null || !row.state().equals("open"));
            Collections.sort(rows, Comparator.comparing(Ticket::title));
            for (Ticket row : rows) {
                query(connection, "SELECT handle FROM members WHERE id = ?", found -> found.getString(1), BigDecimal.valueOf(row.assignee()));
            }
            LABELS.expectLoop("from tickets", "from members", rows.size());
        });
    }

    private static void moreLoops() {
        page("pairs of keys", "", connection -> {
            List<Object[]> rows = query(connection, "SELECT member_id, day FROM entries ORDER BY id DESC LIMIT ?",
                found -> new Object[] {found.getLong(1), found.getDate(2)}, 26);
            for (Object[] row : rows) {
                query(connection, "SELECT hours FROM shifts WHERE member_id = ? AND day = ?", found -> found.getInt(1), row);
            }
            LABELS.expectLoop("from entries", "from shifts", rows.size());
        });
        page("uuids through two levels", "", connection -> {
            List<Ticket> rows = tickets(connection, 17);
            int asked = 0;
            for (Ticket row : rows) {
                List<UUID> files = query(connection, "SELECT id FROM files WHERE ticket_id = ? ORDER BY bytes",
                    found -> found.getObject(1, UUID.class), row.id());
                for (UUID file : files) {
                    query(connection, "SELECT verdict FROM scans WHERE file_id = ?", found -> found.getString(1), file);
                    asked += 1;
                }
            }
            LABELS.expectLoop("from tickets", "from files", rows.size());
            LABELS.expectLoop("from files", "from scans", asked);
        });
        page("a first-level cache of a session", "", connection -> {
            Map<Long, String> known = new HashMap<>();
            for (Ticket row : tickets(connection, 80)) {
                if (!known.containsKey(row.reporter())) {
                    known.put(row.reporter(), query(connection, "SELECT handle FROM members WHERE id = ?",
                        found -> found.getString(1), row.reporter()).get(0));
                }
            }
            LABELS.expectLoop("from tickets", "from members", known.size());
        });
        page("a transaction per job of a batch", "", connection -> {
            List<long[]> jobs = query(connection, "SELECT id, ticket_id FROM jobs WHERE state = ? ORDER BY id",
                found -> new long[] {found.getLong(1), found.getLong(2)}, "queued");
            connection.setAutoCommit(false);
            for (long[] job : jobs) {
                query(connection, "SELECT title FROM tickets WHERE id = ? FOR UPDATE", found -> found.getString(1), job[1]);
                update(connection, "UPDATE jobs SET state = 'done' WHERE id = ?", job[0]);
                connection.commit();
            }
            LABELS.expectLoop("from jobs", "from tickets", jobs.size());
        });
        page("requests over a pool of three", "", connection -> {
            ExecutorService threads = Executors.newFixedThreadPool(3);
            List<Future<Integer>> done = new ArrayList<>();
            for (int number = 0; number < 7; number += 1) {
                int offset = number * 25;
                done.add(threads.submit(() -> {
                    try (Connection own = connect("")) {
                        List<Long> reporters = query(own, "SELECT id, reporter_id FROM tickets ORDER BY id LIMIT 8 OFFSET ?",
                            found -> found.getLong(2), offset);
                        for (long reporter : reporters) {
                            query(own, "SELECT handle FROM members WHERE id = ?", found -> found.getString(1), reporter);
                        }
                        return reporters.size();
                    }
                }));
            }
            for (Future<Integer> request : done) {
                LABELS.expectLoop("from tickets", "from members", request.get());
            }
            threads.shutdown();
        });
        page("a chain of rows, as an eager mapping selects it", "", connection -> {
            List<Ticket> rows = tickets(connection, 21);
            for (Ticket row : rows) {
                long owner = query(connection, "select p1_0.slug, p1_0.title, p1_0.owner_id from projects p1_0 where p1_0.slug=?",
                    found -> found.getLong(3), row.project()).get(0);
                long team = query(connection, "select m1_0.id, m1_0.handle, m1_0.team_id from members m1_0 where m1_0.id=?",
                    found -> found.getLong(3), owner).get(0);
                query(connection, "select t1_0.id, t1_0.name from teams t1_0 where t1_0.id=?", found -> found.getLong(1), team);
            }
            LABELS.expectLoop("from tickets", "from projects", rows.size());
            LABELS.expectLoop("from projects", "from members", rows.size());
            LABELS.expectLoop("from members", "from teams", rows.size());
        });
        page("six thousand readings", "", connection -> {
            List<Integer> probes = query(connection, "SELECT probe_id FROM readings WHERE id <= ? ORDER BY level DESC",
                found -> found.getInt(1), 6000);
            for (int probe : probes) {
                query(connection, "SELECT place FROM probes WHERE id = ?", found -> found.getString(1), probe);
            }
            LABELS.expectLoop("from readings", "from probes", probes.size());
        });
    }

    private static void clean() {
        page("an array of keys", "", connection -> {
            Set<Long> keys = new HashSet<>();
            tickets(connection, 70).forEach(row -> keys.add(row.reporter()));
            query(connection, "SELECT id, handle FROM members WHERE id = ANY (?)", found -> found.getString(2),
                connection.createArrayOf("bigint", keys.toArray()));
        });
        page("keys fetched in padded batches", "", connection -> {
            List<Ticket> rows = tickets(connection, 48);
            for (int at = 0; at < 48; at += 8) {
                Object[] keys = rows.subList(at, at + 8).stream().map(Ticket::reporter).toArray();
                query(connection, "select m1_0.id, m1_0.handle from members m1_0 where m1_0.id in (?,?,?,?,?,?,?,?)",
                    found -> found.getString(2), keys);
            }
        });
        page("batches of inserts", "reWriteBatchedInserts=true", connection -> {
            try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO options (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")) {
                for (int number = 0; number < 64; number += 1) {
                    insert.setString(1, "option_" + number);
                    insert.setString(2, "x");
                    insert.addBatch();
                }
                insert.executeBatch();
            }
        });
        page("versions checked by a batch of updates", "", connection -> {
            List<Ticket> rows = tickets(connection, 20);
            connection.setAutoCommit(false);
            try (PreparedStatement update = connection.prepareStatement(
                "update tickets set points=? where id=? and points<?")) {
                for (Ticket row : rows) {
                    update.setInt(1, 9);
                    update.setLong(2, row.id());
                    update.setInt(3, 9);
                    update.addBatch();
                }
                update.executeBatch();
            }
            connection.commit();
        });
        page("numbers in blocks from a sequence", "", connection -> {
            for (int number = 0; number < 7; number += 1) {
                query(connection, "select nextval(?)", found -> found.getLong(1), "receipt_numbers");
            }
        });
        page("twelve requests with offsets of their own", "", connection -> {
            for (int number = 0; number < 12; number += 1) {
                try (Connection own = connect("")) {
                    query(own, "SELECT id, title FROM tickets ORDER BY id LIMIT 10 OFFSET ?", found -> found.getLong(1), number * 10);
                }
            }
        });
        page("metadata of all tables", "", connection -> {
            for (String table : List.of("tickets", "members", "files", "labels", "projects", "teams")) {
                try (ResultSet columns = connection.getMetaData().getColumns(null, "public", table, null)) {
                    while (columns.next()) {
                        columns.getString("COLUMN_NAME");
                    }
                }
                connection.getMetaData().getPrimaryKeys(null, "public", table).close();
            }
        });
        page("a pool that checks its connections", "", connection -> {
            for (int number = 0; number < 10; number += 1) {
                connection.isValid(2);
                update(connection, "UPDATE options SET value = ? WHERE name = 'option_2'", "v" + number);
            }
        });
        page("a migration tool", "", connection -> {
            Set<String> applied = new HashSet<>(query(connection,
                "SELECT version FROM migrations WHERE version > ? ORDER BY version", found -> found.getString(1), ""));
            connection.setAutoCommit(false);
            for (int number = 1; number <= 11; number += 1) {
                String version = "202503" + String.format("%02d", number);
                if (applied.add(version)) {
                    try (Statement step = connection.createStatement()) {
                        step.execute("CREATE TABLE step_" + number + " (id bigint)");
                    }
                    update(connection, "INSERT INTO migrations (version) VALUES (?)", version);
                    connection.commit();
                }
            }
        });
        page("a scroll through pages by key", "", connection -> {
            long last = 0;
            for (int number = 0; number < 8; number += 1) {
                List<Long> keys = query(connection, "SELECT id FROM tickets WHERE id > ? ORDER BY id LIMIT 20", found -> found.getLong(1), last);
                last = keys.get(keys.size() - 1);
            }
        });
    }

    private static void page(String name, String options, Work work) {
        LABELS.scenario(name, () -> {
            try (Connection connection = connect(options)) {
                work.with(connection);
            }
        });
    }

    private static Connection connect(String options) throws SQLException {
        URI address = URI.create(System.getenv("DATABASE_URL"));
        String[] user = (address.getRawUserInfo() + ":").split(":", -1);
        String url = "jdbc:postgresql://" + address.getHost() + ":" + address.getPort() + address.getRawPath() + "?" + options;
        return DriverManager.getConnection(url, decoded(user[0]), decoded(user[1]));
    }

    private static String decoded(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }

    private static List<Ticket> tickets(Connection connection, int count) throws SQLException {
        return query(connection, TICKETS, rows -> new Ticket(rows.getLong(1), rows.getString(2), rows.getLong(3),
            (Long) rows.getObject(4), rows.getString(5), rows.getString(6)), count);
    }

    private static <T> List<T> query(Connection connection, String text, Mapper<T> mapper, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            for (int at = 0; at < values.length; at += 1) {
                statement.setObject(at + 1, values[at]);
            }
            List<T> mapped = new ArrayList<>();
            ResultSet rows = statement.executeQuery();
            while (rows.next()) {
                mapped.add(mapper.row(rows));
            }
            return mapped;
        }
    }

    private static void update(Connection connection, String text, Object value) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            statement.setObject(1, value);
            statement.executeUpdate();
        }
    }
}
