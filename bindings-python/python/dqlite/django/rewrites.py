"""Expressions that Django's SQLite backend leaves to functions in Python, in plain SQL.

`WRITERS` has a function for each class of expressions, which gives its SQL and parameters. What a
server lacks is refused: the answer would be wrong, or an error that speaks of another thing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldError
from django.db import DatabaseError, NotSupportedError, models
from django.db.models import DateTimeField, DecimalField, StdDev, Variance, Window
from django.db.models import functions as fn
from django.db.models.expressions import CombinedExpression, DurationExpression
from django.db.models.functions.datetime import TimezoneMixin
from django.db.models.lookups import IRegex, Regex

from . import temporal

SQL = tuple[str, Any]
Writer = Callable[[Any, Any, Any], SQL]

# What SQLite has only if it was built with SQLITE_ENABLE_MATH_FUNCTIONS.
MATH: dict[type, str] = {
    fn.ACos: "acos",
    fn.ASin: "asin",
    fn.ATan: "atan",
    fn.ATan2: "atan2",
    fn.Cos: "cos",
    fn.Exp: "exp",
    fn.Ln: "ln",
    fn.Log: "log",
    fn.Power: "power",
    fn.Sin: "sin",
    fn.Sqrt: "sqrt",
    fn.Tan: "tan",
}
HASHES = (fn.MD5, fn.SHA1, fn.SHA224, fn.SHA256, fn.SHA384, fn.SHA512)

TIMES_N = "replace(hex(zeroblob({n})), '00', {text})"
SCALARS: dict[type, tuple[str, ...]] = {
    fn.LPad: (
        "CASE WHEN length(a) >= b AND c IS NOT NULL THEN substr(a, 1, b) "
        f"ELSE substr({TIMES_N.format(n='b', text='c')}, 1, b - length(a)) || a END",
        "a",
        "b",
        "c",
    ),
    fn.RPad: (f"substr(a || {TIMES_N.format(n='b', text='c')}, 1, b)", "a", "b", "c"),
    fn.Repeat: (
        f"CASE WHEN b IS NOT NULL THEN {TIMES_N.format(n='b', text='a')} END",
        "a",
        "b",
    ),
    fn.Reverse: (
        "(WITH RECURSIVE r(rest, done) AS (SELECT a, '' UNION ALL "
        "SELECT substr(rest, 2), substr(rest, 1, 1) || done FROM r WHERE rest <> '') "
        "SELECT done FROM r WHERE rest = '')",
        "a",
    ),
}
# From 2^53 on there are no fractions, and soon no integers that could hold the number.
ROUNDINGS: dict[type, tuple[str, str]] = {
    fn.Floor: ("floor", "CAST(a AS INTEGER) - (a < CAST(a AS INTEGER))"),
    fn.Ceil: ("ceiling", "CAST(a AS INTEGER) + (a > CAST(a AS INTEGER))"),
}


@functools.cache
def writer(expression: type) -> Writer | None:
    """What writes an expression of this class, if it is not Django's business."""
    for ancestor in expression.__mro__:
        if ancestor in WRITERS:
            return WRITERS[ancestor]
        # A class of the program's own that knows SQLite.
        if "as_sqlite" in vars(ancestor) and not ancestor.__module__.startswith("django."):
            return None
    return None


def _default(node: Any, compiler: Any, connection: Any) -> SQL:
    write = getattr(node, "as_sqlite", node.as_sql)
    return write(compiler, connection)


def _need(connection: Any, function: str, node: Any) -> None:
    if not connection.features.has_function(function):
        raise NotSupportedError(
            f"{type(node).__name__} needs the SQL function {function}(), which the server's SQLite "
            "was built without."
        )


def _scalar(node: Any, compiler: Any, template: str, names: tuple[str, ...]) -> SQL:
    """An expression that uses its arguments more than once, and evaluates them once."""
    refuse_windows(node)
    columns, params = [], []
    for name, argument in zip(names, node.get_source_expressions(), strict=True):
        sql, more = compiler.compile(argument)
        columns.append(f"{sql} AS {name}")
        params.extend(more)
    return _as_decimal(node, f"(SELECT {template} FROM (SELECT {', '.join(columns)}))"), params


def refuse_windows(node: Any) -> None:
    """Within a subquery, a window would be one row wide."""
    if node.contains_over_clause:
        raise NotSupportedError(f"{type(node).__name__} cannot be applied to a window function.")


def _as_decimal(node: Any, sql: str) -> str:
    try:
        decimal = isinstance(node.output_field, DecimalField)
    except FieldError:
        decimal = False
    return f"CAST({sql} AS NUMERIC)" if decimal else sql


def _math(node: Any, compiler: Any, connection: Any) -> SQL:
    function = next(MATH[it] for it in type(node).__mro__ if it in MATH)
    _need(connection, function, node)
    return _default(node, compiler, connection)


def _mod(node: Any, compiler: Any, connection: Any) -> SQL:
    # Django has it count conditions, for an exclusive "or" of more than two.
    if all(_type(argument) == "IntegerField" for argument in node.get_source_expressions()):
        left, right = node.get_source_expressions()
        return _default(CombinedExpression(left, "%%", right), compiler, connection)
    _need(connection, "mod", node)
    return _default(node, compiler, connection)


def _text(node: Any, compiler: Any, connection: Any) -> SQL:
    template, *names = next(SCALARS[it] for it in type(node).__mro__ if it in SCALARS)
    return _scalar(node, compiler, template, tuple(names))


def _rounding(node: Any, compiler: Any, connection: Any) -> SQL:
    function, template = next(ROUNDINGS[it] for it in type(node).__mro__ if it in ROUNDINGS)
    if connection.features.has_function(function):
        return _default(node, compiler, connection)
    template = f"CASE WHEN abs(a) < 9007199254740992 THEN {template} ELSE a END"
    return _scalar(node, compiler, template, ("a",))


def _template(template: str, function: str | None = None) -> Writer:
    def write(node: Any, compiler: Any, connection: Any) -> SQL:
        if function:
            _need(connection, function, node)
        return _default_with(node, compiler, connection, template)

    return write


def _function(name: str) -> Writer:
    def write(node: Any, compiler: Any, connection: Any) -> SQL:
        sql, params = node.as_sql(compiler, connection, function=name)
        return _as_decimal(node, sql), params

    return write


def _default_with(node: Any, compiler: Any, connection: Any, template: str) -> SQL:
    sql, params = node.as_sql(compiler, connection, template=template)
    return _as_decimal(node, sql), params


def _hash(node: Any, compiler: Any, connection: Any) -> SQL:
    _need(connection, node.function.lower(), node)
    return _default(node, compiler, connection)


def _regex(node: Any, compiler: Any, connection: Any) -> SQL:
    _need(connection, "regexp", node)
    return _default(node, compiler, connection)


def _zoned(node: Any, compiler: Any, connection: Any) -> SQL:
    if settings.USE_TZ and isinstance(node.lhs.output_field, DateTimeField):
        refuse_windows(node)
    return _default(node, compiler, connection)


def _random(node: Any, compiler: Any, connection: Any) -> SQL:
    # 53 bits, as many as a number between 0 and 1 can have.
    return "((random() & 9007199254740991) / 9007199254740992.0)", []


def _spread(node: Any, compiler: Any, connection: Any) -> SQL:
    """In two passes over a list of the values: the formula with sums of squares loses digits."""
    sql, params = node.as_sql(compiler, connection, function="json_group_array")
    squares = "(e.value - m) * (e.value - m)"
    spread = f"avg({squares})"
    if node.function.endswith("_SAMP"):
        spread = f"sum({squares}) / (count(e.value) - 1)"
    if isinstance(node, StdDev):
        _need(connection, "sqrt", node)
        spread = f"sqrt({spread})"
    rows = "json_each(j) AS e, (SELECT avg(value) AS m FROM json_each(j))"
    sql = f"(SELECT (SELECT {spread} FROM {rows}) FROM (SELECT {sql} AS j))"
    return _as_decimal(node, sql), params


def _window(node: Any, compiler: Any, connection: Any) -> SQL:
    if isinstance(node.source_expression, (StdDev, Variance)):
        raise NotSupportedError(
            f"{type(node.source_expression).__name__} cannot be a window function."
        )
    return _default(node, compiler, connection)


def _combined(node: Any, compiler: Any, connection: Any) -> SQL:
    if node.connector == "^":
        _need(connection, "power", node)
    if node.connector == "#":
        refuse_windows(node)
        (left, lparams), (right, rparams) = compiler.compile(node.lhs), compiler.compile(node.rhs)
        sql = f"(SELECT (a | b) - (a & b) FROM (SELECT {left} AS a, {right} AS b))"
        return sql, [*lparams, *rparams]
    return _default(node, compiler, connection)


def _duration(node: Any, compiler: Any, connection: Any) -> SQL:
    left, right = _type(node.lhs), _type(node.rhs)
    (lsql, lparams), (rsql, rparams) = compiler.compile(node.lhs), compiler.compile(node.rhs)
    moments = {"DateField", "DateTimeField", "TimeField"}
    if node.connector in ("*", "/"):
        numbers = {"DecimalField", "DurationField", "FloatField", "IntegerField", None}
        if {left, right} - numbers:
            raise DatabaseError(f"Invalid arguments for operator {node.connector}.")
        operator = "*" if node.connector == "*" else "* 1.0 /"
        return f"({lsql} {operator} {rsql})", [*lparams, *rparams]
    if node.connector in ("+", "-") and left in moments and right == "DurationField":
        refuse_windows(node)
        moment, duration, kind = (lsql, lparams), (rsql, rparams), left
    elif node.connector == "+" and left == "DurationField" and right in moments:
        refuse_windows(node)
        moment, duration, kind = (rsql, rparams), (lsql, lparams), right
    else:
        raise NotSupportedError(f"{left} {node.connector} {right} cannot be computed.")
    return temporal.moved(moment, node.connector, duration, kind)


def _type(expression: Any) -> str | None:
    try:
        return expression.output_field.get_internal_type()
    except (AttributeError, FieldError):
        return None


WRITERS: dict[type, Writer] = {
    **dict.fromkeys(MATH, _math),
    **dict.fromkeys(HASHES, _hash),
    **dict.fromkeys(SCALARS, _text),
    **dict.fromkeys(ROUNDINGS, _rounding),
    fn.Mod: _mod,
    fn.Cot: _template("(1 / TAN(%(expressions)s))", "tan"),
    fn.Degrees: _template(f"((%(expressions)s) * {180 / math.pi!r})"),
    fn.Radians: _template(f"((%(expressions)s) * {math.pi / 180!r})"),
    fn.Pi: _template(repr(math.pi)),
    fn.Random: _random,
    TimezoneMixin: _zoned,
    Regex: _regex,
    IRegex: _regex,
    StdDev: _spread,
    Variance: _spread,
    Window: _window,
    DurationExpression: _duration,
    CombinedExpression: _combined,
}
if hasattr(models, "AnyValue"):
    # From Django 6 on. The least is one of them.
    WRITERS[models.AnyValue] = _function("MIN")
