"""A forwarder's site with Django's ORM: list pages, serializers, commands and tests."""

import sys
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from labels import URL, expect_loop, expect_repeat, main, scenario

address = urlsplit(URL)
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": address.path.lstrip("/") or "none",
            "USER": unquote(address.username or ""),
            "PASSWORD": unquote(address.password or ""),
            "HOST": address.hostname or "",
            "PORT": str(address.port or ""),
        }
    },
    INSTALLED_APPS=[__name__],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
)
django.setup()

from django.core.paginator import Paginator  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.db.models import Count, OuterRef, Prefetch, Subquery  # noqa: E402


class Country(models.Model):
    code = models.TextField(primary_key=True)
    name = models.TextField()

    class Meta:
        db_table = "countries"


class Port(models.Model):
    code = models.TextField(primary_key=True)
    name = models.TextField()
    country = models.ForeignKey(Country, models.CASCADE, db_column="country_code")

    class Meta:
        db_table = "ports"


class Customer(models.Model):
    name = models.TextField()
    country = models.ForeignKey(Country, models.CASCADE, db_column="country_code")
    credit_limit = models.DecimalField(max_digits=12, decimal_places=2, null=True)

    class Meta:
        db_table = "customers"


class Contact(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    name = models.TextField()
    phone = models.TextField(null=True)

    class Meta:
        db_table = "contacts"


class Vessel(models.Model):
    imo = models.TextField(primary_key=True)
    name = models.TextField()

    class Meta:
        db_table = "vessels"


class Voyage(models.Model):
    vessel = models.ForeignKey(Vessel, models.CASCADE, db_column="vessel_imo")
    number = models.TextField()
    departs_on = models.DateField()

    class Meta:
        db_table = "voyages"


class Shipment(models.Model):
    id = models.UUIDField(primary_key=True)
    reference = models.TextField()
    customer = models.ForeignKey(Customer, models.CASCADE)
    voyage = models.ForeignKey(Voyage, models.CASCADE, null=True)
    origin = models.ForeignKey(Port, models.CASCADE, db_column="origin", related_name="+")
    destination = models.ForeignKey(Port, models.CASCADE, db_column="destination", related_name="+")
    status = models.TextField()
    weight_kg = models.IntegerField()

    class Meta:
        db_table = "shipments"


class Leg(models.Model):
    shipment = models.ForeignKey(Shipment, models.CASCADE)
    seq = models.IntegerField()
    mode = models.TextField()

    class Meta:
        db_table = "legs"


class Grant(models.Model):
    pk = models.CompositePrimaryKey("staff_id", "customer_id")
    staff_id = models.IntegerField()
    customer_id = models.IntegerField()
    level = models.TextField()

    class Meta:
        db_table = "grants"


class Document(models.Model):
    owner_type = models.TextField()
    owner_id = models.TextField()
    title = models.TextField()

    class Meta:
        db_table = "documents"


class Entry(models.Model):
    actor = models.TextField()
    subject = models.TextField()

    class Meta:
        db_table = "audit_log"


@scenario
def shipment_list():
    """The list page: a voyage for each row that has one, and a count of its legs."""
    voyages = legs = 0
    for shipment in Shipment.objects.filter(status="in_transit").order_by("reference")[:50]:
        if shipment.voyage_id:
            voyages += 1
            assert shipment.voyage.number
        legs += 1
        assert shipment.leg_set.count()
    expect_loop('from "shipments"', 'from "voyages"', voyages)
    expect_loop('from "shipments"', 'from "legs"', legs)


@scenario
def shipment_list_joined():
    """The same page by select_related and an annotation, through a paginator."""
    shipments = (
        Shipment.objects.filter(status="in_transit")
        .select_related("voyage__vessel", "customer")
        .annotate(legs=Count("leg"))
        .order_by("reference")
    )
    rows = []
    pages = Paginator(shipments, 25)
    for number in list(pages.page_range)[:3]:
        for shipment in pages.page(number):
            vessel = shipment.voyage.vessel.name if shipment.voyage else None
            rows.append((shipment.customer.name, vessel, shipment.legs))


@scenario
def port_and_country():
    """A chain of foreign keys: shipment to port, port to country; objects are not shared."""
    ports = countries = 0
    for shipment in Shipment.objects.filter(weight_kg__lt=1700).order_by("weight_kg"):
        ports += 1
        port = shipment.destination
        countries += 1
        assert port.country.name
    expect_loop('from "shipments"', 'from "ports"', ports)
    expect_loop('from "ports"', 'from "countries"', countries)


@scenario
def permission_per_row():
    """A view that filters in Python: may this clerk see this customer?"""
    asked = 0
    visible = []
    for customer in Customer.objects.filter(credit_limit__isnull=True).order_by("name"):
        asked += 1
        if Grant.objects.filter(staff_id=4, customer_id=customer.pk).exists():
            visible.append(customer)
    expect_loop('from "customers"', 'from "grants"', asked)


@scenario
def prefetched_customers():
    """Customers with contacts and shipments prefetched, one of them filtered."""
    open_shipments = Prefetch(
        "shipment_set", Shipment.objects.exclude(status="delivered").select_related("origin"), to_attr="open"
    )
    newest = (
        Voyage.objects.filter(shipment__customer=OuterRef("pk")).order_by("-departs_on").values("number")[:1]
    )
    customers = Customer.objects.prefetch_related("contact_set", open_shipments)
    cards = []
    for customer in customers.annotate(last_voyage=Subquery(newest)).order_by("id")[:40]:
        phones = [contact.phone for contact in customer.contact_set.all()]
        origins = [shipment.origin.name for shipment in customer.open]
        cards.append((customer.last_voyage, phones, origins))


@scenario
def iterated_command():
    """A management command over a server-side cursor: documents of each customer by type and key."""
    asked = 0
    with transaction.atomic():
        for customer in Customer.objects.order_by("pk").iterator(chunk_size=50):
            asked += 1
            list(Document.objects.filter(owner_type="customer", owner_id=str(customer.pk)))
    expect_loop('from "customers"', 'from "documents"', asked)


@scenario
def test_with_rollback():
    """What a test case does: a fixture in bulk, a savepoint, the page, and all taken back."""
    asked = 0
    with transaction.atomic():
        Contact.objects.bulk_create(
            Contact(id=1000 + n, customer_id=n, name=f"Fixture {n}") for n in range(40, 52)
        )
        with transaction.atomic():
            for contact in Contact.objects.filter(name__startswith="Fixture").order_by("id"):
                asked += 1
                assert contact.customer.name
        transaction.set_rollback(True)
    expect_loop('from "contacts"', 'from "customers"', asked)


@scenario
def save_one_by_one():
    """Log entries of a script, each saved on its own."""
    saved = 0
    for subject in (
        "FRTU007919",
        "FRTU015838",
        "FRTU023757",
        "FRTU031676",
        "FRTU039595",
        "FRTU047514",
        "FRTU055433",
    ):
        Entry(actor="script", subject=subject).save()
        saved += 1
    expect_repeat("row-by-row-writes", saved)


@scenario
def small_dashboard():
    """Three favourite vessels with their next voyage, and a few figures: too few to matter."""
    for vessel in Vessel.objects.order_by("name")[:3]:
        vessel.voyage_set.order_by("departs_on").first()
    Customer.objects.count()
    Shipment.objects.filter(status="held").count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        cursor.fetchall()


@scenario
def vessel_admin():
    """An admin list with two computed columns: how many voyages, and the latest."""
    counts = latest = 0
    for vessel in Vessel.objects.order_by("name"):
        counts += 1
        vessel.voyage_set.count()
        latest += 1
        vessel.voyage_set.order_by("-departs_on").first()
    expect_loop('from "vessels"', 'as "__count" from "voyages"', counts)
    expect_loop('from "vessels"', 'order by "voyages"."departs_on" desc', latest)


if __name__ == "__main__":
    main("Django " + django.__version__)
    if sys.argv[1] == "run":
        connection.close()
