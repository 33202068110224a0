"""An async service of a forwarder with SQLAlchemy over asyncpg and psycopg."""

import asyncio
import datetime
import uuid
from contextlib import asynccontextmanager

import sqlalchemy as sa
from labels import URL, expect_loop, main, scenario
from sqlalchemy import ForeignKey, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncAttrs, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Depot(Base):
    __tablename__ = "depots"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    port_code: Mapped[str | None]
    drivers: Mapped[list["Driver"]] = relationship(order_by="Driver.id")
    containers: Mapped[list["Container"]] = relationship(order_by="Container.id")


class Driver(Base):
    __tablename__ = "drivers"
    id: Mapped[int] = mapped_column(primary_key=True)
    depot_id: Mapped[int] = mapped_column(ForeignKey("depots.id"))
    name: Mapped[str]


class Container(Base):
    __tablename__ = "containers"
    id: Mapped[str] = mapped_column(primary_key=True)
    depot_id: Mapped[int | None] = mapped_column(ForeignKey("depots.id"))
    kind: Mapped[str]


class Shipment(Base):
    __tablename__ = "shipments"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    reference: Mapped[str]
    customer_id: Mapped[int]
    weight_kg: Mapped[int]
    booked_at: Mapped[datetime.datetime] = mapped_column(sa.DateTime(timezone=True))
    voyage_id: Mapped[int | None]
    origin: Mapped[str]
    destination: Mapped[str]
    status: Mapped[str]


class Port(Base):
    __tablename__ = "ports"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Leg(Base):
    __tablename__ = "legs"
    id: Mapped[int] = mapped_column(primary_key=True)
    shipment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("shipments.id"))
    driver_id: Mapped[int | None] = mapped_column(ForeignKey("drivers.id"))
    km: Mapped[int]


@asynccontextmanager
async def sessions(driver="asyncpg", **options):
    engine = create_async_engine(f"postgresql+{driver}://" + URL.partition("://")[2], **options)
    try:
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        await engine.dispose()


@scenario
async def awaited_attributes():
    """Depots with their drivers and boxes, each relation awaited where it is needed."""
    drivers = containers = 0
    async with sessions() as maker, maker() as db:
        for depot in (await db.scalars(select(Depot).order_by(Depot.id))).all():
            drivers += 1
            if await depot.awaitable_attrs.drivers and depot.port_code:
                containers += 1
                await depot.awaitable_attrs.containers
    expect_loop("from depots", "from drivers", drivers)
    expect_loop("from depots", "from containers", containers)


@scenario
async def selectin_depots():
    """The same with both relations loaded by lists of keys."""
    async with sessions() as maker, maker() as db:
        query = (
            select(Depot)
            .options(selectinload(Depot.drivers), selectinload(Depot.containers))
            .order_by(Depot.id)
        )
        for depot in (await db.scalars(query)).all():
            len(depot.drivers) + len(depot.containers)


@scenario
async def session_per_task():
    """A task and a session for each driver: how far did he drive?"""
    asked = 0
    async with sessions(pool_size=4, max_overflow=0) as maker:
        async with maker() as db:
            drivers = (await db.execute(select(Driver.id, Driver.name).where(Driver.depot_id < 12))).all()

        async def distance(driver):
            nonlocal asked
            async with maker() as db:
                asked += 1
                return await db.scalar(select(func.sum(Leg.km)).where(Leg.driver_id == driver.id))

        await asyncio.gather(*map(distance, drivers))
    expect_loop("from drivers", "from legs", asked)


@scenario
async def port_names_by_get():
    """Origins and destinations through the identity map: each port is asked once."""
    ports = set()
    async with sessions("psycopg") as maker, maker() as db:
        shipments = (
            await db.scalars(
                select(Shipment).where(Shipment.voyage_id.between(3, 9)).order_by(Shipment.reference)
            )
        ).all()
        kept = []
        for shipment in shipments:
            for code in (shipment.origin, shipment.destination):
                ports.add(code)
                kept.append(await db.get(Port, code))
    expect_loop("from shipments", "from ports", len(ports))


@scenario
async def streamed_events():
    """Server-side streaming in partitions, and one query with all keys of each partition."""
    async with sessions() as maker, maker() as db:
        moves = sa.text(
            "SELECT container_id, max(happened_at) AS newest FROM tracking_events GROUP BY container_id"
            " ORDER BY container_id"
        )
        kinds = sa.text("SELECT id, kind FROM containers WHERE id IN :ids").bindparams(
            bindparam("ids", expanding=True)
        )
        stream = await db.stream(moves, execution_options={"yield_per": 100})
        async for part in stream.partitions():
            await db.execute(kinds, {"ids": [row.container_id for row in part]})


@scenario
async def retry_booking():
    """A booking that fails twice on its reference, is rolled back, and tried again."""
    async with sessions() as maker:
        for attempt, reference in enumerate(["SHP-00001", "SHP-00002", "SHP-90001"]):
            async with maker() as db:
                try:
                    booking = Shipment(
                        id=uuid.UUID(int=attempt + 1),
                        reference=reference,
                        customer_id=5,
                        status="booked",
                        weight_kg=900,
                    )
                    booking.origin, booking.destination = "NLNTH", "SGHBR"
                    booking.booked_at = datetime.datetime(2025, 6, 1, tzinfo=datetime.UTC)
                    db.add(booking)
                    await db.flush()
                except sa.exc.IntegrityError:
                    await db.rollback()
                else:
                    await db.rollback()
                    break


@scenario
async def latest_event_of_each():
    """The reefers in stock and the last thing that happened to each, in one transaction."""
    asked = 0
    async with sessions() as maker, maker.begin() as db:
        boxes = await db.scalars(
            select(Container).where(Container.kind == "20RF", Container.depot_id.is_not(None))
        )
        newest = sa.text(
            "SELECT kind, happened_at FROM tracking_events WHERE container_id = :box ORDER BY id DESC LIMIT 1"
        )
        for box in boxes:
            (await db.execute(newest, {"box": box.id})).one_or_none()
            asked += 1
    expect_loop("from containers", "from tracking_events", asked)


@scenario
async def lazy_in_run_sync():
    """A sync report inside run_sync: lazy relations work there, and ask as ever."""

    def report(db):
        asked = 0
        for depot in db.scalars(select(Depot).where(Depot.port_code.is_not(None)).order_by(Depot.name)).all():
            asked += "drivers" in sa.inspect(depot).unloaded
            assert len(depot.drivers) > 0
        return asked

    async with sessions("psycopg") as maker, maker() as db:
        asked = await db.run_sync(report)
    expect_loop("from depots", "from drivers", asked)


if __name__ == "__main__":
    main("SQLAlchemy " + sa.__version__ + " async")
