"""The operation that lists the vendors `upsert-provider --preset` knows."""

from llr.base.jsonio import JSON
from llr.control.call import Call
from llr.control.operation import Reading
from llr.control.report import Fields, Outcome, Report, Section, Table, refuse
from llr.providers.catalog import VENDORS, Vendor, find_vendor
from llr.providers.models import lookup


def _run(call: Call) -> Outcome:
    wanted = call.args.text("preset")
    vendor = find_vendor(wanted) if wanted else None
    if wanted and vendor is None:
        raise refuse("unknown-preset", f"Unknown preset '{wanted}'.", f"Known: {', '.join(VENDORS)}.")
    shown = (vendor,) if vendor is not None else tuple(VENDORS.values())
    columns = ("Preset", "Name", "Formats", "Key Variable", "Starter Models")
    table = Table("Presets", columns, tuple(map(_row, shown)))
    sections: tuple[Section, ...] = (table, *(_one(vendor) if vendor is not None else ()))
    listed: list[JSON] = [_data(one) for one in shown]
    return Outcome(report=Report("Vendor Presets", sections), data={"presets": listed})


def _row(vendor: Vendor) -> tuple[str, ...]:
    formats = ", ".join(name.value for name in vendor.formats)
    return vendor.id, vendor.name, formats, vendor.key_env or "(no key)", ", ".join(vendor.models) or "(yours)"


def _one(vendor: Vendor) -> tuple[Section, ...]:
    """Returns what only the listing of one vendor has room for."""
    urls = tuple((name.value, url) for name, url in vendor.base_urls.items())
    key = f" --api-key-env={vendor.key_env}" if vendor.key_env else ""
    address = f" --base-url={vendor.template}" if vendor.template else ""
    models = "" if vendor.models else " --models=…"
    line = f"llr config upsert-provider --preset={vendor.id}{address}{key}{models}"
    use = Fields("Use", (("Keys At", vendor.keys_at or "(no key)"), ("Command", line)))
    return Table("Addresses", ("Format", "Base URL"), urls), use


def _data(vendor: Vendor) -> JSON:
    urls: dict[str, JSON] = {name.value: url for name, url in vendor.base_urls.items()}
    auths: dict[str, JSON] = {name.value: {"type": spec.kind.value} for name, spec in (vendor.auth or {}).items()}
    models: list[JSON] = [_model(name) for name in vendor.models]
    return {
        "id": vendor.id,
        "name": vendor.name,
        "formats": [name.value for name in vendor.formats],
        "baseUrlByFormat": urls,
        "authByFormat": auths,
        "apiKeyEnv": vendor.key_env or None,
        "needsBaseUrl": bool(vendor.template),
        "models": models,
        "keysAt": vendor.keys_at or None,
    }


def _model(name: str) -> JSON:
    known = lookup(name)
    return {"id": name, "contextWindow": known.context_window if known is not None else None}


LIST = Reading(_run)
