"""Completion scripts for bash, zsh and fish, generated from the tables of commands, operations and flags.

Law: everything a script offers stands in it, but the ids of a config: for these it runs `llr completion ids`.
"""

from collections.abc import Iterable, Mapping

from llr.base.names import PROGRAMS
from llr.base.records import dataclass
from llr.cli.reference import TOPICS, params_of
from llr.cli.table import ALIASES, COMMANDS, GLOBAL_PARAMS
from llr.control.operation import CONFIG_PARAM
from llr.control.operations import OPERATIONS, names
from llr.control.params import Kind, Param
from llr.tools.runners import RUNNERS

# First words of commands that take one.
WORDS: Mapping[str, tuple[str, ...]] = {
    "completion": ("bash", "zsh", "fish"),
    "cooldowns": ("clear",),
    "help": ("reference", "layout", *TOPICS, *(name for name, row in COMMANDS.items() if not row.hidden)),
    "run": tuple(RUNNERS),
}


@dataclass(frozen=True, slots=True)
class Flags:
    """What may follow one command or operation: flags, and the values of those that have a closed set."""

    words: tuple[str, ...]
    flags: tuple[Param, ...]


def _flags(params: Iterable[Param]) -> tuple[Param, ...]:
    return tuple(param for param in (*params, *GLOBAL_PARAMS) if not param.positional and not param.hidden)


def spots() -> dict[str, Flags]:
    """Returns what may follow each command, and each operation as `config:NAME`."""
    found: dict[str, Flags] = {}
    for name, command in COMMANDS.items():
        if not command.hidden:
            words = names() if name == "config" else WORDS.get(name, ())
            found[name] = Flags(words, _flags(params_of(name)))
    for row in OPERATIONS.values():
        for name in (row.name, *row.aliases):
            found[f"config:{name}"] = Flags((), _flags((CONFIG_PARAM, *row.flags)))
    for alias, target in ALIASES.items():
        found[alias] = found[target]
    return found


def _values(param: Param) -> tuple[str, ...]:
    return ("true", "false") if param.kind is Kind.BOOL else param.choices


def _plain(param: Param) -> str:
    return f"--{param.name}" if param.kind is Kind.BOOL else f"--{param.name}="


def bash() -> str:
    """Returns the script for bash."""
    cases, values = [], dict[str, tuple[str, ...]]()
    for spot, found in spots().items():
        cases.append(f'    {spot}) words="{" ".join([*found.words, *map(_plain, found.flags)])}" ;;')
        values |= {param.name: _values(param) for param in found.flags if _values(param)}
    by_kind: dict[str, list[str]] = {}
    for spot, found in spots().items():
        for param in found.flags:
            if param.names:
                by_kind.setdefault(param.names, []).append(f'"{spot} --{param.name}"')
    asked = [f"      {'|'.join(places)}) ids={kind} ;;" for kind, places in sorted(by_kind.items())]
    closed = [f'      --{name}) options="{" ".join(options)}" ;;' for name, options in sorted(values.items())]
    commands = " ".join([*(name for name, row in COMMANDS.items() if not row.hidden), *ALIASES])
    operations = " ".join(names())
    return f"""# bash completion for {PROGRAMS[0]}. Load it with: source <(llr completion bash)
_llr() {{
  local cur words="" spot="" word options="" i
  cur="${{COMP_LINE:0:COMP_POINT}}"
  cur="${{cur##*[[:space:]]}}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{COMP_WORDS[i]}}"
    case "$word" in -*|=|router) continue ;; esac
    if [[ -z "$spot" ]]; then spot="$word"
    elif [[ "$spot" == config || "$spot" == setup ]]; then
      case " {operations} " in *" $word "*) spot="config:$word" ;; esac
    fi
  done
  if [[ "$cur" == --*=* ]]; then
    local ids=""
    case "$spot ${{cur%%=*}}" in
{chr(10).join(asked)}
    esac
    if [[ -n "$ids" ]]; then
      cur="${{cur#*=}}"
      COMPREPLY=($(compgen -W "$("${{COMP_WORDS[0]}}" completion ids "$ids" 2>/dev/null)" -- "$cur"))
      # What readline takes for the word begins behind the last colon.
      [[ "$cur" == *:* ]] && COMPREPLY=("${{COMPREPLY[@]#"${{cur%:*}}:"}}")
      return
    fi
    case "${{cur%%=*}}" in
{chr(10).join(closed)}
      *) COMPREPLY=($(compgen -f -- "${{cur#*=}}")); return ;;
    esac
    COMPREPLY=($(compgen -W "$options" -- "${{cur#*=}}"))
    return
  fi
  case "$spot" in
    "") words="{commands} --help --version" ;;
{chr(10).join(cases)}
  esac
  COMPREPLY=($(compgen -W "$words --help" -- "$cur"))
  [[ "${{COMPREPLY[0]}}" == *= ]] && compopt -o nospace
}}
complete -F _llr {" ".join(PROGRAMS)}
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_flag(param: Param) -> str:
    text = param.summary.replace("[", "(").replace("]", ")").replace(":", ";")
    if param.kind is Kind.BOOL:
        return _quoted(f"--{param.name}[{text}]")
    action = f"({' '.join(param.choices)})" if param.choices else "_files" if param.kind is Kind.PATH else " "
    action = f" _llr_ids {param.names}" if param.names else action
    return _quoted(f"--{param.name}=[{text}]:{param.name}:{action}")


def zsh() -> str:
    """Returns the script for zsh."""
    cases = []
    for spot, found in spots().items():
        listed = " ".join(found.words)
        words = f" {_quoted(f'1:word:({listed})')}" if listed else ""
        flags = " \\\n        ".join(_zsh_flag(param) for param in found.flags)
        cases.append(f"    {_quoted(spot)})\n      _arguments -S{words} \\\n        {flags} ;;")
    shown = {name: row.summary.replace(":", ";") for name, row in COMMANDS.items() if not row.hidden}
    rows = [f"    {_quoted(f'{name}:{summary}')}" for name, summary in shown.items()]
    return f"""#compdef {" ".join(PROGRAMS)}
# zsh completion for {PROGRAMS[0]}. Load it with: source <(llr completion zsh)
_llr_ids() {{
  local -a found
  found=("${{(@f)$(${{service:-{PROGRAMS[0]}}} completion ids $1 2>/dev/null)}}")
  compadd -a found
}}
_llr() {{
  local -a commands
  commands=(
{chr(10).join(rows)}
  )
  if (( CURRENT == 2 )); then
    _describe -t commands command commands
    return
  fi
  local spot="${{words[2]}}"
  if [[ "$spot" == (config|setup) && CURRENT -gt 3 && "${{words[3]}}" != -* ]]; then
    spot="config:${{words[3]}}"
    shift words
    (( CURRENT-- ))
  fi
  shift words
  (( CURRENT-- ))
  case "$spot" in
{chr(10).join(cases)}
  esac
}}
compdef _llr {" ".join(PROGRAMS)}
"""


def _fish_flag(condition: str, param: Param) -> str:
    values = f" -xa {_quoted(' '.join(_values(param)))}" if param.choices else ""
    values = f" -xa '(llr completion ids {param.names} 2>/dev/null)'" if param.names else values
    needs = "" if param.kind is Kind.BOOL else " -rF" if param.kind is Kind.PATH else " -x"
    return f"complete -c llr -n {condition} -l {param.name}{values or needs} -d {_quoted(param.summary)}"


def fish() -> str:
    """Returns the script for fish."""
    lines = ["# fish completion for llr. Load it with: llr completion fish | source", "complete -c llr -f"]
    for name, row in COMMANDS.items():
        if not row.hidden:
            lines.append(f"complete -c llr -n __fish_use_subcommand -a {name} -d {_quoted(row.summary)}")
    for spot, found in spots().items():
        command, _, operation = spot.partition(":")
        seen = f"__fish_seen_subcommand_from {command}"
        condition = f"{seen}; and __fish_seen_subcommand_from {operation}" if operation else seen
        if found.words:
            lines.append(f"complete -c llr -n {_quoted(condition)} -a {_quoted(' '.join(found.words))}")
        lines += [_fish_flag(_quoted(condition), param) for param in found.flags]
    return "\n".join([*lines, *(f"complete -c {other} -w llr" for other in PROGRAMS[1:])]) + "\n"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
