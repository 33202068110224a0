"""The tracker's pages with Pony, which loads what it guesses is wanted next."""

import uuid
from urllib.parse import unquote, urlsplit

import pony
from labels import URL, expect_loop, main, scenario
from pony.orm import Database, Optional, PrimaryKey, Required, Set, count, db_session, desc, exists, select

db = Database()


class Team(db.Entity):
    _table_ = "teams"
    id = PrimaryKey(int, size=64)
    name = Required(str)
    members = Set("Member")


class Member(db.Entity):
    _table_ = "members"
    id = PrimaryKey(int, size=64)
    handle = Required(str)
    team = Required(Team, column="team_id")
    reported = Set("Ticket")


class Ticket(db.Entity):
    _table_ = "tickets"
    id = PrimaryKey(int, size=64)
    title = Required(str)
    state = Required(str)
    points = Required(int)
    project_slug = Required(str)
    reporter = Required(Member, column="reporter_id")
    files = Set("Attached")


class Attached(db.Entity):
    _table_ = "files"
    id = PrimaryKey(uuid.UUID)
    name = Required(str)
    bytes = Required(int)
    ticket = Required(Ticket, column="ticket_id")


class Scan(db.Entity):
    _table_ = "scans"
    id = PrimaryKey(int, size=64)
    file_id = Required(uuid.UUID)
    verdict = Required(str)


class Project(db.Entity):
    _table_ = "projects"
    slug = PrimaryKey(str)
    title = Required(str)
    owner_id = Required(int, size=64)


class Job(db.Entity):
    _table_ = "jobs"
    id = PrimaryKey(int, size=64, auto=True)
    kind = Required(str)
    ticket_id = Required(int, size=64)
    state = Optional(str)


def page(body):
    def opened():
        address = urlsplit(URL)
        db.bind(
            provider="postgres",
            user=unquote(address.username or ""),
            password=unquote(address.password or ""),
            host=address.hostname,
            port=address.port,
            database=address.path.lstrip("/"),
        )
        db.generate_mapping(create_tables=False, check_tables=False)
        body()
        db.disconnect()

    opened.__name__ = body.__name__
    return scenario(opened)


def tickets(number=20):
    return Ticket.select().order_by(Ticket.id).limit(number)


@page
@db_session
def files_counted_per_ticket():
    rows = list(tickets(22))
    for row in rows:
        count(f for f in Attached if f.ticket == row)
    expect_loop("from tickets", "count(", len(rows))


@page
@db_session
def existence_per_member():
    rows = list(Member.select().order_by(desc(Member.handle)).limit(16))
    for row in rows:
        exists(t for t in Ticket if t.reporter == row and t.points > 6)
    expect_loop("from members", "from tickets", len(rows))


@page
@db_session
def projects_behind_the_identity_map():
    rows = list(tickets(70))
    for row in rows:
        Project[row.project_slug].title
    expect_loop("from tickets", "from projects", len({row.project_slug for row in rows}))


@page
@db_session
def scans_by_the_uuid_of_a_file():
    rows = list(select(f.id for f in Attached if f.bytes < 2500).order_by(1))
    for key in rows:
        Scan.get(file_id=key)
    expect_loop("from files", "from scans", len(rows))


@page
def a_session_per_job():
    with db_session:
        jobs = [(job.id, job.ticket_id) for job in Job.select().order_by(Job.id)]
    for key, ticket in jobs:
        with db_session:
            Ticket[ticket].title
    expect_loop("from jobs", "from tickets", len(jobs))


@page
@db_session
def reporters_that_it_guesses():
    # One statement for all reporters: the first attribute read loads the whole page's.
    for row in list(tickets(30)):
        row.reporter.handle


@page
@db_session
def prefetched():
    chosen = Ticket.select().order_by(Ticket.id).prefetch(Ticket.reporter, Member.team, Ticket.files)
    for row in chosen.limit(30):
        row.reporter.team.name, [attached.name for attached in row.files]


@page
@db_session
def pages():
    for number in range(1, 8):
        list(Ticket.select().order_by(Ticket.id).page(number, pagesize=12))


@page
def a_session_for_each_of_some_addresses():
    for key in (12, 150, 3, 77, 41, 9):
        with db_session:
            Ticket[key].title


@page
@db_session
def collections_that_it_guesses():
    # The first collection read loads those of the whole page.
    for row in list(tickets(20)):
        len(row.files)


@page
@db_session
def grouped():
    list(select((t.reporter.handle, count(t.files)) for t in Ticket))


@page
@db_session
def jobs_made():
    for number in range(15):
        Job(kind="mail", ticket_id=number, state="new")


main(f"pony {pony.__version__}, psycopg2")
