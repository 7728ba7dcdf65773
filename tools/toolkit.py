"""Make the environment of a toolkit: `python -m tools.toolkit rknn2` makes .toolkits/rknn2.

A toolkit pins other versions than ours (see toolkits/<name>.txt), so it gets an interpreter of its own. A vendor's
package is installed without its declared needs, which cannot all be met; then the toolkit is started once, because some
needs show only there. An environment that was left half made is made anew. `--with tensorflow` installs what
toolkits/<name>-tensorflow.txt says into the same environment; asked for without it later, that environment stays.
"""

import argparse
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Recipe:
    """How a toolkit is installed: a package without its needs ("" for none), and a program that shows that it works.

    `extras`: by name, the program that shows that what was installed beside it works.
    """

    package: str
    trial: str
    effort: str
    extras: Mapping[str, str] = field(default_factory=dict)


# what a conversion does with a .pt, on the smallest network
TORCH_TRIAL = """
import io, torch
traced, saved = torch.jit.trace(torch.nn.ReLU(), torch.zeros(1)), io.BytesIO()
torch.jit.save(traced, saved)
saved.seek(0)
torch.onnx.export(torch.jit.load(saved), (torch.zeros(1),), io.BytesIO(), dynamo=False, opset_version=12)
"""

RECIPES = {
    "rknn2": Recipe(
        "rknn-toolkit2==2.5.0",
        "from rknn.api import RKNN; RKNN().release()",
        "1.5 GB, one to five minutes; 1.3 GB and half a minute more with TensorFlow",
        {"tensorflow": "import tensorflow; tensorflow.lite.Interpreter"},
    ),
    "torch": Recipe("", TORCH_TRIAL, "1.1 GB, half a minute to three minutes"),
}


def main(arguments: list[str]) -> int:
    """Make the environment; the exit status."""
    parser = argparse.ArgumentParser(prog="tools.toolkit", description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--into", type=Path, help="default: .toolkits/<name>, or .toolkits/<name>-<version>")
    parser.add_argument("--version", default="", help="another version of the package, beside the usual one")
    parser.add_argument(
        "--with", dest="extra", default="", help="what to install beside it: tensorflow (rknn2)"
    )
    given = parser.parse_args(arguments)
    if given.extra and given.extra not in RECIPES[given.name].extras:
        parser.error(f"{given.name} has nothing called {given.extra}")
    folder = given.into or ROOT / ".toolkits" / "-".join(filter(None, (given.name, given.version)))
    if given.version:
        RECIPES[given.name] = of_version(RECIPES[given.name], given.version)
    if is_made(folder, given.name, given.extra):
        sys.stdout.write(f"{folder.name} is there already\n")
        return 0
    try:
        make(folder, given.name, given.extra)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"could not make {folder.name}: a command ended with status {error.returncode}\n")
        return 1
    sys.stdout.write(f"{folder.name} is ready: {RECIPES[given.name].package or given.name}\n")
    return 0


def of_version(recipe: Recipe, version: str) -> Recipe:
    """The same with another version of the package; the needs stay as they are pinned."""
    return replace(recipe, package=f"{recipe.package.partition('==')[0]}=={version}")


def is_made(folder: Path, name: str, extra: str = "") -> bool:
    """Whether the environment was finished with exactly what is asked for now, or with something beside that."""
    mark = folder / "made"
    known = {wanted(name, each) for each in ([extra] if extra else ["", *RECIPES[name].extras])}
    return mark.is_file() and mark.read_text() in known


def wanted(name: str, extra: str = "") -> str:
    return "\n".join([RECIPES[name].package, *(file.read_text() for file in requirements(name, extra))])


def requirements(name: str, extra: str = "") -> list[Path]:
    """The files of what is needed, to be installed together."""
    return [ROOT / "toolkits" / f"{each}.txt" for each in (name, *([f"{name}-{extra}"] if extra else []))]


def make(folder: Path, name: str, extra: str = "") -> None:
    """Make it from nothing. Raises CalledProcessError."""
    recipe, python = RECIPES[name], str(folder / "bin" / "python")
    sys.stdout.write(f"==> Making {folder.name} ({recipe.effort})\n")
    sys.stdout.flush()
    venv.create(folder, clear=True, with_pip=True)
    install = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    files = [word for file in requirements(name, extra) for word in ("-r", str(file))]
    subprocess.run([*install, "--only-binary", ":all:", *files], check=True)
    if recipe.package:
        subprocess.run([*install, "--no-deps", recipe.package], check=True)
    for trial in [recipe.trial, *([recipe.extras[extra]] if extra else [])]:
        subprocess.run([python, "-W", "ignore", "-c", trial], check=True)
    (folder / "made").write_text(wanted(name, extra))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
