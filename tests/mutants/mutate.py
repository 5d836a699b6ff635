"""Mutants of a Python file: one small change each, which a test should notice."""

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPPOSITES: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
UNTESTED_CALLS: Final = ("log.", "logger.", "_LOG.", "super().__init__")
"""Beginnings of calls that are never dropped."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file in which bytes `start` to `end` read `after` instead of `before`."""

    path: str
    line: int
    kind: str
    start: int
    end: int
    before: str
    after: str
    in_function: bool
    """False for code that runs when the module is imported."""

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


def sample(root: Path, folders: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """Mutants of the Python files in folders, spread evenly over modules and kinds of change."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    found = [mutant for path in paths for mutant in sorted(mutants(root, path), key=lambda each: each.kind)]
    step = max(1.0, len(found) / count)
    first = random.Random(seed).random() * step
    return [found[int(first + number * step)] for number in range(count) if first + number * step < len(found)]


def mutants(root: Path, path: Path) -> Iterator[Mutant]:
    """Every mutant of a file that compiles."""
    source = path.read_bytes()
    lines = source.splitlines(keepends=True)
    begins = [0]
    for text in lines:
        begins.append(begins[-1] + len(text))
    for node, in_function in _walk(ast.parse(source), in_function=False):
        for kind, old, after in _changes(node):
            assert old.end_lineno is not None
            assert old.end_col_offset is not None
            start = begins[old.lineno - 1] + old.col_offset
            end = begins[old.end_lineno - 1] + old.end_col_offset
            before = source[start:end].decode()
            name = path.relative_to(root).as_posix()
            mutant = Mutant(name, old.lineno, kind, start, end, before, after, in_function)
            if _compiles(mutant.applied(source)):
                yield mutant


def _walk(node: ast.AST, *, in_function: bool) -> Iterator[tuple[ast.AST, bool]]:
    """The nodes whose changes can be noticed: no docstrings, annotations or formats."""
    yield node, in_function
    for name, value in ast.iter_fields(node):
        within = in_function or (name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        if name not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _is_silent(child):
                    yield from _walk(child, in_function=within)


def _is_silent(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return False


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:  # noqa: C901  # a table of cases
    """Kind, the node to replace and its new text."""
    match node:
        case ast.Compare(left=left, ops=[operator, *others], comparators=comparators) if (
            type(operator) in OPPOSITES
        ):
            opposite = ast.Compare(left, [OPPOSITES[type(operator)](), *others], comparators)
            yield "comparison", node, f"({ast.unparse(opposite)})"
        case ast.BoolOp(op=operation, values=values):
            other = ast.Or() if isinstance(operation, ast.And) else ast.And()
            yield "boolean", node, f"({ast.unparse(ast.BoolOp(other, values))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "boolean", node, f"({ast.unparse(operand)})"
        case ast.If(test=ast.Name() | ast.Attribute() | ast.Call() as test):
            yield "boolean", test, f"(not {ast.unparse(test)})"
        case ast.Constant(value=bool() as truth):
            yield "constant", node, str(not truth)
        case ast.Constant(value=int() | float() as number):
            yield "constant", node, f"({number + 1!r})"
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield "early return", node, "return None"
        case ast.Expr(value=ast.Call(func=called)) if not ast.unparse(called).startswith(UNTESTED_CALLS):
            yield "dropped call", node, "pass"


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True
