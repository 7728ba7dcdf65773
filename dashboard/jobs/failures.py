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
    "import": "user",
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
    "board:no-programs",
    "board:switch-failed",
    "board:not-back",
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
        "model:unsupported-input",
        "An input of the model is of a kind that no samples have",
        "Samples are tensors of numbers. The detail names the input: give it a fixed value where the model is exported (a wrapper whose forward takes only tensors), and upload that.",
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
        "model:not-executable",
        "The network cannot be executed with these inputs",
        "ONNX Runtime stops at the node that the detail names. Sizes named in the recipe may not fit what the network does with them (many need multiples of 32): name others. Else look at the samples' values, or run the file with onnxruntime where it was exported.",
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
        "Upload ONNX, TorchScript, TensorFlow Lite, a frozen TensorFlow graph, Keras .h5 or .rknn; Caffe, Darknet and"
        " MXNet as two files of one route or a zip of both.",
    ),
    Failure(
        "model:weights-only",
        "The file holds weights without a network",
        "Weights alone have no graph. Trace the model where it was trained and upload that:"
        " torch.jit.trace(model.eval(), example).save('model.pt'); or export it to ONNX.",
    ),
    Failure(
        "model:incomplete",
        "One of the model's two files is missing",
        "Upload both files of the route together (description and weights), or a zip of the two.",
    ),
    Failure(
        "model:damaged",
        "The model file is damaged",
        "Its parts do not lie where its header says: it was cut short or changed on its way. Compare its size and hash with the original's and upload that again.",
    ),
    Failure(
        "model:unsupported-version",
        "The model was exported by a version that the toolkit does not read",
        "Export it again with the version that the detail names: for RKNN-Toolkit 1.x opset 11 or 12, for TorchScript the toolkit's own PyTorch.",
    ),
    Failure(
        "model:quantized",
        "The model is quantized already",
        "Upload the float network that it was made of: a recipe quantizes it, and measures what that costs.",
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
    # Uploads made with the vendor's own tools
    Failure(
        "import:unknown-format",
        "Nothing in the upload was recognised",
        "The detail says what was looked for and what is there. Upload the whole output folder of accuracy_analysis as .zip or .tar.gz, or one of its tables as text.",
    ),
    Failure(
        "import:damaged",
        "A file of the upload is not what its name says",
        "The detail names it: the archive may be cut short, or a dump was still being written. Pack the folder again and upload it.",
    ),
    Failure(
        "import:several",
        "The upload holds more than one result",
        "One import is one execution of the vendor's tool. Pack each output folder alone, and leave out tables of other executions.",
    ),
    Failure(
        "import:too-large",
        "The upload is more than this site allows",
        "Leave out the text dumps where .npy files lie beside them, or ask the site's administrator to raise LAYERWISE_MAX_UPLOAD_MB (the upload) or LAYERWISE_MAX_IMPORT_MB (what it unpacks to).",
    ),
    Failure(
        "import:empty",
        "The upload holds no bytes",
        "Check the file's size before uploading.",
    ),
    # The recipe
    Failure(
        "recipe:invalid",
        "The recipe cannot be carried out",
        "The detail names the setting. Change it and ask again.",
    ),
    Failure(
        "recipe:no-toolkit",
        "No worker here has the toolkit that the recipe needs",
        "Add it to a worker (docs/toolkits.md) and start that worker anew, or choose what the page Toolkits and /api/v1/toolkits/ offer.",
    ),
    Failure(
        "recipe:unknown-layer",
        "The recipe names layers that the network does not have",
        "The detail names them. Layers are called as in the quantized dump of an earlier conversion: choose them on its page of data types.",
    ),
    Failure(
        "recipe:wrong-format",
        "The toolkit does not take this kind of model file",
        "Choose a toolkit that takes it (docs/toolkits.md has the table), or export the model to ONNX.",
    ),
    Failure(
        "recipe:wrong-platform",
        "The file is compiled for another platform",
        "The detail names the platforms that the file tells: ask for one of them and for a board of it, or build the file anew for yours.",
    ),
    Failure(
        "recipe:no-torch",
        "The worker has no PyTorch, which this conversion needs",
        "Run make toolkit-torch where the worker runs, or upload an ONNX export of the model.",
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
        "The detail says where it stood. While it calibrates, use fewer samples or a simpler algorithm, or raise LAYERWISE_TOOLKIT_SECONDS; while it rewrites the graph, leave out the rule that the detail names.",
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
    Failure(
        "toolkit:incomplete",
        "The toolkit's environment lacks something",
        "A package or library that it needs is missing or of another version; the detail names it. docs/toolkits.md lists what was tried together.",
    ),
    Failure(
        "toolkit:own-fault",
        "The toolkit failed by a fault of its own",
        "The detail says which one and what may get past it. The model may be right: try another platform, route or optimization level.",
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
        "Check user name and key; the board's access page offers the authorized_keys line to copy.",
    ),
    Failure(
        "board:host-key-changed",
        "The board shows another host key than the one pinned",
        "Somebody may be in the way, or the board was set up anew. An admin probes it, compares both fingerprints on the board's access page, and pins the new key only if they know why it changed.",
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
        "board:no-programs",
        "The board lacks programs that the agent is brought with",
        "Needed are a POSIX shell with mkdir, rm and test, and either cat, wc, sha256sum and mv (busybox has them all) or an SFTP server.",
    ),
    Failure(
        "board:clock-wrong",
        "The board's clock is wrong",
        "Runs are not affected; the times in its kernel log are. Set it (date -u -s 'YYYY-MM-DD hh:mm:ss') or let it run an NTP client; without a battery it starts wrong after each reboot.",
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
        "board:rebooted",
        "The board started anew during the run",
        "Power, heat or a crash of its kernel may be why. The run is tried again by itself; the board's page counts such incidents.",
    ),
    Failure(
        "board:npu-hung",
        "The NPU stopped answering",
        "The board's power is switched off and on when a switch is set up for it; else restart it by hand. Look at the kernel log for a GPU hang.",
    ),
    Failure(
        "board:npu-exited",
        "The NPU library ended its process instead of answering",
        "Usually the driver is missing or busy: look for /dev/galcore and the galcore line of the kernel log. The detail holds the library's last lines.",
    ),
    Failure(
        "board:npu-unavailable",
        "The NPU or its runtime library is not available",
        "The library could not be loaded or found no device (its code -3). Check the driver and that all four parts of the NPU stack have fitting versions.",
    ),
    Failure(
        "board:no-memory",
        "The board has too little memory for this model",
        "The NPU library could not allocate (its code -4). Stop other programs on the board, raise its CMA pool, or use a smaller model or batch.",
    ),
    Failure(
        "board:unhealthy",
        "The board does not compute the golden model as before",
        "It is quarantined. The board's page shows the differing outputs and what changed in its fingerprint since they were right.",
    ),
    Failure(
        "board:bad-answer",
        "The board's answer is damaged",
        "Lengths, names or checksums do not agree. The run is tried again; if it repeats, the board is quarantined.",
    ),
    Failure(
        "board:switch-failed",
        "The board's power switch did not work",
        "The detail says what the command or the HTTP call answered. Correct the switch on the board's page, or switch by hand.",
    ),
    Failure(
        "board:not-back",
        "The board did not come back after its restart",
        "Look at its power, its network and its console. Raise LAYERWISE_POWER_SECONDS if it needs longer to start.",
    ),
    # Ourselves
    Failure(
        "system:lost",
        "The worker was lost more often than it may be",
        "Every attempt ended without a word. The model may crash the worker: look at the log, then ask again.",
    ),
    Failure(
        "system:no-worker",
        "No worker of this site took the job",
        "Start a worker at the site: celery -A dashboard.celery worker -Q boards.<site>. The boards of another site cannot be reached from here.",
    ),
    Failure(
        "system:store-full", "The site's disk is full", "An administrator must free space; then ask again."
    ),
    Failure(
        "system:store-away",
        "The file store did not answer",
        "Object storage is away or refuses our key; the detail holds its word. The job is tried again by itself; an upload must be sent again.",
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
