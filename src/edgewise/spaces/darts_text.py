"""DARTS' notation, `Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), ...)`: never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from edgewise.errors import GenotypeError
from edgewise.spaces.cells import Cell, Edge
from edgewise.spaces.genotype import Genotype
from edgewise.spaces.space import SPACES, CellSpace
from edgewise.spaces.validation import cell_faults

FORM = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], reduce_concat=...)"
FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
CELLS = ("normal", "reduce")
# Fields of GDAS' code, None in every genotype of cells.
UNUSED = ("connectN", "connects")
INPUTS, PER_NODE = 2, 2
# No cell has as many nodes or edges, and no primitive a name as long.
NODES, EDGES, LETTERS = 100, 50, 60
# Where texts fit several spaces: those that can be searched first, DARTS before all.
ORDER = sorted(
    (space for space in SPACES.values() if space.cell_types == CELLS), key=lambda space: not space.searchable
)
_FAULTS = 12


def to_text(genotype: Genotype) -> str:
    """A genotype as the authors' code prints it, on one line: two `(primitive, source)` for each node in turn.

    Args:
        genotype: valid, with a normal and a reduction cell.

    Raises:
        GenotypeError: its space has other cells.

    Source: DARTS, genotypes.py and the log of train_search.py of the authors' code.
    """
    if tuple(sorted(genotype.cells)) != CELLS:
        raise GenotypeError(
            f"a genotype of space {genotype.space} has no text of DARTS, which is of a normal and a reduction "
            f"cell: this one has the cells {', '.join(genotype.cells)}"
        )
    parts = []
    for name in CELLS:
        cell = genotype.cells[name]
        pairs = ", ".join(f"({edge.primitive!r}, {edge.source})" for edge in cell.edges)
        parts.append(f"{name}=[{pairs}], {name}_concat={_concat_text(cell.concat)}")
    return f"Genotype({', '.join(parts)})"


def _concat_text(nodes: Sequence[int]) -> str:
    whole = range(nodes[0], nodes[-1] + 1)
    return repr(whole if tuple(whole) == tuple(nodes) else list(nodes))


def from_text(text: str, *, where: str, space: str | None = None, source: str | None = None) -> Genotype:
    """Reads one genotype; the text is parsed and walked, nothing in it is run.

    A node's pairs may stand in a tuple of their own and bear a weight, and the whole may be a dictionary, as
    GDAS' code writes them.

    Args:
        text: from `Genotype(` to its closing bracket, or a dictionary of its fields.
        where: what messages call the text.
        space: the name of its space; if None the first that it fits, DARTS before all.
        source: where the genotype comes from.

    Raises:
        GenotypeError: it is no genotype, or fits no space; says what is wrong, and where.
    """
    reader = _Reader(text, where)
    fields = reader.fields()
    cells = {name: reader.cell(name, fields[name], fields[f"{name}_concat"]) for name in CELLS}
    spaces = [one for one in ORDER if space in (None, one.name)]
    if not spaces:
        raise GenotypeError(
            f"{where}: DARTS' text can't be of space {str(space)[:LETTERS]!r}: choose one of "
            f"{', '.join(one.name for one in ORDER)}"
        )
    return _placed(cells, spaces, where, source)


@dataclass(frozen=True)
class _Reader:
    text: str
    where: str

    def fields(self) -> dict[str, ast.expr]:
        """The values of the four fields, by name."""
        given = self._given(self._tree())
        unknown = [name for name in given if name not in (*FIELDS, *UNUSED)]
        missing = [name for name in FIELDS if name not in given]
        if unknown or missing:
            what = f"lacks {', '.join(missing)}" if missing else f"has {_cut(unknown[0])}"
            raise self._refusal(f"it {what}; its fields are {', '.join(FIELDS)}")
        for name in UNUSED:
            value = given.get(name)
            if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
                raise self._refusal("only None can be read there", name, value)
        return given

    def _tree(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise self._refusal(f"{error.msg} in its line {error.lineno}") from None
        except (ValueError, RecursionError, MemoryError, Warning) as error:
            raise self._refusal(f"it can't be parsed ({type(error).__name__})") from None

    def _given(self, tree: ast.expr) -> dict[str, ast.expr]:
        if isinstance(tree, ast.Dict):
            names = [key.value if isinstance(key, ast.Constant) else None for key in tree.keys]
            pairs = list(zip(names, tree.values, strict=True))
        elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "Genotype":
            if len(tree.args) > len(FIELDS):
                raise self._refusal(f"it has {len(tree.args)} values without a name, expected {len(FIELDS)}")
            pairs = [*zip(FIELDS, tree.args, strict=False), *((word.arg, word.value) for word in tree.keywords)]
        else:
            raise self._refusal("it is neither a call of Genotype nor a dictionary of its fields")
        given: dict[str, ast.expr] = {}
        for name, value in pairs:
            if not isinstance(name, str):
                raise self._refusal("a field without a name can't be read", "its fields", value)
            if name in given:
                raise self._refusal(f"{_cut(name)} is given twice")
            given[name] = value
        return given

    def cell(self, name: str, edges: ast.expr, concat: ast.expr) -> Cell:
        """The cell of two fields."""
        items = self._items(edges, name, "a list of (primitive, source)")
        nested = bool(items) and _edge_parts(items[0]) is None
        if not nested and len(items) % PER_NODE:
            raise self._refusal(f"{name} has {len(items)} edges, expected {PER_NODE} for each node")
        read = []
        for i, item in enumerate(items):
            node, place = (i, f"{name}[{i}]") if nested else (i // PER_NODE, f"{name}[{i}]")
            group = self._items(item, place, "a node's edges, as those before it") if nested else [item]
            read += [self._edge(INPUTS + node, edge, place) for edge in group[: EDGES + 1]]
            if len(read) > EDGES:
                raise self._refusal(f"{name} has more than {EDGES} edges, which no cell has")
        nodes = len(items) if nested else len(items) // PER_NODE
        return Cell(INPUTS, nodes, tuple(read), self._concat(concat, f"{name}_concat"))

    def _edge(self, target: int, node: ast.expr, place: str) -> Edge:
        parts = _edge_parts(node)
        if parts is None or len(parts[1]) not in (1, 2) or not all(map(_is_weight, parts[1][1:])):
            raise self._refusal("expected (primitive, source), or with a weight behind", place, node)
        primitive, (source, *_) = parts
        if len(primitive) > LETTERS:
            raise self._refusal("a primitive's name is shorter", place, node)
        return Edge(target, self._number(source, place), primitive)

    def _concat(self, node: ast.expr, place: str) -> tuple[int, ...]:
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if isinstance(node, ast.Call) and not node.keywords:
            if called == "range" and 1 <= len(node.args) <= 2:
                return tuple(range(*(self._number(argument, place) for argument in node.args)))
            if called in ("list", "tuple") and len(node.args) == 1:
                return self._concat(node.args[0], place)
        items = self._items(node, place, "a list of nodes or range(first, end)")
        return tuple(self._number(item, place) for item in items)

    def _items(self, node: ast.expr, place: str, expected: str) -> list[ast.expr]:
        if not isinstance(node, (ast.List, ast.Tuple)):
            raise self._refusal(f"expected {expected}", place, node)
        return node.elts

    def _number(self, node: ast.expr, place: str) -> int:
        value = node.value if isinstance(node, ast.Constant) else None
        if type(value) is not int or value >= NODES:
            raise self._refusal(f"expected the number of a node, below {NODES}", place, node)
        return value

    def _refusal(self, what: str, place: str = "", node: ast.expr | None = None) -> GenotypeError:
        found = "" if node is None else f"{place} is {_cut(ast.get_source_segment(self.text, node) or '')}: "
        return GenotypeError(f"{self.where} is no genotype of the form {FORM}: {found}{what}")


def _edge_parts(node: ast.expr) -> tuple[str, list[ast.expr]] | None:
    """The primitive of a list or tuple that begins with a text, and what stands behind it."""
    if isinstance(node, (ast.List, ast.Tuple)) and node.elts:
        first = node.elts[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return first.value, node.elts[1:]
    return None


def _is_weight(node: ast.expr) -> bool:
    """Whether a third entry is a strength, such as 0.13 or tensor(0.13); a whole number might be a target."""
    if isinstance(node, ast.Call):
        inner = node.args[:1]
        return bool(inner) and isinstance(inner[0], ast.Constant) and isinstance(inner[0].value, float)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant) and isinstance(node.operand.value, float)
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


def _placed(cells: dict[str, Cell], spaces: Sequence[CellSpace], where: str, source: str | None) -> Genotype:
    """The cells as a genotype of the first space that they fit."""
    tried: list[tuple[bool, int, str, list[str]]] = []
    for space in spaces:
        faults = [
            f"{name}: {fault}"
            for name in space.cell_types
            for fault in cell_faults(cells[name], space, cell_type=name)
        ]
        if not faults:
            return Genotype(space.name, cells, source)
        other_size = any(cell.nodes != space.topology.nodes for cell in cells.values())
        tried.append((other_size, len(faults), space.name, faults))
    _, _, nearest, faults = min(tried, key=lambda entry: entry[:2])
    lines = "".join(f"\n  - {fault}" for fault in faults[:_FAULTS])
    more = f"\n  - and {len(faults) - _FAULTS} more" if len(faults) > _FAULTS else ""
    names = ", ".join(space.name for space in spaces)
    raise GenotypeError(f"{where} fits no space of {names}; nearest is {nearest}, where:{lines}{more}")


def _cut(text: str) -> str:
    return repr(text) if len(text) <= LETTERS else f"{text[: LETTERS - 3]!r}..."
