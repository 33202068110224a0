"""The shop's pages with Django's ORM."""

import os
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from labels import expect_loop, expect_repeat, main, scenario

address = urlsplit(os.environ.get("DATABASE_URL", "postgresql://nobody@localhost:1/none"))
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": address.path.lstrip("/"),
            "USER": unquote(address.username or ""),
            "PASSWORD": unquote(address.password or ""),
            "HOST": address.hostname,
            "PORT": address.port,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.core.paginator import Paginator  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402


def shop(table):
    return type("Meta", (), {"db_table": table, "managed": False, "app_label": "shop"})


class Country(models.Model):
    code = models.TextField(primary_key=True)
    name = models.TextField()
    Meta = shop("countries")


class User(models.Model):
    email = models.TextField()
    country = models.ForeignKey(Country, models.CASCADE, db_column="country_code")
    Meta = shop("users")


class Address(models.Model):
    city = models.TextField()
    Meta = shop("addresses")


class Order(models.Model):
    user = models.ForeignKey(User, models.CASCADE)
    address = models.ForeignKey(Address, models.CASCADE)
    status = models.TextField()
    Meta = shop("orders")


class Product(models.Model):
    name = models.TextField()
    Meta = shop("products")


class Item(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, models.CASCADE)
    quantity = models.IntegerField()
    Meta = shop("order_items")


class Attachment(models.Model):
    subject_type = models.TextField()
    subject_id = models.IntegerField()
    Meta = shop("attachments")


class Setting(models.Model):
    name = models.TextField(primary_key=True)
    value = models.TextField()
    Meta = shop("settings")


class Event(models.Model):
    kind = models.TextField()
    subject_id = models.IntegerField()
    Meta = shop("events")


def orders(count=20):
    return Order.objects.order_by("id")[:count]


@scenario
def a_foreign_key_per_row():
    rows = list(orders())
    for order in rows:
        order.user.email
    expect_loop("from orders", "from users", len(rows))


@scenario
def a_reverse_relation_per_row():
    rows = list(orders(18))
    for order in rows:
        list(order.items.all())
    expect_loop("from orders", "from order_items", len(rows))


@scenario
def counted_per_row():
    rows = list(orders(16))
    for order in rows:
        order.items.count()
        order.items.filter(quantity__gt=2).exists()
    expect_loop("from orders", "count(*)", len(rows))
    expect_loop("from orders", "quantity >", len(rows))


@scenario
def items_and_their_products():
    rows = list(orders(20))
    asked = 0
    for order in rows:
        for item in order.items.all():
            item.product.name
            asked += 1
    expect_loop("from orders", "from order_items", len(rows))
    expect_loop("from order_items", "from products", asked)


@scenario
def two_foreign_keys_per_row():
    rows = list(orders(25))
    for order in rows:
        order.user.email, order.address.city
    expect_loop("from orders", "from users", len(rows))
    expect_loop("from orders", "from addresses", len(rows))


@scenario
def a_text_key_per_row():
    rows = list(User.objects.order_by("id")[:21])
    for user in rows:
        user.country.name
    expect_loop("from users", "from countries", len(rows))


@scenario
def filtered_after_a_prefetch():
    rows = list(Order.objects.order_by("id").prefetch_related("items")[:17])
    for order in rows:
        list(order.items.filter(quantity=1))
    expect_loop("from orders", "quantity =", len(rows))


@scenario
def got_by_key_over_an_iterator():
    count = 0
    for order in Order.objects.order_by("id")[:30].iterator(chunk_size=10):
        Address.objects.get(pk=order.address_id)
        count += 1
    expect_loop("from orders", "from addresses", count)


@scenario
def attachments_of_several_kinds():
    kinds = {"user": User, "product": Product, "address": Address}
    rows = list(Attachment.objects.order_by("id"))
    for row in rows:
        kinds[row.subject_type].objects.get(pk=row.subject_id)
    for kind, model in kinds.items():
        expect_loop(
            "from attachments", f"from {model._meta.db_table}", sum(row.subject_type == kind for row in rows)
        )


@scenario
def in_a_transactional_test():
    with transaction.atomic():
        Event.objects.create(kind="made", subject_id=1)
        with transaction.atomic():
            rows = list(orders(13))
            for order in rows:
                order.user.email
        transaction.set_rollback(True)
    expect_loop("from orders", "from users", len(rows))


@scenario
def refreshed_one_by_one():
    rows = list(orders(11))
    for order in rows:
        order.refresh_from_db()
    expect_loop("from orders", "from orders", len(rows))


@scenario
def joined():
    for order in Order.objects.select_related("user__country", "address").order_by("id")[:40]:
        order.user.country.name, order.address.city


@scenario
def prefetched():
    for order in Order.objects.prefetch_related("items__product", "user").order_by("id")[:40]:
        [item.product.name for item in order.items.all()], order.user.email


@scenario
def in_bulk():
    keys = [order.user_id for order in orders(60)]
    User.objects.in_bulk(set(keys))


@scenario
def paginated():
    pages = Paginator(Order.objects.order_by("id"), 25)
    for number in pages.page_range:
        list(pages.page(number).object_list)


@scenario
def created_in_bulk_and_saved_one_by_one():
    Event.objects.bulk_create([Event(kind="seen", subject_id=number) for number in range(50)])
    for order in list(orders(12)):
        order.status = "seen"
        order.save(update_fields=["status"])


@scenario
def a_savepoint_per_write():
    with transaction.atomic():
        for number in range(12):
            with transaction.atomic():
                Event.objects.create(kind="made", subject_id=number)


@scenario
def a_setting_read_again_and_again():
    for _ in range(9):
        Setting.objects.get(pk="currency")
    expect_repeat("redundant-query", 9)


@scenario
def tables_looked_at():
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            connection.introspection.get_table_description(cursor, table)


main(f"Django {django.get_version()}, psycopg {__import__('psycopg').__version__}")
