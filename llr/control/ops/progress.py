"""What a probe tells while it runs, as one line per event."""

from collections.abc import Mapping

from llr.base.jsonio import JSON


def progress_line(event: Mapping[str, JSON]) -> str:
    """Returns the line of an event, "" for events that say nothing to a person."""
    match event.get("phase"):
        case "matrix-start":
            return f"[discover] {event.get('endpointCount')} endpoint(s), {event.get('modelCount')} model(s)"
        case "model-check":
            done = f"{event.get('completedChecks')}/{event.get('totalChecks')}"
            where = f"{event.get('model')} on {event.get('format')} @ {event.get('endpoint')}"
            said = None if event.get("confirmed") else event.get("message") or event.get("status")
            why = f" ({said})" if said else ""
            return f"[discover] Progress {done} - {where}: {event.get('outcome')}{why}"
        case "rate-limit-wait":
            wait = event.get("waitMs")
            pause_s = wait / 1000 if isinstance(wait, int | float) else 0.0
            return f"[discover] Waiting {pause_s:.1f}s ({event.get('reason')})"
        case "endpoint-done":
            formats = event.get("workingFormats")
            text = ", ".join(map(str, formats)) if isinstance(formats, list) else ""
            return f"[discover] Endpoint {event.get('endpoint')} done: {text or 'no working format'}"
        case "matrix-done":
            return f"[discover] {event.get('supportedModelCount')} model(s) confirmed"
        case "finished":
            seconds = event.get("seconds")
            return f"Auto-discovery finished in {seconds if isinstance(seconds, int | float) else 0.0:.1f}s."
        case _:
            return ""
