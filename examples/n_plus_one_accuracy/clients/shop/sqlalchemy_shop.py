"""The shop's pages with SQLAlchemy over psycopg."""

import psycopg
import sqlalchemy as sa
from labels import expect_loop, main, scenario
from sqlalchemy.orm import Session, joinedload, selectinload, subqueryload
from sqlalchemy_models import Document, Event, Item, Order, Product, User, url

engine = sa.create_engine(url("psycopg"), pool_pre_ping=True)


def some_orders(count=20):
    return sa.select(Order).order_by(Order.id).limit(count)


@scenario
def lazy_users_behind_the_identity_map():
    with Session(engine) as session:
        rows = session.scalars(some_orders(80)).all()
        for order in rows:
            order.user.email
        expect_loop("from orders", "from users", len({order.user_id for order in rows}))


@scenario
def lazy_items():
    with Session(engine) as session:
        rows = session.scalars(some_orders()).all()
        for order in rows:
            len(order.items)
        expect_loop("from orders", "from order_items", len(rows))


@scenario
def lazy_items_and_their_products():
    with Session(engine) as session:
        rows = session.scalars(some_orders(24)).all()
        names = [item.product.name for order in rows for item in order.items]
        products = {item.product_id for order in rows for item in order.items}
        assert names
        expect_loop("from orders", "from order_items", len(rows))
        expect_loop("from order_items", "from products", len(products))


@scenario
def lazy_users_and_addresses_in_turns():
    with Session(engine) as session:
        rows = session.scalars(some_orders(30)).all()
        for order in rows:
            order.user.email, order.address.city
        expect_loop("from orders", "from users", len({order.user_id for order in rows}))
        expect_loop("from orders", "from addresses", len({order.address_id for order in rows}))


@scenario
def lazy_countries_of_lazy_users():
    with Session(engine) as session:
        rows = session.scalars(some_orders(60)).all()
        users = {order.user for order in rows}
        countries = {order.user.country.code for order in rows}
        expect_loop("from orders", "from users", len(users))
        expect_loop("from users", "from countries", len(countries))


@scenario
def a_session_per_row():
    with Session(engine) as session:
        keys = session.scalars(sa.select(Order.user_id).order_by(Order.id).limit(22)).all()
    for key in keys:
        with Session(engine) as session:
            session.get(User, key)
    expect_loop("from orders", "from users", len(keys))


@scenario
def refreshed_after_a_commit():
    with Session(engine) as session:
        rows = session.scalars(some_orders(15)).all()
        session.commit()
        # Expired: each is loaded again when it is looked at.
        for order in rows:
            order.status
        expect_loop("from orders", "from orders", len(rows))


@scenario
def revisions_by_uuid():
    with Session(engine) as session:
        rows = session.scalars(sa.select(Document).order_by(Document.title).limit(14)).all()
        for document in rows:
            len(document.revisions)
        expect_loop("from documents", "from revisions", len(rows))


@scenario
def streamed_with_a_second_session():
    with Session(engine) as session, Session(engine) as other:
        count = 0
        for order in session.execute(sa.select(Order.id).order_by(Order.id).limit(40).execution_options(yield_per=10)):
            other.scalar(sa.select(sa.func.count()).select_from(Item).where(Item.order_id == order.id))
            count += 1
        expect_loop("from orders", "from order_items", count)


@scenario
def core_with_literals():
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, user_id FROM orders ORDER BY id LIMIT 16")).all()
        for row in rows:
            connection.exec_driver_sql(f"SELECT email FROM users WHERE id = {row.user_id}")
        expect_loop("from orders", "from users", len(rows))


@scenario
def joined_loading():
    with Session(engine) as session:
        for order in session.scalars(some_orders(40).options(joinedload(Order.user))):
            order.user.email


@scenario
def selected_in_loading():
    with Session(engine) as session:
        chosen = some_orders(40).options(
            selectinload(Order.items).selectinload(Item.product), selectinload(Order.user)
        )
        for order in session.scalars(chosen):
            [item.product.name for item in order.items], order.user.email


@scenario
def subquery_loading():
    with Session(engine) as session:
        for order in session.scalars(some_orders(40).options(subqueryload(Order.items))):
            len(order.items)


@scenario
def written_in_bulk():
    with Session(engine) as session:
        session.add_all(Event(kind="seen", subject_id=number) for number in range(300))
        session.flush()
        for order in session.scalars(some_orders(30)):
            order.status = "seen"
        session.commit()


@scenario
def pages_by_offset():
    for page in range(8):
        with Session(engine) as session:
            session.scalars(sa.select(Product).order_by(Product.id).limit(7).offset(page * 7)).all()


main(f"SQLAlchemy {sa.__version__}, psycopg {psycopg.__version__}")
