// Run with: plimsoll n-plus-one --findings -- mvn -q test

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;

class ListingTest {
    private Connection connection;

    @BeforeEach
    void scope(TestInfo test) throws SQLException {
        URI url = URI.create(System.getenv("DATABASE_URL"));
        String[] login = url.getUserInfo().split(":", 2);
        connection = DriverManager.getConnection(
            "jdbc:postgresql://" + url.getHost() + ":" + url.getPort() + url.getPath(), login[0], login[1]);
        execute("CREATE TEMP TABLE users AS SELECT n AS id, 'user ' || n AS name FROM generate_series(101, 120) n");
        execute("CREATE TEMP TABLE orders AS SELECT n AS id, 101 + n * 7 % 20 AS user_id FROM generate_series(1, 12) n");
        execute("SET plimsoll.scope = '" + test.getDisplayName().replace("'", "''") + "'");
    }

    @AfterEach
    void close() throws SQLException {
        connection.close();
    }

    @Test
    void aLoopIsFoundWhileTheTestRuns() throws SQLException {
        execute("SET plimsoll.max_statements = 5");
        List<Integer> users = new ArrayList<>();
        try (Statement statement = connection.createStatement();
             ResultSet rows = statement.executeQuery("SELECT id, user_id FROM orders ORDER BY id")) {
            while (rows.next()) {
                users.add(rows.getInt(2));
            }
        }
        // More than five times, after which the driver prepares what it is asked.
        try (PreparedStatement byId = connection.prepareStatement("SELECT id, name FROM users WHERE id = ?")) {
            for (int user : users) {
                byId.setInt(1, user);
                byId.executeQuery().close();
            }
        }
        String found = findings();
        assertTrue(found.contains("\"n-plus-one\""), found);
        assertTrue(found.contains("\"too-many-statements\""), found);
    }

    @Test
    void aJoinIsNot() throws SQLException {
        try (Statement statement = connection.createStatement();
             ResultSet rows = statement.executeQuery("SELECT orders.id, name FROM orders JOIN users ON users.id = user_id")) {
            assertTrue(rows.next());
        }
        assertFalse(findings().contains("\"severity\":\"failure\""));
        assertEquals("[]", findings());
    }

    /** What Plimsoll found so far in this test; nothing without its recorder. */
    private String findings() throws SQLException {
        try (Statement statement = connection.createStatement();
             ResultSet row = statement.executeQuery("SHOW plimsoll.findings")) {
            row.next();
            return row.getString(1);
        } catch (SQLException error) {
            if ("42704".equals(error.getSQLState())) {
                return "[]";
            }
            throw error;
        }
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }
}
