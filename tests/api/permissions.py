"""Who may do what at every address: one line each, for anonymous, stranger, viewer, developer and admin.

`yes` is any answer of the address itself (a form with messages too), `sign-in` the redirect to the entrance.
A new address without a line here fails the tests.
"""

Answer = str | int
Line = tuple[Answer, Answer, Answer, Answer, Answer]

# pages
LOOK: Line = ("sign-in", 404, "yes", "yes", "yes")
LOOK_AROUND: Line = ("sign-in", "yes", "yes", "yes", "yes")
DEVELOP: Line = ("sign-in", 404, 403, "yes", "yes")
ADMINISTER: Line = ("sign-in", 404, 403, 403, "yes")
NOT: Line = ("sign-in", 405, 405, 405, 405)
# the API
READ: Line = (401, 404, "yes", "yes", "yes")
LIST: Line = (401, "yes", "yes", "yes", "yes")
CHANGE: Line = (401, 404, 403, "yes", "yes")
RULE: Line = (401, 404, 403, 403, "yes")
OWN: Line = (401, 404, 404, 404, "yes")
NEVER: Line = (401, 405, 405, 405, 405)
NOTHING: Line = (401, 404, 404, 404, 404)
# for everybody
ALL: Line = ("yes", "yes", "yes", "yes", "yes")
NOBODY: Line = (403, 403, 403, 403, 403)
LEAVE: Line = ("sign-in", "sign-in", "sign-in", "sign-in", "sign-in")
NO_METHOD: Line = (405, 405, 405, 405, 405)
NOT_READY: Line = (503, 503, 503, 503, 503)

TABLE: dict[str, dict[str, Line]] = {
    "sign-in": {"GET": ALL, "POST": ALL},
    "sign-out": {"GET": NOT, "POST": LEAVE},
    "projects": {"GET": LOOK_AROUND, "POST": NOT},
    "project": {"GET": LOOK, "POST": NOT},
    "members": {"GET": ADMINISTER, "POST": ADMINISTER},
    "member-remove": {"GET": NOT, "POST": ADMINISTER},
    "tokens": {"GET": LOOK, "POST": DEVELOP},
    "token-revoke": {"GET": NOT, "POST": ADMINISTER},
    "models-new": {"GET": DEVELOP, "POST": DEVELOP},
    "model": {"GET": LOOK, "POST": NOT},
    "version-new": {"GET": DEVELOP, "POST": DEVELOP},
    "version": {"GET": LOOK, "POST": NOT},
    "source-file": {"GET": LOOK, "POST": NOT},
    "input-sets": {"GET": LOOK, "POST": NOT},
    "input-set-new": {"GET": DEVELOP, "POST": DEVELOP},
    "input-set": {"GET": LOOK, "POST": NOT},
    "input-set-file": {"GET": LOOK, "POST": NOT},
    "evaluation-new": {"GET": DEVELOP, "POST": DEVELOP},
    "evaluation": {"GET": LOOK, "POST": NOT},
    "evaluation-cancel": {"GET": NOT, "POST": DEVELOP},
    "compare": {"GET": LOOK_AROUND, "POST": ("sign-in", 404, 404, 404, 404)},
    "comparison": {"GET": LOOK, "POST": NOT},
    "dump-file": {"GET": LOOK, "POST": NOT},
    "boards": {"GET": LOOK_AROUND, "POST": NOT},
    "board": {"GET": LOOK, "POST": NOT},
    "board-pause": {"GET": NOT, "POST": ADMINISTER},
    "board-resume": {"GET": NOT, "POST": ADMINISTER},
    "run": {"GET": LOOK, "POST": NOT},
    "outputs-file": {"GET": LOOK, "POST": NOT},
    "artifact-file": {"GET": LOOK, "POST": NOT},
    "jobs": {"GET": LOOK_AROUND, "POST": NOT},
    "job": {"GET": LOOK, "POST": NOT},
    "job-cancel": {"GET": NOT, "POST": DEVELOP},
    "job-log": {"GET": LOOK, "POST": NOT},
    "history": {"GET": LOOK, "POST": NOT},
    "healthz": {"GET": ALL, "POST": NO_METHOD},
    "readyz": {"GET": NOT_READY, "POST": NO_METHOD},
    "metrics": {"GET": NOBODY, "POST": NO_METHOD},
    "api-project-list": {"GET": LIST, "POST": NEVER},
    "api-project-detail": {"GET": READ, "POST": NEVER},
    "api-model-list": {"GET": LIST, "POST": CHANGE},
    "api-model-detail": {"GET": READ, "POST": NEVER},
    "api-version-list": {"GET": LIST, "POST": CHANGE},
    "api-version-detail": {"GET": READ, "POST": NEVER},
    "api-source-list": {"GET": LIST, "POST": NEVER},
    "api-source-detail": {"GET": READ, "POST": NEVER},
    "api-source-file": {"GET": READ, "POST": NEVER},
    "api-input-set-list": {"GET": LIST, "POST": CHANGE},
    "api-input-set-detail": {"GET": READ, "POST": NEVER},
    "api-input-set-file": {"GET": READ, "POST": NEVER},
    "api-recipe-list": {"GET": LIST, "POST": NEVER},
    "api-recipe-detail": {"GET": READ, "POST": NEVER},
    "api-conversion-list": {"GET": LIST, "POST": NEVER},
    "api-conversion-detail": {"GET": READ, "POST": NEVER},
    "api-artifact-list": {"GET": LIST, "POST": NEVER},
    "api-artifact-detail": {"GET": READ, "POST": NEVER},
    "api-artifact-file": {"GET": READ, "POST": NEVER},
    "api-run-list": {"GET": LIST, "POST": NEVER},
    "api-run-detail": {"GET": READ, "POST": NEVER},
    "api-run-outputs": {"GET": READ, "POST": NEVER},
    "api-dump-list": {"GET": LIST, "POST": NEVER},
    "api-dump-detail": {"GET": READ, "POST": NEVER},
    "api-dump-file": {"GET": READ, "POST": NEVER},
    "api-comparison-list": {"GET": LIST, "POST": CHANGE},
    "api-comparison-detail": {"GET": READ, "POST": NEVER},
    "api-comparison-scores": {"GET": READ, "POST": NEVER},
    "api-comparison-scores-csv": {"GET": READ, "POST": NEVER},
    "api-evaluation-list": {"GET": LIST, "POST": CHANGE},
    "api-evaluation-detail": {"GET": READ, "POST": NEVER},
    "api-evaluation-cancel": {"GET": NEVER, "POST": CHANGE},
    "api-board-list": {"GET": LIST, "POST": NEVER},
    "api-board-detail": {"GET": READ, "POST": NEVER},
    "api-board-pause": {"GET": NEVER, "POST": RULE},
    "api-board-resume": {"GET": NEVER, "POST": RULE},
    "api-job-list": {"GET": LIST, "POST": NEVER},
    "api-job-detail": {"GET": READ, "POST": NEVER},
    "api-token-list": {"GET": LIST, "POST": NEVER},
    "api-token-detail": {"GET": OWN, "POST": NEVER},
    "api-token-revoke": {"GET": NEVER, "POST": OWN},
    "api-history": {"GET": READ, "POST": NEVER},
    "api-failures": {"GET": LIST, "POST": NEVER},
    "api-whoami": {"GET": LIST, "POST": NEVER},
    "api-schema": {"GET": LIST, "POST": NEVER},
    "api-elsewhere": {"GET": NOTHING, "POST": NOTHING},
    "api-not-here": {"GET": NOTHING, "POST": NOTHING},
}
