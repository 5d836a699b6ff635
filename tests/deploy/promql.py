"""Where a PromQL expression does not fit the metrics that there are."""

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


def parsed(text: str) -> Expr:
    """Read an expression, in which Grafana's variables stand for some time."""
    return parse(text.replace("$__rate_interval", "5m").replace("$__range", "5m"))


def selectors(tree: Expr) -> list[VectorSelector]:
    return [node for node in _nodes(tree) if isinstance(node, VectorSelector)]


def faults(tree: Expr) -> Iterator[str]:
    """Series, labels and values that there are not, and functions that do not fit a metric's kind."""
    over_time = Counter(node.vector_selector.name for node in _nodes(tree) if isinstance(node, MatrixSelector))
    for name in Counter(selector.name for selector in selectors(tree)) - over_time:
        if name in SAMPLES and SAMPLES[name].kind is not Kind.GAUGE:
            yield f"{name} is not asked for how it grows"
    for selector in selectors(tree):
        if selector.name in SAMPLES:
            yield from _wrong_matchers(selector.name, selector)
        elif selector.name not in PROMETHEUS_OWN:
            yield f"there is no series {selector.name}"
    for node in _nodes(tree):
        for name in (selector.name for selector in selectors(node) if selector.name in SAMPLES):
            yield from (f"{name} has no label {label}" for label in sorted(_grouped_by(node) - _labels_of(name)))
            yield from _wrong_function(name, node)


def _wrong_function(name: str, node: Expr) -> Iterator[str]:
    function = node.func.name if isinstance(node, Call) else ""
    if function in {"rate", "increase"} and SAMPLES[name].kind is Kind.GAUGE:
        yield f"{name} is a gauge and has no {function}"
    if function == "histogram_quantile" and not name.endswith("_bucket"):
        yield f"{name} has no buckets"


def _wrong_matchers(name: str, selector: VectorSelector) -> Iterator[str]:
    for matcher in selector.matchers.matchers:
        if matcher.name not in _labels_of(name):
            yield f"{name} has no label {matcher.name}"
            continue
        closed = set(SAMPLES[name].labels.get(matcher.name, ()))
        asked = set(matcher.value.split("|") if matcher.op in (MatchOp.Re, MatchOp.NotRe) else [matcher.value])
        if closed and asked - closed:
            yield f"{matcher.name} of {name} is never {', '.join(sorted(asked - closed))}"


def _nodes(tree: Expr) -> list[Expr]:
    nodes: list[Expr] = []
    walk(tree, nodes.append)
    return nodes


def _labels_of(name: str) -> set[str]:
    return PROMETHEUS_LABELS | set(SAMPLES[name].labels) | ({"le"} if name.endswith("_bucket") else set())


def _grouped_by(node: Expr) -> set[str]:
    match node:
        case AggregateExpr(modifier=modifier) if modifier is not None:
            return set(modifier.labels)
        case BinaryExpr(modifier=modifier) if modifier is not None and modifier.matching is not None:
            return set(modifier.matching.labels)
    return set()
