"""The tracker's pages with Tortoise ORM over asyncpg."""

import asyncio
import functools
import os

import tortoise
from labels import expect_loop, main, scenario
from tortoise import Tortoise, fields
from tortoise.functions import Count
from tortoise.models import Model
from tortoise.transactions import in_transaction

URL = os.environ.get("DATABASE_URL", "").replace("postgresql://", "postgres://").split("?")[0]


class Team(Model):
    id = fields.BigIntField(primary_key=True)
    name = fields.TextField()

    class Meta:
        table = "teams"


class Member(Model):
    id = fields.BigIntField(primary_key=True)
    handle = fields.TextField()
    team = fields.ForeignKeyField("tracker.Team", related_name="members")

    class Meta:
        table = "members"


class Milestone(Model):
    id = fields.BigIntField(primary_key=True)
    title = fields.TextField()

    class Meta:
        table = "milestones"


class Label(Model):
    id = fields.BigIntField(primary_key=True)
    name = fields.TextField()

    class Meta:
        table = "labels"


class Ticket(Model):
    id = fields.BigIntField(primary_key=True)
    title = fields.TextField()
    state = fields.TextField()
    points = fields.IntField()
    reporter = fields.ForeignKeyField("tracker.Member", related_name="reported")
    milestone = fields.ForeignKeyField("tracker.Milestone", related_name="tickets", null=True)
    labels = fields.ManyToManyField(
        "tracker.Label", through="ticket_labels", forward_key="label_id", backward_key="ticket_id"
    )

    class Meta:
        table = "tickets"


class Attached(Model):
    id = fields.UUIDField(primary_key=True)
    name = fields.TextField()
    bytes = fields.IntField()
    ticket = fields.ForeignKeyField("tracker.Ticket", related_name="files")

    class Meta:
        table = "files"


class Job(Model):
    id = fields.BigIntField(primary_key=True)
    kind = fields.TextField()
    ticket_id = fields.BigIntField()
    state = fields.TextField()

    class Meta:
        table = "jobs"


def page(body):
    @functools.wraps(body)
    async def opened():
        await Tortoise.init(
            config={
                "connections": {"default": URL + "?minsize=1&maxsize=4"},
                "apps": {"tracker": {"models": [__name__], "default_connection": "default"}},
            }
        )
        try:
            await body()
        finally:
            await Tortoise.close_connections()

    return scenario(opened)


def tickets(count=20):
    return Ticket.all().order_by("id").limit(count)


@page
async def a_relation_awaited_per_ticket():
    rows = await tickets(23)
    for row in rows:
        (await row.reporter).handle
    expect_loop("from tickets", "from members", len(rows))


@page
async def related_rows_fetched_per_ticket():
    rows = await tickets(18)
    for row in rows:
        await row.fetch_related("files")
    expect_loop("from tickets", "from files", len(rows))


@page
async def labels_of_each_ticket_at_once():
    rows = await tickets(28)
    await asyncio.gather(*(row.labels.all() for row in rows))
    expect_loop("from tickets", "from labels", len(rows))


@page
async def milestones_of_those_that_have_one():
    rows, asked = await tickets(32), 0
    for row in rows:
        if row.milestone_id is not None:
            await Milestone.get(id=row.milestone_id)
            asked += 1
    expect_loop("from tickets", "from milestones", asked)


@page
async def counted_per_member():
    rows = await Member.all().order_by("-handle").limit(21)
    for row in rows:
        await row.reported.filter(state="open").count()
    expect_loop("from members", "count(", len(rows))


@page
async def asked_whether_they_exist():
    rows = await Milestone.all().order_by("title")
    for row in rows:
        await Ticket.filter(milestone_id=row.id, points__gt=6).exists()
    expect_loop("from milestones", "from tickets", len(rows))


@page
async def a_transaction_per_job():
    rows = await Job.filter(kind="mail").order_by("-id")
    for row in rows:
        async with in_transaction():
            ticket = await Ticket.select_for_update().get(id=row.ticket_id)
            await Job.filter(id=row.id).update(state=ticket.state)
    expect_loop("from jobs", "from tickets", len(rows))


@page
async def keys_first_and_objects_after():
    keys = await Ticket.filter(points=3).order_by("id").values_list("id", flat=True)
    for key in keys:
        await Ticket.get_or_none(id=key)
    expect_loop("from tickets", "from tickets", len(keys))


@page
async def handlers_at_once():
    async def handle(state, number):
        rows = await Ticket.filter(state=state).order_by("id").limit(number)
        for row in rows:
            await row.reporter
        return len(rows)

    asked = [("open", 12), ("review", 9), ("closed", 15)]
    for count in await asyncio.gather(*(handle(*one) for one in asked)):
        expect_loop("from tickets", "from members", count)


@page
async def a_tree_of_resolvers_at_once():
    async def resolve(row):
        reporter = await row.reporter
        return reporter.handle, (await reporter.team).name

    rows = await tickets(20)
    await asyncio.gather(*(resolve(row) for row in rows))
    expect_loop("from tickets", "from members", len(rows))
    expect_loop("from members", "from teams", len(rows))


@page
async def prefetched():
    for row in await tickets(40).prefetch_related("files", "labels", "reporter__team"):
        [attached.name for attached in row.files], row.reporter.team.name


@page
async def joined():
    for row in await tickets(40).select_related("reporter__team"):
        row.reporter.team.name


@page
async def counted_together():
    await tickets(30).annotate(files_count=Count("files"))


@page
async def written_in_bulk():
    rows = await tickets(30)
    for row in rows:
        row.points += 1
    await Ticket.bulk_update(rows, fields=["points"], batch_size=10)
    await Job.bulk_create([Job(id=2000 + at, kind="mail", ticket_id=at, state="new") for at in range(30)], batch_size=10)


@page
async def in_bulk_by_keys():
    rows = await tickets(45)
    await Member.in_bulk({row.reporter_id for row in rows}, "id")
    await Attached.filter(ticket_id__in=[row.id for row in rows])


@page
async def a_handful_of_labels_got_or_made():
    for number in range(7):
        await Label.get_or_create(id=300 + number, defaults={"name": f"label {number}"})


@page
async def one_ticket_and_all_around_it():
    ticket = await Ticket.get(id=60).prefetch_related("files", "labels")
    reporter = await ticket.reporter
    await reporter.team
    await ticket.milestone


@page
async def five_figures_of_a_dashboard():
    await asyncio.gather(
        Ticket.all().count(),
        Ticket.filter(state="open").count(),
        Member.all().count(),
        Attached.all().count(),
        Job.filter(state="queued").count(),
    )


main(f"tortoise-orm {tortoise.__version__}, asyncpg {__import__('asyncpg').__version__}")
