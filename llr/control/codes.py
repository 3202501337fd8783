"""Every code that a command or the gateway answers with, and what it means: for `--json`, help and the reference.

A code is stable; a new one is added here in the change that needs it. The codes of config issues and of edits stand in
`llr.config.codes`.
"""

from collections.abc import Mapping

from llr.base.errors import ErrorKind
from llr.config.codes import EDIT_CODES

# `error.code` of a command: what went wrong.
COMMAND_CODES: Mapping[str, str] = {
    "already-running": "A gateway of this user runs already.",
    "archive-changed": "The program file changed while it was being used; nothing was started.",
    "bad-address": "The host or port to listen on cannot be used.",
    "bad-bucket": "A rate-limit bucket is incomplete or malformed.",
    "bad-config": "The config file has errors that leave nothing to serve.",
    "bad-endpoint": "An endpoint is no http or https URL, or it is not clear which format it speaks.",
    "bad-flag": "A flag has a value it does not take.",
    "bad-json": "A file is not JSON; line and column say where.",
    "bad-json-flag": "A flag must hold JSON of another kind.",
    "bad-ref": "A reference must be text: a provider or provider/model.",
    "bad-root": "The config file holds JSON that is no object.",
    "bad-target": "An alias target is no route.",
    "bind-failed": "The address to listen on cannot be bound.",
    "busy": "The gateway is doing something else that must end first.",
    "cancelled": "A confirmation was declined.",
    "catalogue": "A model catalogue cannot be read, fetched or used.",
    "config-changed": "The config file is not the version that --if-match named; nothing was written.",
    "config-locked": "Another process is writing the config file.",
    "config-not-found": "A config file is needed and there is none.",
    "config-not-written": "The config file cannot be written.",
    "config-refused": "The running gateway refused the config and keeps the old one.",
    "demo-has-no-key": "The demo has no master key to ask for.",
    "demo-or-config": "--demo and --config exclude each other.",
    "discovery-incomplete": "Discovery found no working format or no model.",
    "failed": "The report itself says what failed.",
    "forbidden": "The control channel does not know the caller.",
    "hand-over-failed": "The new processes did not take over; the old ones go on.",
    "insecure-bind": "An address that other machines reach needs --require-auth.",
    "internal-error": "A defect of this program; the traceback is on stderr.",
    "interrupted": "Ctrl+C, or a question without an answer.",
    "invalid-config": "The change would add errors to the config; nothing was written.",
    "method-not-allowed": "The control channel knows the path, not the method.",
    "migration": "No migration leads to that schema version.",
    "missing-flag": "A flag that is needed was not given.",
    "no-answer": "The gateway runs and does not answer.",
    "no-backup": "There is no such kept version of the config file.",
    "no-explanation": "The gateway gave no explanation.",
    "no-help": "There is no command of that name to help with.",
    "no-log": "There is no such log file.",
    "no-master-key": "Auth is required and the config has no master key.",
    "no-model": "No model was named.",
    "no-parent": "This command is only for processes that a gateway starts.",
    "no-provider": "The config has no enabled provider.",
    "no-state-store": "The routing-state store cannot be opened.",
    "no-stdin": "A flag of `-` found nothing on stdin.",
    "no-topic": "The reference has no such topic.",
    "no-worker": "No worker process answers.",
    "no-workers": "No worker process could be started.",
    "not-built": "This build does not have that part.",
    "not-found": "The control channel does not know the path.",
    "not-here": "This platform cannot do that.",
    "nothing-runs": "No gateway runs, or it cannot be reached.",
    "os-error": "The operating system refused; the message says what and where.",
    "port-in-use": "Something else listens on the port.",
    "probe-failed": "The probe found no endpoint that works with this key and these models.",
    "probe-incomplete": "The probe could not confirm every model.",
    "provider-incomplete": "A provider needs a name, an endpoint and a key.",
    "provider-models": "A provider needs at least one model.",
    "provider-name": "A provider needs a name.",
    "provider-name-taken": "Another provider has this name.",
    "refused": "The gateway refused the question; its message says why.",
    "reload-failed": "The running gateway could not reload.",
    "resume-failed": "The new process could not take over what the old one left.",
    "start-failed": "The gateway could not start.",
    "starting": "The gateway is still starting.",
    "still-running": "The process did not end, not even by SIGKILL.",
    "subscription-type": "A subscription type is not known.",
    "timeout": "The answer did not come in time.",
    "tui-removed": "The text interface of older versions is gone.",
    "unexpected-word": "The command does not take that word.",
    "unknown-command": "There is no command of that name.",
    "unknown-flag": "The command has no such flag; --lenient ignores it.",
    "unknown-operation": "There is no config operation of that name.",
    "unknown-preset": "There is no vendor preset of that name.",
    "unknown-shell": "Completion exists for bash, zsh and fish.",
    "unknown-word": "The command knows other words.",
    "unreadable-body": "The file of --body cannot be read.",
    "unreadable-config": "The config file cannot be read.",
    "worker-gone": "A worker process ended.",
    "env-unset": "An environment variable that holds a key is not set.",
}

# What a client of the gateway gets as an error, by its cause.
FAULT_CODES: Mapping[ErrorKind, str] = {
    ErrorKind.INVALID_REQUEST: "The request is wrong; the message says what.",
    ErrorKind.UNAUTHENTICATED: "The master key is missing or wrong.",
    ErrorKind.FORBIDDEN: "The address, origin or host is not allowed.",
    ErrorKind.NOT_FOUND: "There is no such path or stored object.",
    ErrorKind.MODEL_NOT_FOUND: "There is no model or alias of that name.",
    ErrorKind.METHOD_NOT_ALLOWED: "The path exists, not for this method.",
    ErrorKind.REQUEST_TIMEOUT: "The request did not arrive in time.",
    ErrorKind.TOO_LARGE: "The request body is too large.",
    ErrorKind.UNSUPPORTED_MEDIA: "The body has an encoding or type that cannot be read.",
    ErrorKind.CONTEXT_OVERFLOW: "The request does not fit the model's context window.",
    ErrorKind.RATE_LIMITED: "Every candidate is over a rate limit; Retry-After says how long.",
    ErrorKind.QUOTA: "The budget at the provider is spent.",
    ErrorKind.CONFIGURATION: "The config leads this request nowhere.",
    ErrorKind.NO_CANDIDATE: "No candidate is left to try.",
    ErrorKind.NOT_SUPPORTED: "No candidate can do what was asked.",
    ErrorKind.UPSTREAM_REJECTED: "The provider refused what the gateway sent.",
    ErrorKind.UPSTREAM_AUTH: "The provider refused the key in the config.",
    ErrorKind.UPSTREAM_UNREACHABLE: "The provider cannot be reached.",
    ErrorKind.UPSTREAM_TIMEOUT: "The provider did not answer in time.",
    ErrorKind.UPSTREAM_TRUNCATED: "The provider's answer broke off.",
    ErrorKind.UPSTREAM_INVALID: "The provider answered nonsense.",
    ErrorKind.OVERLOADED: "The provider or the gateway is full.",
    ErrorKind.CANCELLED: "The client went away.",
    ErrorKind.INTERNAL: "A defect of the gateway; the id finds it in the log.",
}

EXIT_CODES: Mapping[int, str] = {
    0: "Done, or nothing to do.",
    1: "It failed: network, process, disk, or a declined confirmation.",
    2: "Wrong input: flags, names, or a config that is not valid.",
    130: "Interrupted.",
}


def meaning(code: str) -> str | None:
    """Returns what `error.code` of a command means, None for a code that nobody explains."""
    return COMMAND_CODES.get(code) or EDIT_CODES.get(code)
