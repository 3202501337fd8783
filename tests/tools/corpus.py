"""Settings files as people have them."""

CODEX: dict[str, str | bytes | None] = {
    "missing": None,
    "empty": "",
    "only a comment": "# nothing yet",
    "plain": 'model = "gpt-5"\nmodel_reasoning_effort = "low"\n',
    "comments and odd spacing": (
        "# top\n\nmodel=\"gpt-5\"   # good\n   approval_policy   =  'never'\n\n\n[notice]\n hide = true\n"
    ),
    "crlf": '# win\r\nmodel = "gpt-5"\r\n\r\n[mcp_servers.a]\r\ncommand = "npx"\r\nargs = ["-y", "x#1"]\r\n',
    "bom": '\ufeffmodel = "gpt-5"\n[tools]\nweb_search = true\n',
    "array tables": '[[rules]]\nname = "a"\nmodel = "inner"\n\n[[rules]]\nname = "b"\n[rules.deep]\nx = 1\n',
    "inline tables": 'model_providers = { mine = { name = "m", base_url = "http://x" } }\nfeatures = { a = true }\n',
    "dotted keys": 'model_providers.mine.name = "m"\nfeatures.multi = false\nmodel = "o3"\n',
    "quoted table of ours": '[model_providers."llm-router"]\nbase_url = "http://old"\nenv_key = "OLD_KEY" # mine\n',
    "own provider in use": (
        'model_provider = "azure"\nmodel = "x"\n\n[model_providers.azure]\nname = "Azure"\nquery_params = { v = "1" }\n'
    ),
    "multi-line strings": (
        'note = """\n[not.a.table]\nmodel = "no"\n"""\nmodel = \'\'\'gpt\'\'\'\n[profiles.a]\nmodel = "p"\n'
    ),
    "no newline at the end": "[features]\nweb = true\nenable_request_compression = true",
    "numbers and dates": "a = 1_000\nb = 0xff\nc = 1979-05-27T07:32:00Z\nd = 1e3\n[t]\ne = inf\n",
    "other switches": "[features]\n# keep\nx = true # y\n\n[tui]\ntheme = 'dark'\n",
}

CODEX_BROKEN = {
    "no value": ("model = \n", 1, 9),
    "open string": ('a = 1\nmodel = "gpt\n', 2, 13),
    "twice": ("a = 1\na = 2\n", 2, 0),
    "open table": ("x = 1\n\n[mcp\n", 3, 0),
    "not utf-8": (b'model = "\xff"\n', 1, 10),
}

JSON_FILES: dict[str, str | bytes | None] = {
    "missing": None,
    "empty": "",
    "empty object": "{}",
    "blank lines": "\n\n{ }\n\n",
    "plain": '{\n  "permissions": {\n    "allow": ["Bash"]\n  },\n  "model": "opus"\n}\n',
    "jsonc": '// mine\n{\n  /* why */\n  "env": {\n    "FOO": "1", // one\n    "BAR": "2",\n  },\n}\n',
    "tabs": '{\n\t"env": {\n\t\t"ANTHROPIC_API_KEY": "sk-ant-0123456789"\n\t},\n\t"n": 1.50\n}',
    "four blanks": '{\n    "a": 1e3,\n    "b": [1,2,  3],\n    "reasoningEffort": "low"\n}\n',
    "one line": '{"env":{"ANTHROPIC_MODEL":"claude-opus","ANTHROPIC_BASE_URL":"https://x.example"},"z":0.10}',
    "crlf": '{\r\n  "env": {\r\n    "A": "b"\r\n  },\r\n  "effortLevel": "medium"\r\n}\r\n',
    "bom": '\ufeff{\n  "a": "é"\n}\n',
    "env is no object": '{"env": "x", "keep": true}',
    "nested duplicates": '{\n  "env": {"A": "1"},\n  "hooks": {"env": {"A": "2"}},\n  "env": {"A": "3"}\n}\n',
    "escapes and big numbers": '{"k\\u00e9": "\\ud83d\\ude00", "n": 12345678901234567890, "m": -0.0}\n',
    "custom models": (
        '{\n  "customModels": [\n'
        '    {"model": "a", "id": "custom:mine-1", "index": 4, "baseUrl": "http://x"}, // first\n'
        '    {"model": "b", "id": "custom:mine-2", "index": 7}\n  ],\n  "model": "custom:mine-2",\n'
        '  "sessionDefaultSettings": {"model": "custom:mine-2", "autonomy": "low"}\n}\n'
    ),
    "mission": '{"missionModelSettings": {"workerModel": "w"}, "missionOrchestratorModel": "o"}\n',
}

JSON_BROKEN = {
    "no value": ('{\n  "a": ,\n}', 2, 8),
    "open": ('{"a": 1', 1, 8),
    "an array": ("[1]", 0, 0),
    "text after": ("{} x", 1, 4),
    "open comment": ('{\n/* "a": 1}', 2, 1),
    "not utf-8": (b'{"a": "\xff"}', 1, 8),
}
