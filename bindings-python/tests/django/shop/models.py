"""A shop with something of each kind of field and relation."""

import uuid

from django.db import models
from django.db.models.functions import ExtractYear, Lower


class Author(models.Model):
    """Has books, and friends."""

    full_name = models.CharField(max_length=80)
    email = models.EmailField(unique=True, null=True)
    born = models.DateField(null=True)
    friends = models.ManyToManyField("self")
    mentor = models.ForeignKey("self", models.SET_NULL, null=True, related_name="pupils")

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(Lower("full_name"), "born", name="one_of_a_name_a_day"),
        ]


class Tag(models.Model):
    """On books."""

    word = models.SlugField(primary_key=True)


class Book(models.Model):
    """Something of each kind."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.TextField(db_index=True)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    tags = models.ManyToManyField(Tag, through="Tagging")
    price = models.DecimalField(max_digits=8, decimal_places=2)
    weight = models.FloatField(default=1.0)
    pages = models.PositiveIntegerField(default=1)
    printed = models.DateTimeField(null=True)
    on_sale = models.DateField(null=True)
    opens = models.TimeField(null=True)
    lent_for = models.DurationField(null=True)
    in_stock = models.BooleanField(default=True)
    cover = models.BinaryField(default=b"")
    details = models.JSONField(default=dict)
    twice = models.GeneratedField(
        expression=models.F("pages") * 2, output_field=models.IntegerField(), db_persist=True
    )

    class Meta:
        ordering = ("title",)
        indexes = [models.Index(ExtractYear("on_sale"), name="by_year")]
        constraints = [models.CheckConstraint(condition=models.Q(price__gte=0), name="not_below_0")]


class Tagging(models.Model):
    """When a book was tagged."""

    book = models.ForeignKey(Book, models.CASCADE)
    tag = models.ForeignKey(Tag, models.PROTECT)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        unique_together = (("book", "tag"),)


class Counter(models.Model):
    """Counted up by many."""

    count = models.IntegerField(default=0)
