"""Context windows, output limits and list prices of well-known models, as `llr.providers.models` reads them.

Made by `tests/generate_models.py`; edit that, not this. Facts are those of LiteLLM's public price file
(https://github.com/BerriAI/litellm, model_prices_and_context_window.json, release 1.110.2), whose entries cite
the vendors' own pages. A line: most input tokens, most output tokens, US dollars per million input, cached input and
output tokens, model ids.
"""

ROWS = """\
200000 - - - - claude-3-5-haiku claude-3.5-sonnet claude-3-7-sonnet claude-3-haiku claude-4-opus claude-4-sonnet
 codex-mini
1000000 128000 10 1 50 claude-fable-5 claude-mythos-5 claude-mythos-preview
1000000 128000 10 0.25 50 claude-fable-5-1 claude-mythos-5-1
200000 64000 1 0.1 5 claude-haiku-4-5 claude-haiku-4-5-20251001
1000000 128000 0.1 0.01 0.5 claude-haiku-5-5
200000 64000 5 0.5 25 claude-opus-4-5 claude-opus-4-5-20251101
1000000 128000 5 0.5 25 claude-opus-4-6 claude-opus-4-6-20260205 claude-opus-4-7 claude-opus-4-7-20260416
 claude-opus-4-8 claude-opus-5
1000000 128000 4 0.2 20 claude-opus-5-5
200000 64000 3 0.3 15 claude-sonnet-4-5 claude-sonnet-4-5-20250929
1000000 128000 3 0.3 15 claude-sonnet-4-6
1000000 128000 2 0.2 10 claude-sonnet-5
1000000 128000 2 0.1 10 claude-sonnet-5-5
16384 16384 0.35 - 1.4 codellama-34b-instruct
16384 16384 0.7 - 2.8 codellama-70b-instruct
128000 - - - - codestral-2 gpt-chat-latest grok-4-1-fast-non-reasoning grok-4-1-fast-reasoning llama-3.1-70b
 llama-3.2-11b-vision-instruct llama-3.3-70b llama3.1-8b ministral-3b Mistral-Nemo-Instruct-2407 mistral-small-2503
 Mistral-Small-3.2-24B-Instruct-2506 nvidia-nemotron-nano-12b-v2 NVIDIA-Nemotron-Nano-9B-v2 o1-mini-2024-09-12
 pixtral-12b-2409 Qwen2.5-VL-32B-Instruct
32000 8191 - - - codestral-2405 codestral-latest
128000 128000 0.3 0.03 0.9 codestral-2508 mistral-code-fim-latest mistral-code-latest
256000 256000 0.25 0.025 0.25 codestral-mamba-latest
256000 8000 2.5 - 10 command-a-03-2025
128000 64000 - - - command-a-plus-05-2026
128000 4096 0.15 - 0.6 command-r-08-2024
128000 4096 2.5 - 10 command-r-plus-08-2024
128000 4096 0.0375 - 0.15 command-r7b-12-2024
8192 1024 3 - 12 computer-use-preview computer-use-preview-2025-03-11
131072 8192 0.28 0.028 0.42 deepseek-chat
128000 4096 0.14 0.014 0.28 deepseek-coder
1000000 393216 0.3 0.006 1.2 deepseek-flash
65536 8192 0.55 0.14 2.19 deepseek-r1
163840 - - - - DeepSeek-R1-0528 DeepSeek-V3-0324
131072 - - - - DeepSeek-R1-Distill-Llama-8B DeepSeek-R1-Distill-Qwen-14B deepseek-r1-distill-qwen-32b
 DeepSeek-R1-Distill-Qwen-7B gemma-3-12b-it gpt-oss-120b gpt-oss-20b Kimi-K2-Instruct Llama-3.3-70B-Instruct-Turbo
 Meta-Llama-3.1-70B-Instruct-Turbo Meta-Llama-3.1-8B-Instruct-Turbo Muse-Glimmer-30B qwq-32b
131072 65536 0.28 0.028 0.42 deepseek-reasoner
65536 8192 0.27 0.07 1.1 deepseek-v3
163840 163840 0.28 0.028 0.4 deepseek-v3.2
1048576 - - - - deepseek-v4.1-flash deepseek-v4.1-flash-fast DeepSeek-V4-Pro-0813 glm-5.3-fast glm-5p2-fast
 kimi-k3-fast kimi-k3-us mimo-v2.5-pro mimo-v2.6-flash mimo-v2.6-pro MiniMax-M3.1-Flash muse-spark-1.1 muse-spark-1.2
 muse-spark-1.2-contributor muse-spark-1.3 muse-spark-1.3-contributor muse-spark-open nemotron-3.5-super-vl
1048576 131072 0.3 0.007 1.2 deepseek-v4-1-flash-1017
1000000 393216 0.2 0.04 0.4 deepseek-v4-flash deepseek-v4-flash-0731
1000000 393216 2.4 0.2 4.8 deepseek-v4-pro
256000 256000 0.4 0.04 2 devstral-latest devstral-medium-latest mistral-code-agent-latest
256000 256000 0.1 0.01 0.3 devstral-small-latest
128000 64000 1.25 - 10 gemini-2.5-computer-use-preview-10-2025
1048576 65536 0.3 0.03 2.5 gemini-2.5-flash gemini-3.5-flash-lite gemini-flash-lite-latest
1048576 65536 0.1 0.01 0.4 gemini-2.5-flash-lite
1048576 65536 1.25 0.125 10 gemini-2.5-pro
1048576 65536 0.25 0.025 1.5 gemini-3.1-flash-lite gemini-3.1-flash-lite-preview
1048576 65536 2 0.2 12 gemini-3.1-pro-preview gemini-3.1-pro-preview-customtools gemini-pro-latest
1048576 65536 1.5 0.15 9 gemini-3.5-flash
1048576 65536 0.75 0.075 3.75 gemini-3.6-flash gemini-3.7-flash gemini-3.8-flash gemini-flash-latest
1048576 65536 0.5 0.05 3 gemini-3-flash-preview
1048576 1048576 2 0.1 10 gemini-4-argon
1048576 1048576 1.5 0.075 7.5 gemini-4-hydrogen
8192 8192 0.35 - 1.05 gemini-gemma-2-27b-it gemini-gemma-2-9b-it
131072 8192 - - - gemma-3-27b-it
262144 32768 - - - gemma-4-26b-a4b-it gemma-4-31b-it
8192 - - - - gemma-7b-it llama-3-70b llama-3-70b-instruct Meta-Llama-3-8B-Instruct Mistral-7B-Instruct-v0.1
128000 32000 0.1 - 0.1 glm-4-32b-0414-128k
128000 32000 0.6 - 2.2 glm-4.5
128000 32000 0.2 - 1.1 glm-4.5-air
128000 32000 1.1 - 4.5 glm-4.5-airx
128000 32000 - - - glm-4.5-flash
128000 32000 2.2 - 8.9 glm-4.5-x
128000 32000 0.6 - 1.8 glm-4.5v
200000 128000 0.6 0.11 2.2 glm-4.6 glm-4.7
200000 128000 - - - glm-4.7-flash
200000 128000 1 0.2 3.2 glm-5
202745 131072 1.4 0.26 4.4 glm-5.1
1048576 131072 1.4 0.28 4.4 glm-5.2
1000000 128000 1.4 0.26 4.4 glm-5.3
1048576 128000 0.15 0.03 0.5 glm-5.3-flash
1000000 - - - - glm-5.3-flashx longcat-2.0
200000 128000 1.2 0.3 5 glm-5-code
200000 128000 1.2 0.24 4 glm-5v-turbo
16385 4096 0.5 - 1.5 gpt-3.5-turbo gpt-3.5-turbo-0125
16385 4096 1 - 2 gpt-3.5-turbo-1106
16385 4096 3 - 4 gpt-3.5-turbo-16k
8192 4096 30 - 60 gpt-4 gpt-4-0613
1047576 32768 2 0.5 8 gpt-4.1 gpt-4.1-2025-04-14
1047576 32768 0.4 0.1 1.6 gpt-4.1-mini gpt-4.1-mini-2025-04-14
1047576 32768 0.1 0.025 0.4 gpt-4.1-nano gpt-4.1-nano-2025-04-14
128000 4096 10 - 30 gpt-4-1106-preview gpt-4-turbo gpt-4-turbo-2024-04-09
128000 16384 2.5 1.25 10 gpt-4o gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-search-preview
 gpt-4o-search-preview-2025-03-11
128000 4096 5 - 15 gpt-4o-2024-05-13
128000 16384 0.15 0.075 0.6 gpt-4o-mini gpt-4o-mini-2024-07-18 gpt-4o-mini-search-preview
 gpt-4o-mini-search-preview-2025-03-11
272000 128000 1.25 0.125 10 gpt-5 gpt-5.1 gpt-5.1-2025-11-13 gpt-5-2025-08-07 gpt-5-codex
111616 - - - - gpt-5.1-chat gpt-5.2-chat gpt-5.3-chat
128000 16384 1.25 0.125 10 gpt-5.1-chat-latest gpt-5-chat gpt-5-chat-latest
400000 128000 1.25 0.125 10 gpt-5.1-codex gpt-5.1-codex-max
400000 128000 0.25 0.025 2 gpt-5.1-codex-mini
272000 128000 1.75 0.175 14 gpt-5.2 gpt-5.2-2025-12-11 gpt-5.2-codex gpt-5.3-codex
128000 16384 1.75 0.175 14 gpt-5.2-chat-latest gpt-5.3-chat-latest
272000 128000 21 - 168 gpt-5.2-pro gpt-5.2-pro-2025-12-11
1050000 128000 2.5 0.25 15 gpt-5.4 gpt-5.4-2026-03-05
272000 128000 0.75 0.075 4.5 gpt-5.4-mini gpt-5.4-mini-2026-03-17
272000 128000 0.2 0.02 1.25 gpt-5.4-nano gpt-5.4-nano-2026-03-17
1050000 128000 30 - 180 gpt-5.4-pro gpt-5.4-pro-2026-03-05 gpt-5.5-pro gpt-5.5-pro-2026-04-23
1050000 128000 5 0.5 30 gpt-5.5 gpt-5.5-2026-04-23
922000 - - - - gpt-5.5-2026-04-24
922000 128000 4 0.4 20 gpt-5.6 gpt-5.6-sol gpt-daybreak-blue-latest
272000 128000 12.5 1.25 75 gpt-5.6-cyber gpt-daybreak-red-latest
922000 128000 0.2 0.02 1.2 gpt-5.6-luna
922000 128000 2 0.2 12 gpt-5.6-terra
272000 128000 0.25 0.025 2 gpt-5-mini gpt-5-mini-2025-08-07
272000 128000 0.05 0.005 0.4 gpt-5-nano gpt-5-nano-2025-08-07
400000 272000 15 - 120 gpt-5-pro gpt-5-pro-2025-10-06
922000 128000 2 0.1 10 gpt-6.1-sol
922000 128000 1 0.05 5 gpt-6.1-terra
922000 128000 10 1 50 gpt-6-astra gpt-6-astra-law
922000 128000 20 2 100 gpt-6-cyber
922000 128000 0.1 0.01 0.5 gpt-6-luna
922000 128000 15 1.5 75 gpt-6-rosalind
922000 128000 2 0.2 10 gpt-6-sol
1000000 1000000 1.25 0.2 2.5 grok-4.20 grok-4.20-0309 grok-4.20-0309-non-reasoning grok-4.20-0309-reasoning
 grok-4.20-multi-agent grok-4.20-multi-agent-0309 grok-4.20-multi-agent-latest grok-4.20-non-reasoning
 grok-4.20-non-reasoning-latest grok-4.20-reasoning grok-4.20-reasoning-latest grok-4.3 grok-4.3-latest
500000 500000 2 0.3 6 grok-4.5 grok-4.5-latest grok-build-latest
500000 500000 2 0.5 6 grok-4.6 grok-4.7
256000 256000 1 0.2 2 grok-build-0.1 grok-code-fast grok-code-fast-1 grok-code-fast-1-0825
256000 256000 0.2 - 0.4 jamba-1.5 jamba-1.5-mini jamba-mini-1.6 jamba-mini-1.7
256000 256000 2 - 8 jamba-1.5-large jamba-large-1.6 jamba-large-1.7
262144 262144 0.6 0.1 3 kimi-k2.5
262144 262144 0.95 0.16 4 kimi-k2.6
229376 16384 0.95 0.19 4 kimi-k2.7-code
262144 - - - - kimi-k2.7-code-highspeed Kimi-K2-Instruct-0905 nemotron-3-nano-30b-a3b nemotron-3-ultra-nvfp4
 Qwen3-235B-A22B-Instruct-2507 Qwen3-235B-A22B-Thinking-2507 Qwen3-30B-A3B-Instruct-2507 qwen3.5-122b-a10b qwen3.5-27b
 qwen3.5-35b-a3b Qwen3.5-397B-A17B Qwen3.5-9B qwen3.6-27b Qwen3.6-35B-A3B Qwen3-Coder-480B-A35B-Instruct
 Qwen3-Coder-480B-A35B-Instruct-FP8 qwen3-vl-30b-a3b-instruct qwen3-vl-8b-instruct
1048576 1048576 3 0.3 15 kimi-k3
1048576 1048576 2 0.2 10 kimi-k3.1-pro
1048576 1048576 4 0.2 20 kimi-k3.1-pro-highspeed
4096 4096 0.7 - 2.8 llama-2-70b-chat
131072 131072 1 - 1 llama-3.1-70b-instruct
131072 131072 0.2 - 0.2 llama-3.1-8b-instruct
128000 4028 - - - Llama-3.3-70B-Instruct Llama-3.3-8B-Instruct
1000000 4028 - - - Llama-4-Maverick-17B-128E-Instruct-FP8
10000000 4028 - - - Llama-4-Scout-17B-16E-Instruct-FP8
262144 262144 1.5 0.15 7.5 magistral-medium-latest mistral-medium mistral-medium-2604 mistral-medium-3
 mistral-medium-3-5 mistral-medium-latest mistral-vibe-cli-latest mistral-vibe-cli-with-tools
262144 262144 0.15 0.015 0.6 magistral-small-latest mistral-small-2603 mistral-small-latest mistral-vibe-cli-fast
128000 50000 0.25 0.025 0.75 mercury-2
260000 65536 0.2 0.02 0.75 mercury-2.5
200000 8192 0.3 0.03 1.2 MiniMax-M2
1000000 8192 0.3 0.03 1.2 MiniMax-M2.1 MiniMax-M2.5
1000000 8192 0.3 0.03 2.4 MiniMax-M2.1-lightning MiniMax-M2.5-lightning
204800 - - - - minimax-m2.7-highspeed
1000000 128000 0.3 0.06 1.2 MiniMax-M3
262144 262144 0.2 0.02 0.2 ministral-14b-2512 ministral-14b-latest ministral-3-14b-2512
131072 131072 0.1 0.01 0.1 ministral-3-3b-2512 ministral-3b-2512 ministral-3b-latest
262144 262144 0.15 0.015 0.15 ministral-3-8b-2512 ministral-8b-2512 ministral-8b-latest
4096 4096 0.07 - 0.28 mistral-7b-instruct mixtral-8x7b-instruct
32768 - - - - mistral-7B-Instruct-v0.2 Mistral-Small-24B-Instruct-2501 Qwen2.5-72B-Instruct Qwen2.5-7B-Instruct
 Qwen2.5-Coder-7B qwen3-30b-a3b-fp8
262144 262144 0.5 0.05 1.5 mistral-large-2512 mistral-large-3 mistral-large-latest
1048576 1048576 0.7 0.07 2.1 mistral-large-4 mistral-large-4-0
32000 8191 0.1 0.01 0.3 mistral-small
32000 8191 0.25 0.025 0.25 mistral-tiny
65536 - - - - mixtral-8x22b-instruct Mixtral-8x22B-Instruct-v0.1
131072 131072 2 - 5 moonshot-v1-128k moonshot-v1-auto
32768 32768 1 - 3 moonshot-v1-32k
8192 8192 0.2 - 2 moonshot-v1-8k
200000 100000 15 7.5 60 o1 o1-2024-12-17
200000 100000 150 - 600 o1-pro o1-pro-2025-03-19
200000 100000 2 0.5 8 o3 o3-2025-04-16
200000 100000 1.1 0.55 4.4 o3-mini o3-mini-2025-01-31
200000 100000 20 - 80 o3-pro o3-pro-2025-06-10
200000 100000 1.1 0.275 4.4 o4-mini o4-mini-2025-04-16
128000 128000 0.3 0.03 0.3 open-mistral-nemo
16384 - - - - Phi-4
128000 128000 2 0.2 6 pixtral-large-latest
1000000 16384 0.3 - 1.5 qwen-coder
997952 32768 - - - qwen-flash qwen-flash-2025-07-28 qwen-plus-2025-07-28 qwen-plus-2025-09-11 qwen-plus-latest
30720 8192 1.6 - 6.4 qwen-max
129024 16384 0.4 - 1.2 qwen-plus qwen-plus-2025-04-28 qwen-plus-2025-07-14
129024 8192 0.4 - 1.2 qwen-plus-2025-01-25
129024 16384 0.05 - 0.2 qwen-turbo
1000000 8192 0.05 - 0.2 qwen-turbo-2024-11-01
1000000 16384 0.05 - 0.2 qwen-turbo-2025-04-28 qwen-turbo-latest
40960 - - - - Qwen3-14B
129024 16384 - - - qwen3-30b-a3b
991808 65536 - - - qwen3.5-plus qwen3.7-plus
991808 65536 2.5 0.5 7.5 qwen3.7-max
991808 131072 0.15 0.016 0.47 qwen3.8-flash
991808 131072 2 0.25 6 qwen3.8-max
997952 65536 - - - qwen3-coder-flash qwen3-coder-flash-2025-07-28 qwen3-coder-plus qwen3-coder-plus-2025-07-22
258048 65536 - - - qwen3-max qwen3-max-2026-01-23 qwen3-max-preview
262144 65536 0.15 - 1.2 qwen3-next-80b-a3b-instruct qwen3-next-80b-a3b-thinking
131072 32768 0.4 - 1.6 qwen3-vl-235b-a22b-instruct
131072 32768 0.4 - 4 qwen3-vl-235b-a22b-thinking
131072 32768 0.16 - 0.64 qwen3-vl-32b-instruct
131072 32768 0.16 - 2.87 qwen3-vl-32b-thinking
260096 32768 - - - qwen3-vl-plus
98304 8192 0.8 - 2.4 qwq-plus
128000 128000 1 - 1 sonar
16384 16384 0.6 - 1.8 sonar-medium-chat
12000 12000 0 - 1.8 sonar-medium-online
200000 8000 3 - 15 sonar-pro
128000 128000 1 - 5 sonar-reasoning
128000 128000 2 - 8 sonar-reasoning-pro
16384 16384 0.07 - 0.28 sonar-small-chat
12000 12000 0 - 0.28 sonar-small-online
1048576 131072 1.4 0.14 4.4 zai-glm-5 zai-glm-5-2 zai-glm-5-3 zai-glm-latest
1048576 131072 0.15 0.03 0.5 zai-glm-5-3-flash
"""
