"""What `start` prints about a config: providers, models and switches, every secret masked."""

from llr.base.names import ProviderFormat
from llr.base.redact import scrub
from llr.cli.launch import Launch
from llr.config.schema import Config, Provider
from llr.control.listing import default_route, formats, secret


def config_lines(config: Config | None, launch: Launch) -> list[str]:
    """Returns the summary line by line."""
    if config is None:
        return []
    lines = [
        f"Config: {launch.config_path}",
        f"Default model: {default_route(config)}",
        f"Master key: {secret(config.master_key)}",
        "Providers:",
    ]
    for provider in config.providers:
        lines += _provider(provider)
    lines += [
        f"Local auth: {'required (masterKey)' if launch.require_auth else 'disabled'}",
        f"Config hot reload: {'enabled (in memory)' if launch.watch_config else 'disabled'}",
        f"Binary update watch: {'enabled' if launch.watch_binary else 'disabled'}",
    ]
    return lines


def _provider(provider: Provider) -> list[str]:
    models = ", ".join(
        model.id + (f"{{fallback:{'|'.join(model.fallback_models)}}}" if model.fallback_models else "")
        for model in provider.models
    )
    urls = {name.family: scrub(url) for name, url in provider.base_url_by_format.items()}
    return [
        f"- {provider.id} ({provider.name})",
        f"  baseUrl={scrub(provider.base_url) or '-'}",
        f"  openaiBaseUrl={urls.get(ProviderFormat.OPENAI, '-')}",
        f"  claudeBaseUrl={urls.get(ProviderFormat.CLAUDE, '-')}",
        f"  formats={formats(provider.formats)}",
        f"  apiKey={secret(provider.api_key, '(from env/hidden)')}",
        f"  models={models or '-'}",
    ]
