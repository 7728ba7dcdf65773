"""Both agents on the stand-ins of both of Rockchip's runtimes, given the same jobs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boardagent import tensorfile
from tests.boardagent.npuchild import IMAGE, NUMBERS, OFFSET, Arrays, write
from tests.boardagent_c.board import Board, Event, Received

PICTURE: Arrays = {"image": IMAGE, "offset": OFFSET}
LIBRARIES = {"rknn1": "librknn_api.so", "rknn2": "librknnrt.so"}


class OneAgent:
    """A board with one of the agents, and the stand-in of one kind."""

    def __init__(self, board: Board, kind: str, libraries: Path) -> None:
        self.board, self.kind = board, kind
        board.environment["LAYERWISE_RKNN_LIBRARY"] = str(libraries / LIBRARIES[kind])
        board.environment["RKNN_STANDIN_TRY_MS"] = "20"

    def run(
        self, *lines: str, inputs: Arrays | None = None, second: Arrays | None = None, **job: Any
    ) -> Received:
        """All of a run, of a model file with these lines."""
        model = "\n".join(["STANDIN1", *lines, ""]).encode()
        folder = self.board.folder(model=model, npu=self.kind, **job)
        write(folder / "inputs.safetensors", inputs or PICTURE, "inputs/1")
        if second is not None:
            write(folder / "second.safetensors", second, "inputs/1")
        self.board.start(folder)
        received = Received()
        status = self.board.attach(folder, received)
        assert status == 0, (received.other, (folder / "agent.log").read_text())
        return received

    def outputs(self, received: Received, mode: str = "plain") -> "Outputs":
        return Outputs(received.files()[received.result()[mode]["outputs"]], self.board.root / "outputs")


class Outputs:
    """An outputs file: `metadata`, and the numbers as they lie in it."""

    def __init__(self, data: bytes, place: Path) -> None:
        place.write_bytes(data)
        with tensorfile.TensorFile(str(place)) as file:
            self.metadata = file.metadata
            self.types = {name: dtype for name, (dtype, _, _, _) in file.entries.items()}
            self.arrays: dict[str, NDArray[Any]] = {
                name: np.frombuffer(file.read(name), NUMBERS[dtype]).reshape(shape)
                for name, (dtype, shape, _, _) in file.entries.items()
            }


def checks_of(received: Received) -> dict[str, Event]:
    """The sequence checks by their names."""
    return {check["name"]: check for check in received.result()["sequence"]["checks"]}
