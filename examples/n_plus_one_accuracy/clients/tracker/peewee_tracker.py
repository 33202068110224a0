"""The tracker's pages with peewee."""

import os

import peewee
from labels import expect_loop, expect_repeat, main, scenario
from peewee import BigIntegerField, CharField, CompositeKey, DateField, ForeignKeyField, IntegerField, TextField, UUIDField, fn
from playhouse.db_url import connect

db = connect(os.environ.get("DATABASE_URL", "postgresql://nobody@localhost:1/none"))


class Table(peewee.Model):
    class Meta:
        database = db


class Team(Table):
    name = TextField()

    class Meta:
        table_name = "teams"


class Member(Table):
    handle = TextField()
    team = ForeignKeyField(Team, backref="members")

    class Meta:
        table_name = "members"


class Project(Table):
    slug = CharField(primary_key=True)
    title = TextField()
    owner = ForeignKeyField(Member)

    class Meta:
        table_name = "projects"


class Ticket(Table):
    project = ForeignKeyField(Project, column_name="project_slug")
    reporter = ForeignKeyField(Member, backref="reported")
    assignee = ForeignKeyField(Member, null=True, backref="assigned")
    title = TextField()
    state = TextField()
    points = IntegerField()

    class Meta:
        table_name = "tickets"


class Label(Table):
    name = TextField()

    class Meta:
        table_name = "labels"


class TicketLabel(Table):
    ticket = ForeignKeyField(Ticket, backref="tagged")
    label = ForeignKeyField(Label)

    class Meta:
        table_name = "ticket_labels"
        primary_key = CompositeKey("ticket", "label")


class Attached(Table):
    id = UUIDField(primary_key=True)
    ticket = ForeignKeyField(Ticket, backref="files")
    name = TextField()

    class Meta:
        table_name = "files"


class Shift(Table):
    member_id = BigIntegerField()
    day = DateField()
    hours = IntegerField()

    class Meta:
        table_name = "shifts"
        primary_key = CompositeKey("member_id", "day")


class Entry(Table):
    member_id = BigIntegerField()
    day = DateField()

    class Meta:
        table_name = "entries"


class Option(Table):
    name = CharField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "options"


def tickets(count=20):
    return Ticket.select().order_by(Ticket.id).limit(count)


@scenario
def reporters_in_a_template():
    rows = list(tickets(24))
    "".join(f"<li>{row.title} by {row.reporter.handle}</li>" for row in rows)
    expect_loop("from tickets", "from members", len(rows))


@scenario
def reporters_and_assignees_in_a_template():
    # Both columns of a ticket lead to members, so one list feeds both.
    rows, asked = list(tickets(20)), 0
    for row in rows:
        row.reporter.handle
        asked += 1
        if row.assignee:
            asked += 1
    expect_loop("from tickets", "from members", asked)


@scenario
def teams_of_reporters():
    rows = list(tickets(19))
    for row in rows:
        row.reporter.team.name
    expect_loop("from tickets", "from members", len(rows))
    expect_loop("from members", "from teams", len(rows))


@scenario
def files_counted_while_iterating():
    asked = 0
    for row in tickets(26).iterator():
        row.files.count()
        asked += 1
    expect_loop("from tickets", "from files", asked)


@scenario
def labels_through_the_table_between():
    rows = list(tickets(15))
    for row in rows:
        list(Label.select().join(TicketLabel).where(TicketLabel.ticket == row))
    expect_loop("from tickets", "from labels", len(rows))


@scenario
def a_pair_of_keys_per_entry():
    rows = list(Entry.select().order_by(Entry.id).limit(18))
    for row in rows:
        Shift.get_or_none(Shift.member_id == row.member_id, Shift.day == row.day)
    expect_loop("from entries", "from shifts", len(rows))


@scenario
def members_of_teams_that_exist():
    teams = list(Team.select().order_by(Team.name))
    for team in teams:
        Member.select().where(Member.team == team, Member.handle.startswith("member-1")).exists()
    expect_loop("from teams", "from members", len(teams))


@scenario
def a_transaction_per_ticket_saved():
    rows = list(tickets(11))
    for row in rows:
        with db.atomic():
            fresh = Ticket.get_by_id(row.id)
            fresh.points += 1
            fresh.save(only=[Ticket.points])
    expect_loop("from tickets", "from tickets", len(rows))


@scenario
def imported_handle_by_handle():
    handles = [f"guest-{number}" for number in range(14)]
    for handle in handles:
        if Member.get_or_none(Member.handle == handle) is None:
            Member.create(handle=handle, team=1)
    expect_repeat("repeated-query-without-visible-parent", len(handles))


@scenario
def two_pages_of_a_list_and_their_reporters():
    for page in (3, 4):
        rows = list(Ticket.select().order_by(Ticket.title).paginate(page, 12))
        for row in rows:
            row.reporter.handle
        expect_loop("from tickets", "from members", len(rows))


@scenario
def owners_of_projects_and_their_teams():
    # Three levels down, each row asking for the next.
    rows = list(Ticket.select().where(Ticket.points == 4).order_by(Ticket.id).limit(14))
    for row in rows:
        row.project.owner.team.name
    expect_loop("from tickets", "from projects", len(rows))
    expect_loop("from projects", "from members", len(rows))
    expect_loop("from members", "from teams", len(rows))


@scenario
def details_of_tickets_that_a_browser_asks_for():
    # The numbers are in the addresses; every page asks once for each thing.
    for key in (31, 88, 12, 140, 7, 203, 66, 19):
        row = Ticket.get_by_id(key)
        row.reporter.handle
        list(row.files)


@scenario
def prefetched():
    for row in peewee.prefetch(tickets(40), Attached, Member):
        [attached.name for attached in row.files]


@scenario
def joined():
    rows = Ticket.select(Ticket, Member, Team).join(Member, on=Ticket.reporter).join(Team).order_by(Ticket.id).limit(40)
    for row in rows:
        row.reporter.team.name


@scenario
def counted_in_one_statement():
    rows = Ticket.select(Ticket.id, fn.COUNT(Attached.id).alias("files")).join(Attached, peewee.JOIN.LEFT_OUTER)
    list(rows.group_by(Ticket.id).order_by(Ticket.id).limit(30))


@scenario
def pages_of_tickets():
    for page in range(1, 9):
        list(Ticket.select().order_by(Ticket.id).paginate(page, 15))


@scenario
def upserted_in_chunks():
    rows = [{"name": f"option_{number}", "value": "x"} for number in range(60)]
    with db.atomic():
        for batch in peewee.chunked(rows, 10):
            Option.insert_many(batch).on_conflict(
                conflict_target=[Option.name], preserve=[Option.value]
            ).execute()


@scenario
def labels_in_one_statement_for_a_page():
    rows = list(tickets(25))
    tagged = TicketLabel.select(TicketLabel, Label).join(Label).where(TicketLabel.ticket.in_(rows))
    for tag in tagged:
        tag.label.name


@scenario
def rows_made_by_a_test_and_one_looked_at():
    member = Member.create(handle="maker", team=3)
    made = [Ticket.create(project="project-2", reporter=member, title="t", state="new", points=1) for _ in range(9)]
    Ticket.get_by_id(made[4].id).reporter.handle


@scenario
def filters_tried_by_somebody():
    for state, points in (("open", 1), ("open", 3), ("review", 3), ("closed", 5), ("closed", 8), ("open", 8)):
        list(Ticket.select().where(Ticket.state == state, Ticket.points >= points).order_by(Ticket.id).limit(10))


@scenario
def updated_together():
    rows = list(tickets(30))
    for row in rows:
        row.points += 1
    Ticket.bulk_update(rows, [Ticket.points], batch_size=10)


main(f"peewee {peewee.__version__}, psycopg2")
