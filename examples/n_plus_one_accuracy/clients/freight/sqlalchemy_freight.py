"""A forwarder's models with SQLAlchemy's ORM over psycopg2: lazy and eager, sessions and Core."""

import datetime
import uuid
from contextlib import contextmanager

import sqlalchemy as sa
from labels import URL, expect_loop, expect_repeat, main, scenario
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)


class Base(DeclarativeBase):
    pass


class Region(Base):
    __tablename__ = "regions"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("regions.id"))
    name: Mapped[str]
    children: Mapped[list["Region"]] = relationship(order_by="Region.id")


class Staff(Base):
    __tablename__ = "staff"
    id: Mapped[int] = mapped_column(primary_key=True)
    manager_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    email: Mapped[str]
    role: Mapped[str]


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    account_manager_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    account_manager: Mapped[Staff | None] = relationship()
    invoices: Mapped[list["Invoice"]] = relationship(back_populates="customer", order_by="Invoice.id")


class Tariff(Base):
    __tablename__ = "tariffs"
    code: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    unit_price: Mapped[float]


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    number: Mapped[str]
    issued_on: Mapped[datetime.date]
    paid_on: Mapped[datetime.date | None]
    customer: Mapped[Customer] = relationship(back_populates="invoices")
    lines: Mapped[list["Line"]] = relationship(order_by="Line.line_no")


class Line(Base):
    __tablename__ = "invoice_lines"
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True)
    tariff_code: Mapped[str] = mapped_column(ForeignKey("tariffs.code"))
    quantity: Mapped[int]
    tariff: Mapped[Tariff] = relationship()


class Shipment(Base):
    __tablename__ = "shipments"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    reference: Mapped[str]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    status: Mapped[str]


class Document(Base):
    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_type: Mapped[str]
    title: Mapped[str] = mapped_column(deferred=True)


class AuditEntry(Base):
    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str]
    subject: Mapped[str]


@contextmanager
def session():
    engine = sa.create_engine("postgresql+psycopg2://" + URL.partition("://")[2])
    try:
        with Session(engine) as opened:
            yield opened
    finally:
        engine.dispose()


def unloaded(entity, name):
    return name in sa.inspect(entity).unloaded


@scenario
def invoice_serializer():
    """Invoices to JSON: lines and customers come lazily; a customer only once per session."""
    lines = 0
    customers = set()
    page = []
    with session() as db:
        invoices = db.scalars(select(Invoice).where(Invoice.paid_on.is_(None)).order_by(Invoice.id).limit(60))
        for invoice in invoices.all():
            lines += unloaded(invoice, "lines")
            customers.add(invoice.customer_id)
            quantities = [line.quantity for line in invoice.lines]
            page.append({"number": invoice.number, "customer": invoice.customer.name, "lines": quantities})
    expect_loop("from invoices", "from invoice_lines", lines)
    expect_loop("from invoices", "from customers", len(customers))


@scenario
def invoice_serializer_eager():
    """The same, with its relations named in the query."""
    page = []
    with session() as db:
        query = (
            select(Invoice)
            .where(Invoice.paid_on.is_(None))
            .options(joinedload(Invoice.customer), selectinload(Invoice.lines).joinedload(Line.tariff))
            .order_by(Invoice.id)
            .limit(60)
        )
        for invoice in db.scalars(query).all():
            labels = [line.tariff.label for line in invoice.lines]
            page.append({"customer": invoice.customer.name, "lines": labels})


@scenario
def account_managers():
    """Customers and who looks after them: shared people, and some customers without anybody."""
    people = set()
    with session() as db:
        for customer in db.scalars(select(Customer).order_by(Customer.name)).all():
            if customer.account_manager is not None:
                people.add(customer.account_manager.id)
    expect_loop("from customers", "from staff", len(people))


@scenario
def price_list_of_invoice():
    """Invoice after invoice by its number, each line's tariff lazily; every invoice a session."""
    tariffs = 0
    engine = sa.create_engine("postgresql+psycopg2://" + URL.partition("://")[2])
    for number in ("INV-2025-0008", "INV-2025-0017"):
        with Session(engine) as db:
            query = select(Line).join(Invoice, Invoice.id == Line.invoice_id).where(Invoice.number == number)
            for line in db.scalars(query.order_by(Line.line_no)).all():
                tariffs += unloaded(line, "tariff")
                assert line.tariff.unit_price
    engine.dispose()
    expect_loop("from invoice_lines", "from tariffs", tariffs)


@scenario
def region_menu():
    """The menu of regions: areas below the continents, one query for each area's districts."""
    asked = 0
    with session() as db:
        areas = db.execute(
            sa.text(
                "SELECT a.id, a.name FROM regions AS a JOIN regions AS c ON c.id = a.parent_id"
                " WHERE c.parent_id IS NULL ORDER BY a.id"
            )
        )
        for area in areas.all():
            db.scalars(select(Region.name).where(Region.parent_id == area.id)).all()
            asked += 1
    expect_loop("from regions as a", "where regions.parent_id =", asked)


@scenario
def wizard_with_savepoints():
    """A booking wizard: each step in a savepoint, one of them taken back; nothing is kept."""
    with session() as db:
        customer = db.get(Customer, 12)
        for step in ("cargo", "route", "price"):
            with db.begin_nested():
                db.add(AuditEntry(actor=customer.name, subject=step))
        doubtful = db.begin_nested()
        db.add(AuditEntry(actor=customer.name, subject="discount"))
        db.flush()
        doubtful.rollback()
        db.execute(select(sa.func.count()).select_from(AuditEntry)).scalar()
        db.rollback()


@scenario
def expired_by_commit():
    """A commit after each invoice expires what is loaded: the next one is read again."""
    asked = 0
    with session() as db:
        invoices = db.scalars(
            select(Invoice).where(Invoice.customer_id.in_([8, 15, 22, 29])).order_by(Invoice.id)
        ).all()
        db.commit()
        for invoice in invoices:
            asked += sa.inspect(invoice).expired
            assert invoice.number
            db.commit()
    expect_loop("where invoices.customer_id in", "where invoices.id =", asked)


@scenario
def audit_each():
    """An importer that flushes after each of its entries."""
    written = 0
    with session() as db:
        for line in ["gate", "crane", "yard", "truck", "rail", "barge", "customs", "scan", "weigh", "seal"]:
            db.add(AuditEntry(actor="importer", subject=line))
            db.flush()
            written += 1
        db.commit()
    expect_repeat("row-by-row-writes", written)


@scenario
def deferred_titles():
    """A deferred column that the template reads after all: one query for each row."""
    asked = 0
    with session() as db:
        documents = db.scalars(
            select(Document).where(Document.owner_type == "invoice").order_by(Document.id).limit(70)
        )
        for document in documents.all():
            asked += unloaded(document, "title")
            assert document.title
    expect_loop("where documents.owner_type =", "where documents.id =", asked)


if __name__ == "__main__":
    main("SQLAlchemy " + sa.__version__)
