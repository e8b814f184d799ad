"""What SQLite can only do by making tables anew: types, names, keys, constraints."""

from django.db import migrations, models
from django.db.models.functions import ExtractYear, Lower


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RenameField("author", "name", "full_name"),
        migrations.AlterField("author", "full_name", models.CharField(max_length=80)),
        migrations.AlterField("author", "born", models.DateField(null=True)),
        migrations.AddField("author", "email", models.EmailField(unique=True, null=True)),
        migrations.AddField("author", "friends", models.ManyToManyField("shop.author")),
        migrations.AddField(
            "author",
            "mentor",
            models.ForeignKey("shop.Author", models.SET_NULL, null=True, related_name="pupils"),
        ),
        migrations.AlterModelOptions("author", {"ordering": ("id",)}),
        migrations.AddConstraint(
            "author",
            models.UniqueConstraint(Lower("full_name"), "born", name="one_of_a_name_a_day"),
        ),
        migrations.AddField("book", "weight", models.FloatField(default=1.0)),
        migrations.AddField("book", "pages", models.PositiveIntegerField(default=1)),
        migrations.AddField("book", "printed", models.DateTimeField(null=True)),
        migrations.AddField("book", "on_sale", models.DateField(null=True)),
        migrations.AddField("book", "opens", models.TimeField(null=True)),
        migrations.AddField("book", "lent_for", models.DurationField(null=True)),
        migrations.AddField("book", "in_stock", models.BooleanField(default=True)),
        migrations.AddField("book", "cover", models.BinaryField(default=b"")),
        migrations.AddField("book", "details", models.JSONField(default=dict)),
        migrations.AddField(
            "book",
            "twice",
            models.GeneratedField(
                expression=models.F("pages") * 2,
                output_field=models.IntegerField(),
                db_persist=True,
            ),
        ),
        migrations.AlterField("book", "title", models.TextField(db_index=True)),
        migrations.AlterModelOptions("book", {"ordering": ("title",)}),
        migrations.AddIndex("book", models.Index(ExtractYear("on_sale"), name="by_year")),
        migrations.AddConstraint(
            "book",
            models.CheckConstraint(condition=models.Q(price__gte=0), name="not_below_0"),
        ),
    ]
