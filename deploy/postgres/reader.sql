-- The role that Grafana reads with: it sees the tables that the first export
-- makes, and changes nothing.
CREATE ROLE plimsoll_reader LOGIN PASSWORD 'plimsoll_reader';
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO plimsoll_reader;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO plimsoll_reader;
