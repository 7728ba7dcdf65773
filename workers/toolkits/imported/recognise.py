"""What an upload is: the vendor's folders by the folders in them, everything else by what its texts say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from workers.layerdump.listing import printable
from workers.toolkits.imported import accuracy1, accuracy2
from workers.toolkits.imported.dumps import Dumped, Found, write_rung
from workers.toolkits.imported.layerfiles import NAMES, is_layer_file, read_layer_files
from workers.toolkits.imported.rows import VendorScore, by_scope
from workers.toolkits.imported.texts import ORDER, Accuracy, Table, Texts, read_texts
from workers.toolkits.imported.unpack import Tree
from workers.toolkits.onnxjob.jobside import Refused

LOOKED_FOR = (
    "folders fp32, entire_qnt, individual_qnt, qnt_npu_dump (toolkit 1.x) or golden, simulator (toolkit2); layer files "
    "of NN_LAYER_DUMP (NodeID_..., ..._shape_...npy); an accuracy table; a table of layer times; a build log; "
    "quantization parameters"
)
SHOWN = 20
TENSORS = {".npy", ".tensor", ".txt"}
Folders = dict[str, dict[str, Path]]


@dataclass(frozen=True, order=True)
class Root:
    """An accuracy_analysis folder in the upload: where, and of which toolkit ("1" or "2")."""

    place: PurePosixPath
    toolkit: str

    @property
    def folders(self) -> dict[str, str]:
        return accuracy1.FOLDERS if self.toolkit == "1" else accuracy2.FOLDERS


@dataclass
class Recognised:
    """Everything that was found; `parts` says it in words, `ignored` are files that mean nothing to us."""

    dumps: list[Dumped] = field(default_factory=list)
    scores: list[VendorScore] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    parts: list[dict[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def recognise(tree: Tree, folder: Path, reference: Path | None = None) -> Recognised:
    """Find, read and write what the tree holds: dumps go into `folder`.

    `reference` is a dump that decides names and axis orders of a runtime's layer files; the upload's own quantized dump
    comes first. Raises Refused import:unknown-format, import:several, import:damaged, import:too-large.
    """
    tensors = {place for place in tree if _is_tensor(place)}
    texts = read_texts({place: path for place, path in tree.items() if place not in tensors})
    found = Recognised(tables=texts.tables)
    found.parts = [{"where": str(place), "what": words} for place, words in texts.read.items()]
    used = set(texts.read)
    root = _accuracy_root(tensors)
    if root:
        used |= _read_folder(found, tree, texts, folder, root)
    else:
        found.scores = _loose_scores(texts.accuracy)
    used |= _read_layer_files(found, tree, tensors, folder, reference)
    found.ignored = sorted(str(place) for place in set(tree) - used)
    if not (found.dumps or found.scores or found.tables):
        raise Refused("import:unknown-format", _said(tree, texts.read))
    return found


def _is_tensor(place: PurePosixPath) -> bool:
    """By its folder: golden/x.txt and golden/npy/x.npy hold numbers, not words."""
    if is_layer_file(place.name) or place.name == NAMES:
        return True
    return _is_in_analysis(place) and place.suffix in TENSORS and place.name != ORDER


def _is_in_analysis(place: PurePosixPath) -> bool:
    parents = {parent.name for parent in list(place.parents)[:2]}
    return bool(parents & (set(accuracy1.FOLDERS) | set(accuracy2.FOLDERS)))


def _accuracy_root(tensors: Iterable[PurePosixPath]) -> Root | None:
    """The one accuracy_analysis folder. Raises Refused import:several."""
    roots = set()
    for place in tensors:
        above = place.parent.parent if place.parent.name == "npy" else place.parent
        if place.parent.name in accuracy1.FOLDERS and place.suffix in accuracy1.KINDS:
            roots.add(Root(place.parent.parent, "1"))
        elif above.name in accuracy2.FOLDERS:
            roots.add(Root(above.parent, "2"))
    if len(roots) > 1:
        names = ", ".join(str(root.place)[:100] for root in sorted(roots)[:5])
        raise Refused("import:several", f"There are {len(roots)} accuracy_analysis folders: {names}.")
    return roots.pop() if roots else None


def _read_folder(found: Recognised, tree: Tree, texts: Texts, folder: Path, root: Root) -> set[PurePosixPath]:
    """The dumps and tables of one accuracy_analysis folder; the files that were read."""
    folders = {name: files for name in root.folders if (files := _below(tree, root.place / name))}
    tables = [table for table in texts.accuracy if table.origin.parent == root.place] or texts.accuracy
    if root.toolkit == "1":
        rungs = _read_first(found, texts, tables, folders)
    else:
        rungs = _read_second(found, texts, tables, folders, root)
    used: set[PurePosixPath] = set()
    for rung, (origin, layers) in rungs.items():
        found.dumps.append(write_rung(folder, rung, origin, layers))
        found.parts.append({"where": str(root.place / origin), "what": f"{rung} dump, {len(layers)} layers"})
        used |= {root.place / layer.label for layer in layers}
    return used | _twins(used, root, folders)


def _twins(used: Iterable[PurePosixPath], root: Root, folders: Folders) -> set[PurePosixPath]:
    """The texts beside the arrays that were read, which say the same."""
    stems = {place.stem for place in used}
    places = {root.place / name / file for name, files in folders.items() for file in files}
    return {place for place in places if place.stem in stems}


Rungs = dict[str, tuple[str, list[Found]]]


def _read_first(found: Recognised, texts: Texts, tables: list[Accuracy], folders: Folders) -> Rungs:
    orders = [texts.orders[place] for place in sorted(texts.orders, key=lambda at: at.parent.name != "fp32")]
    listed = orders[0] if orders else [row.name for table in tables for row in table.rows]
    opened = accuracy1.Folder1(folders, listed, texts.scales)
    found.scores = _once(opened.score(table.rows, table.scope) for table in tables)
    return opened.rungs()


def _read_second(
    found: Recognised, texts: Texts, tables: list[Accuracy], folders: Folders, root: Root
) -> Rungs:
    names = next((names for place, names in texts.maps.items() if place.parent == root.place), {})
    rows = tables[0].rows if tables else []
    opened = accuracy2.Folder2(folders, names, rows, texts.scales)
    found.scores = _once(opened.score(table.rows) for table in tables)
    return opened.rungs()


def _loose_scores(tables: list[Accuracy]) -> list[VendorScore]:
    """Tables without dumps: the name of a layer is all there is. A table that is there twice counts once."""
    different = [
        table for at, table in enumerate(tables) if all(table.rows != one.rows for one in tables[:at])
    ]
    return _once(_loose(table) for table in different)


def _loose(table: Accuracy) -> list[VendorScore]:
    scores = []
    for scope, rows in by_scope(table.rows, table.scope).items():
        for row, printed in rows:
            told = accuracy1.named(row.name.removesuffix(".npy").removesuffix(".tensor"))
            plain = replace(told, layer=printable(row.name), op=row.op, shape=()) if row.op else told
            scores.append(VendorScore(scope, plain.layer, plain.op[:60], row.dtype, printed, "", plain.shape))
    return scores


def _once(tables: Iterable[list[VendorScore]]) -> list[VendorScore]:
    """All tables' rows. Raises Refused import:several when two tables are of one scope."""
    scores: list[VendorScore] = []
    seen: set[str] = set()
    for table in tables:
        scopes = {score.scope for score in table}
        if scopes & seen:
            raise Refused(
                "import:several", f"Two accuracy tables are of the same scope: {', '.join(scopes & seen)}."
            )
        seen |= scopes
        scores += table
    return scores


def _read_layer_files(
    found: Recognised, tree: Tree, tensors: set[PurePosixPath], folder: Path, reference: Path | None
) -> set[PurePosixPath]:
    """The one folder of a runtime's layer files, where there is one."""
    places = {place.parent for place in tensors if is_layer_file(place.name) and not _is_in_analysis(place)}
    if not places:
        return set()
    if len(places) > 1:
        names = ", ".join(str(place)[:100] for place in sorted(places)[:5])
        raise Refused("import:several", f"There are {len(places)} folders of layer files: {names}.")
    place = places.pop()
    files = {name: path for name, path in _below(tree, place).items() if is_layer_file(name) or name == NAMES}
    made = {dump.rung: dump.file for dump in found.dumps}
    against = made.get("quantized") or reference or made.get("converted")
    dump = read_layer_files(folder, files, f"{place}/", against)
    found.dumps.append(dump)
    found.parts.append({"where": f"{place}/", "what": f"board dump, {len(dump.layers)} layers"})
    return {place / name for name in files}


def _below(tree: Tree, folder: PurePosixPath) -> dict[str, Path]:
    """The files below a folder, by their names from there on."""
    return {str(place.relative_to(folder)): path for place, path in tree.items() if folder in place.parents}


def _said(tree: Tree, read: Mapping[PurePosixPath, str]) -> str:
    """What was looked for, and what is there instead."""
    names = ", ".join(str(place)[:100] for place in sorted(tree)[:SHOWN])
    more = f" and {len(tree) - SHOWN} more" if len(tree) > SHOWN else ""
    first = f" {'; '.join(sorted(set(read.values())))} says nothing alone." if read else ""
    if len(tree) == 1 and not read:
        (path,) = tree.values()
        with path.open("rb") as file:
            begin = file.read(80).decode("utf-8", errors="replace")
        first = f" It begins with {begin!r}."
    return f"Looked for: {LOOKED_FOR}. Found: {names or 'no file'}{more}.{first}"
