"""What may go wrong while a job is done: an exception per kind of consequence, a failure code per cause."""


class JobError(Exception):
    """The job ends with `code` (see dashboard/jobs/failures.py); `detail` says what exactly, for people."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail


class Temporary(JobError):
    """It may work the next time: the job is put back until its attempts are used up."""


class Final(JobError):
    """It ends now, whatever its code: somebody waits for the answer, and asks again themselves."""


class Died(JobError):
    """The program that did the work was ended by a signal or without a word. Once, somebody else may have killed
    it, so the job is tried again; a second time it is the program's own doing, and `code` says whose fault."""


def is_death(error: Exception) -> bool:
    """Did the program end without a word? Then another try may help: see Died."""
    return isinstance(error, Died) or (isinstance(error, JobError) and error.code == "toolkit:crashed")


class LeaseLost(Exception):
    """Another worker has taken the job over, or it was cancelled: stop at once and write nothing."""
