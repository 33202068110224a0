"""The shop's pages with SQLAlchemy over asyncpg."""

import asyncio

import asyncpg
import sqlalchemy as sa
from labels import expect_loop, main, scenario
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy_models import Event, Item, Order, Product, User, url

engine = create_async_engine(url("asyncpg"), pool_size=5)


def some_orders(count=20):
    return sa.select(Order).order_by(Order.id).limit(count)


@scenario
async def got_one_by_one():
    async with AsyncSession(engine) as session:
        rows = (await session.scalars(some_orders(50))).all()
        users = [await session.get(User, order.user_id) for order in rows]
        # The identity map answers what is asked again, as long as somebody holds it.
        expect_loop("from orders", "from users", len(set(users)))


@scenario
async def got_one_by_one_and_forgotten():
    async with AsyncSession(engine) as session:
        rows = (await session.scalars(some_orders(30))).all()
        for order in rows:
            await session.get(User, order.user_id)
        # The identity map holds nothing by itself.
        expect_loop("from orders", "from users", len(rows))


@scenario
async def selected_one_by_one():
    async with AsyncSession(engine) as session:
        rows = (await session.scalars(some_orders())).all()
        for order in rows:
            (await session.scalars(sa.select(Item).where(Item.order_id == order.id))).all()
        expect_loop("from orders", "from order_items", len(rows))


@scenario
async def lazily_in_a_greenlet():
    async with AsyncSession(engine) as session:

        def page(inner):
            rows = inner.scalars(some_orders(18)).all()
            asked = {item.product.id for order in rows for item in order.items}
            expect_loop("from orders", "from order_items", len(rows))
            expect_loop("from order_items", "from products", len(asked))

        await session.run_sync(page)


@scenario
async def gathered_over_sessions():
    async with AsyncSession(engine) as session:
        keys = (await session.scalars(sa.select(Order.user_id).order_by(Order.id).limit(25))).all()

    async def email(key):
        async with AsyncSession(engine) as own:
            return await own.scalar(sa.select(User.email).where(User.id == key))

    await asyncio.gather(*(email(key) for key in keys))
    expect_loop("from orders", "from users", len(keys))


@scenario
async def a_tuple_as_key():
    async with AsyncSession(engine) as session:
        chosen = sa.select(Item.product_id, Item.warehouse_id).where(Item.order_id.between(41, 54)).order_by(Item.id)
        rows = (await session.execute(chosen)).all()
        stock = sa.table("stock", sa.column("product_id"), sa.column("warehouse_id"), sa.column("amount"))
        for product, warehouse in rows:
            await session.scalar(
                sa.select(stock.c.amount).where(stock.c.product_id == product, stock.c.warehouse_id == warehouse)
            )
        expect_loop("from order_items", "from stock", len(rows))


@scenario
async def streamed():
    async with engine.connect() as reader, engine.connect() as other:
        count = 0
        result = await reader.stream(sa.select(Order.user_id).order_by(Order.id).limit(28))
        async for row in result:
            await other.execute(sa.select(User.email).where(User.id == row.user_id))
            count += 1
        expect_loop("from orders", "from users", count)


@scenario
async def joined_loading():
    async with AsyncSession(engine) as session:
        rows = (await session.scalars(some_orders(40).options(joinedload(Order.user)))).all()
        [order.user.email for order in rows]


@scenario
async def selected_in_loading():
    async with AsyncSession(engine) as session:
        chosen = some_orders(40).options(selectinload(Order.items).selectinload(Item.product))
        [len(order.items) for order in await session.scalars(chosen)]


@scenario
async def in_chunks():
    async with AsyncSession(engine) as session:
        keys = (await session.scalars(sa.select(Product.id).order_by(Product.id))).all()
        for at in range(0, len(keys), 8):
            await session.execute(sa.select(Product).where(Product.id.in_(keys[at : at + 8])))


@scenario
async def written_in_bulk():
    async with AsyncSession(engine) as session:
        session.add_all(Event(kind="seen", subject_id=number) for number in range(120))
        await session.commit()


@scenario
async def pages_by_key():
    async with AsyncSession(engine) as session:
        last = 0
        while page := (await session.scalars(sa.select(Order.id).where(Order.id > last).order_by(Order.id).limit(30))).all():
            last = page[-1]


main(f"SQLAlchemy {sa.__version__}, asyncpg {asyncpg.__version__}")
