"""Every failure code a job can end with: whose fault it is, a title, and what to do next.

The code is `who:what` and public: page, API and docs show the same three texts. The part before the colon is
the class that decides about retries (see `Failure.is_retried`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One way to fail: its public code, a title for people, and the advice that says what to do next."""

    code: str
    title: str
    advice: str

    @property
    def is_retried(self) -> bool:
        """Infrastructure may recover by itself; a user's file, a toolkit's verdict and a bug do not."""
        return self.code.split(":")[0] in {"board", "system"} and self.code not in FINAL

    @property
    def blame(self) -> str:
        """user, toolkit, infrastructure, cancelled or bug."""
        return BLAME[self.code.split(":")[0]] if self.code not in OWN_BLAME else OWN_BLAME[self.code]


BLAME = {
    "model": "user",
    "data": "user",
    "recipe": "user",
    "toolkit": "toolkit",
    "board": "infrastructure",
    "system": "infrastructure",
    "job": "cancelled",
}
OWN_BLAME = {"system:bug": "bug"}
FINAL = {
    "system:bug",
    "system:lost",
    "board:host-key-changed",
    "board:no-python",
    "board:rejected-artifact",
    "board:login-refused",
}

ALL = [
    # The uploaded model
    Failure(
        "model:empty",
        "The model file is empty",
        "Export the model again and check the file's size before uploading.",
    ),
    Failure(
        "model:not-onnx",
        "The file is not an ONNX model",
        "It could not be parsed as ONNX: it may be truncated or of another format. Check it with onnx.checker and upload it again.",
    ),
    Failure(
        "model:invalid",
        "The ONNX model is not valid",
        "onnx.checker refuses it. The detail names the node or tensor; export the model again with a supported opset.",
    ),
    Failure(
        "model:external-data",
        "The weights are in another file",
        "Save the model as one file: onnx.save(model, path, save_as_external_data=False), or export with dynamo=False.",
    ),
    Failure(
        "model:too-large",
        "The model is larger than this site allows",
        "Ask the site's administrator to raise LAYERWISE_MAX_UPLOAD_MB, or make the model smaller.",
    ),
    Failure(
        "model:dynamic-input",
        "An input has no fixed size",
        "Name the sizes in the recipe (inputs: name: shape) or export the model with static shapes.",
    ),
    Failure(
        "model:unsupported-operator",
        "The model has an operator nobody here knows",
        "The detail names it. Replace it by standard operators, or choose a toolkit that knows it.",
    ),
    Failure(
        "model:too-complex",
        "Inspecting the model used up its limits",
        "The model needs more time or memory than the inspection allows. Model-local functions must be expanded before uploading.",
    ),
    Failure(
        "model:nothing-to-compare",
        "The model has no layers to compare",
        "Layers are compared by their floating-point values. Upload the float network, not one of integers"
        " or constants only.",
    ),
    Failure(
        "model:unsupported-format",
        "This kind of model file is not supported",
        "Upload an ONNX model. A .pth file of weights has no graph: trace the model and export it to ONNX first.",
    ),
    # Calibration and evaluation data
    Failure(
        "data:empty",
        "The input set holds no samples",
        "Upload at least one picture, .npy, .npz, or a zip of them.",
    ),
    Failure(
        "data:unreadable",
        "A sample could not be read",
        "The detail names the file. Allowed are PNG, JPEG, BMP, .npy, .npz and a zip of those.",
    ),
    Failure(
        "data:unsafe-path",
        "The archive holds a path that leaves its folder",
        "Make the zip again from inside the folder, without .. or absolute paths or links.",
    ),
    Failure(
        "data:too-large",
        "The input set unpacks to more than this site allows",
        "Use fewer or smaller samples: 100 to 500 representative ones are enough for calibration.",
    ),
    Failure(
        "data:pickle",
        "The array file holds pickled Python objects",
        "Save plain numeric arrays: np.save(path, array, allow_pickle=False).",
    ),
    Failure(
        "data:wrong-shape",
        "The samples do not fit the model's input",
        "The detail shows both shapes. Resize the samples, or name the input sizes in the recipe.",
    ),
    Failure(
        "data:wrong-names",
        "The samples' arrays are not named like the model's inputs",
        "Name the arrays of every .npz like the inputs: np.savez(path, image=..., mask=...).",
    ),
    Failure(
        "data:wrong-type",
        "The samples have a type the model's input cannot take",
        "Use numbers: uint8 pictures or float32 arrays.",
    ),
    Failure(
        "data:wrong-layout",
        "The samples have their axes in another order than the model's input",
        "The shapes agree after a transposition. Choose the input set's layout (NCHW or NHWC) and upload it again.",
    ),
    Failure(
        "data:not-finite",
        "A sample holds NaN or infinite values",
        "The detail names the sample. Remove or repair it.",
    ),
    Failure(
        "data:mixed",
        "The samples do not all have the same inputs, shape and type",
        "The detail names the first sample that differs. Make all samples alike.",
    ),
    # The recipe
    Failure(
        "recipe:invalid",
        "The recipe cannot be carried out",
        "The detail names the setting. Change it and ask again.",
    ),
    Failure(
        "recipe:no-toolkit",
        "No worker here has the toolkit that the recipe names",
        "Start a worker that has it, or choose one of the toolkits offered.",
    ),
    # The toolkit
    Failure(
        "toolkit:crashed",
        "The toolkit died",
        "It ended with a signal or without a result; the log's last lines show where. Try once more, then with a smaller model.",
    ),
    Failure(
        "toolkit:timed-out",
        "The toolkit took too long and was stopped",
        "Use fewer calibration samples or a simpler algorithm, or raise LAYERWISE_TOOLKIT_SECONDS.",
    ),
    Failure(
        "toolkit:out-of-memory",
        "The toolkit needed more memory than it may use",
        "Use fewer or smaller calibration samples, or raise LAYERWISE_TOOLKIT_MEMORY_MB.",
    ),
    Failure(
        "toolkit:disk-full",
        "The toolkit wrote more than it may",
        "Raise LAYERWISE_TOOLKIT_FILE_MB, or use a smaller model.",
    ),
    Failure(
        "toolkit:failed",
        "The toolkit refused the model",
        "The detail is the toolkit's own message; the log has the rest.",
    ),
    Failure(
        "toolkit:bad-result",
        "The toolkit's result is damaged or incomplete",
        "A file that it announced is missing, empty or of the wrong shape. Try again; if it stays so, report the log.",
    ),
    # The board and the way to it
    Failure(
        "board:none-suitable",
        "No board suits this run",
        "Register a board of this platform, allow the project to use it, or bring one back from pause or quarantine.",
    ),
    Failure(
        "board:unreachable",
        "The board does not answer",
        "Check its power, network and address. The run is tried again by itself.",
    ),
    Failure(
        "board:login-refused",
        "The board refuses the login",
        "Check user name and key; the board's page offers the authorized_keys line to copy.",
    ),
    Failure(
        "board:host-key-changed",
        "The board shows another host key than the one pinned",
        "Somebody may be in the way, or the board was set up anew. Compare the fingerprints on the board's page and pin the new key only if you know why it changed.",
    ),
    Failure(
        "board:link-lost",
        "The connection to the board broke",
        "The run is tried again by itself. If it repeats, check cable and network.",
    ),
    Failure(
        "board:timed-out",
        "The board did not finish in time",
        "It was given up. Look at the board's log; a hang of the NPU needs a reboot.",
    ),
    Failure(
        "board:disk-full",
        "The board has too little free disk",
        "Free space on the board (the detail says how much is needed) or set another work folder for it.",
    ),
    Failure(
        "board:no-python",
        "The board has no usable Python",
        "The agent needs Python 3.6 or newer with json, struct, subprocess and hashlib.",
    ),
    Failure(
        "board:agent-died",
        "The agent on the board ended without a result",
        "The log holds its last lines. It is tried again; if it repeats, the NPU library may be at fault.",
    ),
    Failure(
        "board:npu-failed",
        "The NPU library reported an error",
        "The detail holds its error code and last messages.",
    ),
    Failure(
        "board:rejected-artifact",
        "The board's NPU refuses the artifact",
        "It was built for another platform or runtime version. Convert it for this board's platform.",
    ),
    Failure(
        "board:bad-answer",
        "The board's answer is damaged",
        "Lengths, names or checksums do not agree. The run is tried again; if it repeats, the board is quarantined.",
    ),
    # Ourselves
    Failure(
        "system:lost",
        "The worker was lost more often than it may be",
        "Every attempt ended without a word. The model may crash the worker: look at the log, then ask again.",
    ),
    Failure(
        "system:store-full", "The site's disk is full", "An administrator must free space; then ask again."
    ),
    Failure(
        "system:database-away",
        "The database did not answer",
        "It was restarting, or two jobs were in each other's way. The job is tried again by itself.",
    ),
    Failure(
        "system:file-missing",
        "A stored file is gone or damaged",
        "The file store lost it. Restore it from a backup or upload it again.",
    ),
    Failure(
        "system:bug",
        "Layerwise itself failed",
        "This is our fault. Please report the job's number and its log.",
    ),
    Failure("job:cancelled", "Cancelled", "Somebody cancelled this job. Ask again when you need it."),
    Failure(
        "job:input-failed",
        "Something this job needs failed first",
        "Look at the earlier job named in the detail.",
    ),
]

FAILURES = {failure.code: failure for failure in ALL}


def failure(code: str) -> Failure:
    """The failure behind `code`; a code nobody declared is our own bug and reads like one."""
    return FAILURES.get(code) or Failure(code, FAILURES["system:bug"].title, FAILURES["system:bug"].advice)
