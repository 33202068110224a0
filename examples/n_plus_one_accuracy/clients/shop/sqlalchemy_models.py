"""The shop's tables as SQLAlchemy models, and its addresses for both drivers."""

import os

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def url(driver):
    plain = sa.make_url(os.environ.get("DATABASE_URL", "postgresql://nobody@localhost/none"))
    return plain.set(drivername=f"postgresql+{driver}", query={})


class Base(DeclarativeBase):
    pass


class Country(Base):
    __tablename__ = "countries"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    country_code: Mapped[str] = mapped_column(sa.ForeignKey("countries.code"))
    country: Mapped[Country] = relationship()


class Address(Base):
    __tablename__ = "addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    city: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    address_id: Mapped[int] = mapped_column(sa.ForeignKey("addresses.id"))
    status: Mapped[str]
    user: Mapped[User] = relationship()
    address: Mapped[Address] = relationship()
    items: Mapped[list["Item"]] = relationship(order_by="Item.id")


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Item(Base):
    __tablename__ = "order_items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"))
    product_id: Mapped[int] = mapped_column(sa.ForeignKey("products.id"))
    warehouse_id: Mapped[int]
    quantity: Mapped[int]
    product: Mapped[Product] = relationship()


class Document(Base):
    __tablename__ = "documents"
    id: Mapped[sa.Uuid] = mapped_column(sa.Uuid, primary_key=True)
    title: Mapped[str]
    revisions: Mapped[list["Revision"]] = relationship()


class Revision(Base):
    __tablename__ = "revisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[sa.Uuid] = mapped_column(sa.Uuid, sa.ForeignKey("documents.id"))


class Event(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(sa.Identity(always=True), primary_key=True)
    kind: Mapped[str]
    subject_id: Mapped[int]
