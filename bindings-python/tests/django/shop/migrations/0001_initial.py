"""The tables in their first shape, and one of SQL's own that refers to them."""

import uuid

from django.db import migrations, models

KEY = models.BigAutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Author",
            [
                ("id", KEY),
                ("name", models.CharField(max_length=40)),
                ("born", models.CharField(max_length=10, null=True)),
            ],
        ),
        migrations.CreateModel(
            "Book",
            [
                ("id", models.UUIDField(primary_key=True, default=uuid.uuid4, serialize=False)),
                ("title", models.TextField()),
                (
                    "author",
                    models.ForeignKey("shop.Author", models.CASCADE, related_name="books"),
                ),
                ("price", models.DecimalField(max_digits=8, decimal_places=2)),
            ],
        ),
        migrations.CreateModel(
            "Counter",
            [
                ("id", KEY),
                ("count", models.IntegerField(default=0)),
            ],
        ),
        migrations.RunSQL(
            "CREATE TABLE shop_note (body text, author_id bigint NOT NULL "
            "REFERENCES shop_author (id) ON DELETE CASCADE)",
            "DROP TABLE shop_note",
        ),
    ]
