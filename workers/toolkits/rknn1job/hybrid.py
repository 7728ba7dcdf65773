"""Single layers in a data type of their own: both steps of hybrid quantization, and the recipe's layers between them.

As the manual draws it [UG 4.5.3], step 2 is done by an object of its own, with config() called once more.
"""

import os
from typing import Any, Callable, Dict, Iterable, List

from workers.toolkits.rknn1job.calls import Failed, done
from workers.toolkits.rknn1job.channel import stage
from workers.toolkits.rknn1job.configuration import divided, layers_in, section_of
from workers.toolkits.rknn1job.names import layer_of, mangled, without_number

FOLDER = (
    "hybrid"  # what step 1 wrote; it leaves that in the working folder, under a name from inside the model
)
PROPOSAL = os.path.join(FOLDER, "proposal.yml")
OURS = "job.json"
CONFIGURATION = ".quantization.cfg"
ENDINGS = (".json", ".data", CONFIGURATION)
NAMES_SHOWN = 20
SHORTENED = (
    "~"  # stands before the hash in a dump's name that was too long; no file name of the toolkit has it
)


def in_two_steps(rknn: Any, configured: Callable[[], Any], plan: Dict[str, Any]) -> Any:
    """Quantize what `rknn` has loaded; the object that has it then, which `configured` opens. Raises Failed."""
    stage("quantizing", 0, 1)
    stem = first_step(rknn, plan["dataset"])
    rknn.release()
    give_types(stem + CONFIGURATION, plan["hybrid"])
    stage("quantizing", 1, 1)
    stage("building", 0, 1)
    second = configured()
    settings = dict(
        zip(("model_input", "data_input", "model_quantization_cfg"), (stem + end for end in ENDINGS))
    )
    call = second.hybrid_quantization_step2
    done("hybrid_quantization_step2", call, dataset=plan["dataset"], **dict(settings, **plan["build"]))
    stage("building", 1, 1)
    return second


def first_step(rknn: Any, dataset: str) -> str:
    """Step 1; where its files are, without their endings. A network called "job" does not cost us job.json."""
    with open(OURS, "rb") as file:
        kept = file.read()
    done("hybrid_quantization_step1", rknn.hybrid_quantization_step1, dataset=dataset)
    found = [name[: -len(CONFIGURATION)] for name in os.listdir(".") if name.endswith(CONFIGURATION)]
    if len(found) != 1:
        raise Failed("step 1 wrote %d *%s." % (len(found), CONFIGURATION), "toolkit:bad-result")
    os.mkdir(FOLDER)
    stem = os.path.join(FOLDER, found[0])
    for ending in ENDINGS:
        try:
            os.rename(found[0] + ending, stem + ending)
        except OSError as failed:
            raise Failed("step 1 wrote no %s%s: %s" % (found[0], ending, failed), "toolkit:bad-result")
    with open(OURS, "wb") as file:
        file.write(kept)
    return stem


def give_types(path: str, wish: Dict[str, Any]) -> None:
    """Put the recipe's layers, and nothing of the suggestion, into quantization.cfg; keep the suggestion if asked."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        text = file.read()
    before, suggested, after = divided(text)
    if wish["propose"]:
        with open(PROPOSAL, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(suggested)
    layers = own_names(wish["layers"], layers_in(text))
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(before + section_of(layers) + after)


def own_names(layers: Dict[str, str], known: Iterable[str]) -> Dict[str, str]:
    """`layers` by the toolkit's own names. Raises Failed recipe:unknown-layer; recipe:invalid for what is not clear."""
    names = Names(known)
    meant = {name: names.find(name) for name in layers}
    unknown = [name for name, found in meant.items() if not found]
    if unknown:
        raise Failed(", ".join(map(repr, unknown[:NAMES_SHOWN])), "recipe:unknown-layer")
    given: Dict[str, str] = {}
    for name, found in meant.items():
        if len(found) > 1:
            several = ", ".join(sorted(found)[:NAMES_SHOWN])
            raise Failed("hybrid: %r is not one layer but may be %s." % (name, several), "recipe:invalid")
        if given.setdefault(found[0], layers[name]) != layers[name]:
            raise Failed("hybrid: the layer %s has two data types." % found[0], "recipe:invalid")
    return given


class Names:
    """The toolkit's own names of layers, to be found by others: as dumps have them, without or with another number."""

    def __init__(self, known: Iterable[str]) -> None:
        self.own: Dict[str, List[str]] = {}
        self.dumped: Dict[str, List[str]] = {}
        self.plain: Dict[str, List[str]] = {}
        for name in known:
            self.own.setdefault(name, []).append(name)
            self.dumped.setdefault(mangled(name), []).append(name)
            self.plain.setdefault(without_number(mangled(name)), []).append(name)

    def find(self, name: str) -> List[str]:
        """The layers that `name` may mean; the nearest way of calling them counts."""
        called = mangled(layer_of(name))
        ways = (
            (self.own, name),
            (self.dumped, called),
            (self.plain, called),
            (self.plain, without_number(called)),
        )
        found = next((table[key] for table, key in ways if key in table), [])
        return found or (self._shortened(name) if SHORTENED in name else [])

    def _shortened(self, name: str) -> List[str]:
        """Those that a dump shows by their beginning and a hash, for their length."""
        begin = mangled(name.rpartition(SHORTENED)[0])
        return [own for dumped, names in self.dumped.items() if dumped.startswith(begin) for own in names]
