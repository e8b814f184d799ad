"""Tags, and data made by a program."""

import django.db.models.deletion
from django.db import migrations, models

KEY = models.BigAutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID")


def make_tags(apps, schema_editor):
    apps.get_model("shop", "Tag").objects.bulk_create(
        apps.get_model("shop", "Tag")(word=word) for word in ("new", "used")
    )


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_remake")]
    operations = [
        migrations.CreateModel(
            "Tag", [("word", models.SlugField(primary_key=True, serialize=False))]
        ),
        migrations.CreateModel(
            "Tagging",
            [
                ("id", KEY),
                ("book", models.ForeignKey("shop.Book", models.CASCADE)),
                ("tag", models.ForeignKey("shop.Tag", django.db.models.deletion.PROTECT)),
                ("since", models.DateTimeField(auto_now_add=True)),
            ],
            options={"unique_together": {("book", "tag")}},
        ),
        migrations.AddField(
            "book", "tags", models.ManyToManyField("shop.Tag", through="shop.Tagging")
        ),
        migrations.RunPython(make_tags, migrations.RunPython.noop),
    ]
