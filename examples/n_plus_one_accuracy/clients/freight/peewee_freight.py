"""A forwarder's depot tool with peewee: lazy foreign keys, back-references, batches."""

from urllib.parse import urlsplit

import peewee
from labels import URL, expect_loop, expect_repeat, main, scenario
from peewee import ForeignKeyField, IntegerField, TextField, fn
from playhouse.db_url import connect
from playhouse.shortcuts import model_to_dict

db = (
    connect(urlsplit(URL)._replace(scheme="postgresql").geturl())
    if URL
    else peewee.PostgresqlDatabase("none")
)


class Base(peewee.Model):
    class Meta:
        database = db


class Region(Base):
    name = TextField()
    parent = ForeignKeyField("self", null=True, backref="children")

    class Meta:
        table_name = "regions"


class Depot(Base):
    region = ForeignKeyField(Region, backref="depots")
    name = TextField()
    capacity = IntegerField()

    class Meta:
        table_name = "depots"


class Driver(Base):
    depot = ForeignKeyField(Depot, backref="drivers")
    name = TextField()

    class Meta:
        table_name = "drivers"


class Container(Base):
    id = TextField(primary_key=True)
    depot = ForeignKeyField(Depot, null=True, backref="containers")
    kind = TextField()
    tare_kg = IntegerField()

    class Meta:
        table_name = "containers"


class Event(Base):
    container = ForeignKeyField(Container, backref="events")
    kind = TextField()
    happened_at = peewee.DateTimeField()

    class Meta:
        table_name = "tracking_events"


class Tariff(Base):
    code = TextField(primary_key=True)
    label = TextField()
    surcharge = ForeignKeyField("self", null=True, column_name="surcharge_code")

    class Meta:
        table_name = "tariffs"


class Setting(Base):
    name = TextField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "settings"


@scenario
def depot_overview():
    """Each depot's region, its stock and its drivers, as the template asks for them."""
    regions = stock = drivers = 0
    overview = []
    with db.connection_context():
        for depot in Depot.select().order_by(Depot.name):
            regions += 1
            name = depot.region.name
            stock += 1
            boxes = depot.containers.count()
            drivers += 1
            overview.append((name, boxes, [driver.name for driver in depot.drivers]))
    expect_loop('from "depots"', 'from "regions"', regions)
    expect_loop('from "depots"', 'from "containers"', stock)
    expect_loop('from "depots"', 'from "drivers"', drivers)


@scenario
def container_dicts():
    """Containers as dictionaries that follow their depots, with the nulls left alone."""
    depots = 0
    with db.connection_context():
        for container in Container.select().where(Container.kind == "40HC").order_by(Container.id).limit(45):
            depots += container.depot_id is not None
            model_to_dict(container, recurse=True, max_depth=1)
    expect_loop('from "containers"', 'from "depots"', depots)


@scenario
def region_descent():
    """The tree by hand: the areas of a continent, their districts, and the depots of these."""
    districts = depots = 0
    with db.connection_context():
        areas = Region.select().where(Region.parent.in_([1, 2, 3, 4])).order_by(Region.id)
        for area in list(areas):
            districts += 1
            for _district in area.children:
                pass
        for region in list(Region.select(Region.id, Region.name).where(Region.id > 16).order_by(Region.name)):
            depots += 1
            region.depots.count()
    expect_loop('"t1"."parent_id" in', '"t1"."parent_id" =', districts)
    expect_loop('"t1"."id" >', 'from "depots"', depots)


@scenario
def last_event_per_box():
    """The last event of each box of a kind, in a transaction that reads only."""
    asked = 0
    with db.connection_context(), db.atomic():
        for container in Container.select(Container.id).where(Container.kind == "20RF").tuples().iterator():
            asked += 1
            Event.select().where(Event.container == container[0]).order_by(Event.happened_at.desc()).first()
    expect_loop('from "containers"', 'from "tracking_events"', asked)


@scenario
def chunked_lookup():
    """Boxes by lists of forty keys, and events counted by one grouped query."""
    with db.connection_context():
        keys = [key for (key,) in Container.select(Container.id).order_by(Container.id).tuples()]
        for chunk in peewee.chunked(keys, 40):
            list(Container.select().where(Container.id.in_(list(chunk))))
        list(Event.select(Event.container, fn.COUNT(Event.id)).group_by(Event.container).tuples())


@scenario
def bulk_and_upsert():
    """Many rows by insert_many in batches, then two settings put in place."""
    with db.connection_context(), db.atomic():
        rows = [
            {"id": f"NEWU{n:06}", "depot": n % 24 + 1, "kind": "20GP", "tare_kg": 2200} for n in range(90)
        ]
        for batch in peewee.chunked(rows, 30):
            Container.insert_many(batch).execute()
        for name, value in (("stock.batch", "90"), ("ui.locale", "nl-NL")):
            Setting.insert(name=name, value=value).on_conflict(
                conflict_target=[Setting.name], update={Setting.value: value}
            ).execute()


@scenario
def scan_codes():
    """Codes from a hand scanner, each looked up as it arrives."""
    asked = 0
    with db.connection_context():
        for code in (f"FRTU{n * 7919 % 1000000:06}" for n in range(20, 45)):
            asked += 1
            Container.get_or_none(Container.id == code)
    expect_repeat("repeated-query-without-visible-parent", asked)


@scenario
def tariff_labels():
    """A price list: the label of the surcharge beside each tariff that has one."""
    asked = 0
    with db.connection_context():
        for tariff in Tariff.select().where(Tariff.label != "Tariff 9").order_by(Tariff.code):
            if tariff.surcharge_code is not None:
                asked += 1
                assert tariff.surcharge.label
    expect_loop('"t1"."label" !=', '"t1"."code" =', asked)


if __name__ == "__main__":
    main("peewee " + peewee.__version__)
