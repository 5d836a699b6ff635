"""What a PromQL expression asks for, and where it does not fit the metrics that there are."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatchOp,
    MatrixSelector,
    VectorSelector,
    parse,
    walk,
)

from cutgate.jobs.observe.metric_names import METRICS, Kind

SAMPLES: Final = {
    metric.name + suffix: metric
    for metric in METRICS
    for suffix in (("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",))
}
"""Every name that can be scraped."""
PROMETHEUS_OWN: Final = {"up", "ALERTS"}
"""Series that Prometheus makes itself."""
PROMETHEUS_LABELS: Final = {"job", "instance"}
"""Labels that Prometheus puts on what it scrapes."""


def parsed(text: str) -> Expr:
    """Read an expression, in which Grafana's variables stand for some time."""
    for variable in ("$__rate_interval", "$__range"):
        text = text.replace(variable, "5m")
    return parse(text)


def selectors(tree: Expr) -> list[VectorSelector]:
    return [node for node in _nodes(tree) if isinstance(node, VectorSelector)]


def labels(tree: Expr) -> set[str]:
    """Labels of what it returns, as far as it names them; those of its series where it groups nothing."""
    named: set[str] = set().union(*map(_named_labels, _nodes(tree)))
    return named or set().union(*(_labels_of(selector.name or "") for selector in selectors(tree)))


def faults(tree: Expr) -> Iterator[str]:
    """Where it does not fit the metrics that there are."""
    for selector in selectors(tree):
        yield from _faults_of_selector(selector)
    yield from _faults_of_values(tree)
    for node in _nodes(tree):
        for name in (selector.name or "" for selector in selectors(node)):
            yield from (f"{name} has no label {label}" for label in sorted(_named_labels(node) - _labels_of(name)))
            if isinstance(node, Call) and name in SAMPLES:
                if node.func.name in {"rate", "increase"} and SAMPLES[name].kind is Kind.GAUGE:
                    yield f"{name} is a gauge and has no {node.func.name}"
                if node.func.name == "histogram_quantile" and not name.endswith("_bucket"):
                    yield f"{name} has no buckets"


def _nodes(tree: Expr) -> list[Expr]:
    nodes: list[Expr] = []
    walk(tree, nodes.append)
    return nodes


def _labels_of(name: str) -> set[str]:
    own = set(SAMPLES[name].labels) if name in SAMPLES else set()
    return PROMETHEUS_LABELS | own | ({"le"} if name.endswith("_bucket") else set())


def _named_labels(node: Expr) -> set[str]:
    match node:
        case AggregateExpr():
            return set(node.modifier.labels if node.modifier is not None else ())
        case BinaryExpr():
            matching = node.modifier.matching if node.modifier is not None else None
            return set(matching.labels if matching is not None else ())
    return set()


def _faults_of_selector(selector: VectorSelector) -> Iterator[str]:
    name = selector.name or ""
    if name not in SAMPLES:
        if name not in PROMETHEUS_OWN:
            yield f"there is no series {name}"
        return
    for matcher in selector.matchers.matchers:
        if matcher.name not in {*SAMPLES[name].labels, *PROMETHEUS_LABELS}:
            yield f"{name} has no label {matcher.name}"
            continue
        closed = set(SAMPLES[name].labels.get(matcher.name, ()))
        asked = set(matcher.value.split("|") if matcher.op in (MatchOp.Re, MatchOp.NotRe) else [matcher.value])
        if closed and asked - closed:
            yield f"{matcher.name} of {name} is never {', '.join(sorted(asked - closed))}"


def _faults_of_values(tree: Expr) -> Iterator[str]:
    """What only ever grows says nothing by its value."""
    asked = Counter(selector.name for selector in selectors(tree))
    over_time = Counter(node.vector_selector.name for node in _nodes(tree) if isinstance(node, MatrixSelector))
    for name in asked - over_time:
        if name in SAMPLES and SAMPLES[name].kind is not Kind.GAUGE:
            yield f"{name} is not asked for how it grows"
