"""Work through the real services: uploads and evaluations of networks whose answers are known."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import User

from dashboard.boards.models import Board
from dashboard.boards.services import BoardSettings, register_board
from dashboard.conversions.offered import missing, offered
from dashboard.conversions.recipe import RecipeSettings
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.evaluations.services import Wanted, request_evaluation
from dashboard.jobs.models import ENDED, Job, kinds
from dashboard.projects.models import Project
from dashboard.projects.services import create_project
from dashboard.registry.models import InputSet, Purpose
from dashboard.registry.services import Upload, register_model, upload_input_set, upload_version
from tests.chaos.networks import Network, archive, pictures
from tests.chaos.processes import wait_until
from tests.chaos.stack import SimulatedBoard

ROUTES = ("direct", "traced")
JOBS_PER_LEG = 5  # inspection, conversion, run, two comparisons
SAMPLES = pictures(1, 1)
REGISTERED_S = 60.0


def ended_jobs() -> int:
    """How many jobs have ended so far."""
    return sum(kind._default_manager.filter(state__in=ENDED).count() for kind in kinds())


def jobs() -> list[Job]:
    """Every job there is."""
    return [job for kind in kinds() for job in kind._default_manager.defer("log")]


@dataclass
class Work:
    """What was asked for, and what must come of it."""

    user: User
    project: Project
    calibration: InputSet
    samples: InputSet
    networks: dict[int, Network] = field(default_factory=dict)  # by leg
    evaluations: list[Evaluation] = field(default_factory=list)

    @classmethod
    def begin(cls, name: str = "chaos") -> "Work":
        """A project with its input sets, not inspected yet, as soon as a worker has registered what it offers."""
        if not wait_until(lambda: not missing(RecipeSettings(), offered()), REGISTERED_S):
            raise RuntimeError("no worker has registered its toolkits")
        user = User.objects.create_user(name, password=None)
        project = create_project(name, user)
        sets = {}
        for purpose, chosen in ((Purpose.CALIBRATION, pictures(2, 4)), (Purpose.EVALUATION, SAMPLES)):
            upload = Upload(f"{purpose}.zip", io.BytesIO(archive(chosen)))
            sets[purpose], _ = upload_input_set(project, "", upload, purpose, user)
        return cls(user, project, sets[Purpose.CALIBRATION], sets[Purpose.EVALUATION])

    @property
    def expected_jobs(self) -> int:
        return 2 + JOBS_PER_LEG * len(self.networks)

    @property
    def open_legs(self) -> int:
        return Leg.objects.filter(ended_at=None).count()

    def ask(
        self,
        routes: Sequence[str] = ROUTES,
        board: Board | None = None,
        recipe: RecipeSettings = RecipeSettings(),  # noqa: B008 - it is frozen
    ) -> Evaluation:
        """One more version with a network of its own on every route, and its evaluation."""
        first = len(self.networks)
        made = {route: Network(100 + first + number, route) for number, route in enumerate(routes)}
        uploads = [Upload(f"{n.route}.onnx", io.BytesIO(n.file()), n.route) for n in made.values()]
        model = register_model(self.project, f"net {first}", self.user)
        version, _ = upload_version(model, uploads, self.user)
        wanted = Wanted(recipe, self.calibration, self.samples, board=board, iterations=3)
        evaluation, _ = request_evaluation(version, wanted, self.user)
        for leg in evaluation.legs.select_related("source"):
            self.networks[leg.pk] = made[leg.source.route]
        self.evaluations.append(evaluation)
        return evaluation

    def register(self, board: SimulatedBoard) -> Board:
        """Make the simulated board one of the project's."""
        facts = board.facts
        settings = BoardSettings(
            name=board.name, address="127.0.0.1", port=facts["port"], username=facts["user"],
            host_key=facts["host_key"], private_key=board.private_key, npu="sim", simulated=True,
            quirks=board.quirks, work_folder=facts["workdir"],
        )  # fmt: skip
        return register_board(settings, [self.project], self.user)
