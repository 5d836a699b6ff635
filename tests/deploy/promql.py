"""What a PromQL expression asks for: its series, its labels, and the unit of what it returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatchOp,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    VectorSelector,
    parse,
    walk,
)

from cutgate.jobs.observe.metric_names import METRICS, Kind, Metric

HISTOGRAM_SUFFIXES: Final = ("_bucket", "_sum", "_count")
SAMPLES: Final = {
    metric.name + suffix: metric
    for metric in METRICS
    for suffix in (HISTOGRAM_SUFFIXES if metric.kind is Kind.HISTOGRAM else ("",))
}
"""Every name that can be scraped."""
PROMETHEUS_OWN: Final = {"up": "processes", "ALERTS": "alerts"}
"""Series that Prometheus makes itself, and what they count."""
PROMETHEUS_LABELS: Final = {"job", "instance"}
"""Labels that Prometheus puts on what it scrapes."""
RATIO: Final = "ratio"
NUMBER: Final = "number"
OBSERVATIONS: Final = "observations"
_COMPARISONS: Final = {"==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"}


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed expression; Grafana's variables stand for some time."""

    tree: Expr

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read an expression.

        Raises:
            ValueError: it is no PromQL.
        """
        for variable in ("$__rate_interval", "$__range"):
            text = text.replace(variable, "5m")
        return cls(parse(text))

    def selectors(self) -> list[VectorSelector]:
        """The series that it asks for."""
        return [node for node in _nodes(self.tree) if isinstance(node, VectorSelector)]

    def labels(self) -> set[str]:
        """Labels of what it returns, as far as it names them; those of its series where it groups nothing."""
        named: set[str] = set().union(*(_named_labels(node) for node in _nodes(self.tree)))
        return named or set().union(*map(_labels_of, self.selectors()))

    def faults(self) -> Iterator[str]:
        """Where it does not fit the metrics that there are."""
        for selector in self.selectors():
            name = selector.name or ""
            if name in SAMPLES:
                yield from _faults_of_matchers(selector, SAMPLES[name])
            elif name not in PROMETHEUS_OWN:
                yield f"there is no series {name}"
        yield from _faults_of_values(self.tree)
        for node in _nodes(self.tree):
            yield from _faults_of_grouping(node)
            yield from _faults_of_call(node)

    def unit(self) -> str:
        """What its values are measured in."""
        return _unit(self.tree)


def _nodes(tree: Expr) -> list[Expr]:
    nodes: list[Expr] = []
    walk(tree, nodes.append)
    return nodes


def _labels_of(selector: VectorSelector) -> set[str]:
    name = selector.name or ""
    own = set(SAMPLES[name].labels) if name in SAMPLES else set()
    return PROMETHEUS_LABELS | own | ({"le"} if name.endswith("_bucket") else set())


def _named_labels(node: Expr) -> set[str]:
    """The labels that a node groups or matches by."""
    match node:
        case AggregateExpr():
            return set(node.modifier.labels if node.modifier is not None else ())
        case BinaryExpr():
            matching = node.modifier.matching if node.modifier is not None else None
            return set(matching.labels if matching is not None else ())
    return set()


def _faults_of_grouping(node: Expr) -> Iterator[str]:
    named = _named_labels(node)
    for selector in Query(node).selectors() if named else ():
        yield from (f"{selector.name} has no label {label}" for label in sorted(named - _labels_of(selector)))


def _faults_of_matchers(selector: VectorSelector, metric: Metric) -> Iterator[str]:
    for matcher in selector.matchers.matchers:
        if matcher.name not in {*metric.labels, *PROMETHEUS_LABELS}:
            yield f"{metric.name} has no label {matcher.name}"
            continue
        closed = metric.labels.get(matcher.name)
        asked = matcher.value.split("|") if matcher.op in (MatchOp.Re, MatchOp.NotRe) else [matcher.value]
        if closed and not set(asked) <= set(closed):
            yield f"{matcher.name} of {metric.name} is never {', '.join(sorted(set(asked) - set(closed)))}"


def _faults_of_values(tree: Expr) -> Iterator[str]:
    """What only ever grows says nothing by its value."""
    asked = Counter(node.name for node in _nodes(tree) if isinstance(node, VectorSelector))
    over_time = Counter(node.vector_selector.name for node in _nodes(tree) if isinstance(node, MatrixSelector))
    for name in asked - over_time:
        if name in SAMPLES and SAMPLES[name].kind is not Kind.GAUGE:
            yield f"{name} is not asked for how it grows"


def _faults_of_call(node: Expr) -> Iterator[str]:
    """A gauge does not only grow, and quantiles come from buckets."""
    if not isinstance(node, Call):
        return
    for selector in Query(node).selectors():
        name = selector.name or ""
        metric = SAMPLES.get(name)
        if metric is None:
            continue
        if node.func.name in {"rate", "increase"} and metric.kind is Kind.GAUGE:
            yield f"{name} is a gauge and has no {node.func.name}"
        if node.func.name == "histogram_quantile" and not name.endswith("_bucket"):
            yield f"{name} has no buckets"


def _unit(node: Expr) -> str:
    match node:
        case AggregateExpr() | ParenExpr():
            return _unit(node.expr)
        case NumberLiteral():
            return NUMBER
        case VectorSelector():
            return _unit_of_series(node.name or "")
        case MatrixSelector():
            return _unit(node.vector_selector)
        case Call():
            return _unit_of_call(node)
        case BinaryExpr():
            return _unit_of_operation(node)
    raise AssertionError(f"a form of PromQL that this reader does not know: {type(node).__name__}")


def _unit_of_series(name: str) -> str:
    if name in PROMETHEUS_OWN:
        return PROMETHEUS_OWN[name]
    counts = name.endswith(("_bucket", "_count")) and SAMPLES[name].kind is Kind.HISTOGRAM
    return f"{OBSERVATIONS} of {SAMPLES[name].unit}" if counts else SAMPLES[name].unit


def _unit_of_call(node: Call) -> str:
    unit = _unit(node.args[-1])
    match node.func.name:
        case "rate":
            return f"{unit} per second"
        case "histogram_quantile":
            return unit.removeprefix(f"{OBSERVATIONS} of ").removesuffix(" per second")
        case "increase" | "absent":
            return unit
        case "vector":
            return NUMBER
    raise AssertionError(f"a function that this reader does not know: {node.func.name}")


def _unit_of_operation(node: BinaryExpr) -> str:
    left, right = _unit(node.lhs), _unit(node.rhs)
    operator = str(node.op)
    if operator in _COMPARISONS or right == NUMBER:
        return f"{left} / {node.rhs}" if operator == "/" else left
    assert operator == "/", f"an operation that this reader does not know: {operator}"
    if left == right:
        return RATIO
    # Seconds that were spent, over how often: seconds each.
    assert right == f"{OBSERVATIONS} of {left}", f"{left} divided by {right}"
    return left.removesuffix(" per second")
