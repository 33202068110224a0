"""A small REST service of a forwarder with SQLModel over psycopg: response models and services."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version

from labels import URL, expect_loop, expect_repeat, main, scenario
from sqlalchemy import inspect, text
from sqlalchemy.orm import selectinload
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine, func, select


class Country(SQLModel, table=True):
    __tablename__ = "countries"
    code: str = Field(primary_key=True)
    name: str
    currency: str


class Contact(SQLModel, table=True):
    __tablename__ = "contacts"
    id: int = Field(primary_key=True)
    customer_id: int = Field(foreign_key="customers.id")
    name: str
    phone: str | None


class Customer(SQLModel, table=True):
    __tablename__ = "customers"
    id: int = Field(primary_key=True)
    name: str
    country_code: str = Field(foreign_key="countries.code")
    country: Country = Relationship()
    contacts: list[Contact] = Relationship()


class Voyage(SQLModel, table=True):
    __tablename__ = "voyages"
    id: int = Field(primary_key=True)
    number: str
    departs_on: datetime.date
    calls: list["PortCall"] = Relationship(back_populates="voyage")


class PortCall(SQLModel, table=True):
    __tablename__ = "port_calls"
    voyage_id: int = Field(primary_key=True, foreign_key="voyages.id")
    seq: int = Field(primary_key=True)
    port_code: str
    berth: str | None
    voyage: Voyage = Relationship(back_populates="calls")


class CustomerOut(SQLModel):
    name: str
    country: str
    contacts: list[str]


class Setting(SQLModel, table=True):
    __tablename__ = "settings"
    name: str = Field(primary_key=True)
    value: str


@contextmanager
def engine(**options):
    opened = create_engine("postgresql+psycopg://" + URL.partition("://")[2], **options)
    try:
        yield opened
    finally:
        opened.dispose()


@scenario
def customers_out():
    """Customers as response models: contacts of each, and countries once per session."""
    contacts = 0
    countries = set()
    with engine() as bound, Session(bound) as db:
        for customer in db.exec(select(Customer).order_by(Customer.id).limit(25)).all():
            contacts += "contacts" in inspect(customer).unloaded
            countries.add(customer.country_code)
            CustomerOut(
                name=customer.name,
                country=customer.country.name,
                contacts=[contact.name for contact in customer.contacts],
            )
    expect_loop("from customers", "from contacts", contacts)
    expect_loop("from customers", "from countries", len(countries))


@scenario
def customers_out_eager():
    """The response models with both relations loaded by lists."""
    with engine() as bound, Session(bound) as db:
        query = (
            select(Customer)
            .options(selectinload(Customer.contacts), selectinload(Customer.country))
            .order_by(Customer.id)
        )
        for customer in db.exec(query.limit(25)).all():
            CustomerOut(
                name=customer.name,
                country=customer.country.name,
                contacts=[contact.name for contact in customer.contacts],
            )


@scenario
def request_per_voyage():
    """A script that asks the service for each voyage: a session per request, in three threads."""

    def request(bound, voyage_id):
        with Session(bound) as db:
            return db.exec(
                select(func.count()).select_from(PortCall).where(PortCall.voyage_id == voyage_id)
            ).one()

    with engine(pool_size=3, max_overflow=0) as bound:
        with Session(bound) as db:
            voyages = db.exec(
                select(Voyage.id).where(Voyage.departs_on > datetime.date(2025, 8, 1)).order_by(Voyage.id)
            ).all()
        with ThreadPoolExecutor(3) as threads:
            counted = list(threads.map(lambda voyage: request(bound, voyage), voyages))
    expect_loop("from voyages", "from port_calls", len(counted))


@scenario
def refresh_after_commit():
    """Two requests of a detail page, one change of a setting with a refresh."""
    with engine() as bound:
        for number in ("V0003", "V0004"):
            with Session(bound) as db:
                voyage = db.exec(select(Voyage).where(Voyage.number == number)).one()
                len(voyage.calls)
        with Session(bound) as db:
            setting = db.get(Setting, "ui.page_size")
            setting.value = "50"
            db.add(setting)
            db.commit()
            db.refresh(setting)


@scenario
def flag_of_each_page():
    """A feature flag read anew for each row that is rendered."""
    asked = 0
    with engine() as bound, Session(bound) as db:
        for _row in range(30):
            asked += 1
            db.connection().execute(text("SELECT value FROM settings WHERE name = 'ui.locale'")).scalar()
    expect_repeat("redundant-query", asked)


@scenario
def yield_per_with_lookup():
    """A streamed query in parts of fifty, the currency of each row's country from a second session."""
    asked = 0
    with engine() as bound, Session(bound) as db, Session(bound) as other:
        for name, code in db.execute(
            select(Customer.name, Customer.country_code).order_by(Customer.id).execution_options(yield_per=50)
        ):
            asked += 1
            other.exec(select(Country.currency).where(Country.code == code)).one()
            assert name
    expect_loop("from customers", "from countries", asked)


@scenario
def phone_counts():
    """A service function for one customer, called by another for the customers of each country."""
    asked = 0

    def reachable(db, customer_id):
        nonlocal asked
        asked += 1
        query = select(func.count()).select_from(Contact).where(Contact.customer_id == customer_id)
        return db.exec(query.where(Contact.phone.is_not(None))).one()

    with engine() as bound, Session(bound) as db:
        for code in ("NL", "SG", "BR"):
            customers = db.exec(
                select(Customer.id).where(Customer.country_code == code).order_by(Customer.id)
            ).all()
            sum(reachable(db, customer) for customer in customers)
    expect_loop("from customers", "from contacts", asked)


if __name__ == "__main__":
    main("SQLModel " + version("sqlmodel"))
