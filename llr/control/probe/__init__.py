"""The probe engine: which formats an endpoint speaks, which models answer there, and what it lists.

Law: pure decisions (`addresses`, `replies`, `verdict`, `order`, `result`) apart from the calls (`ask`) and the walks
that make them (`endpoint`, `matrix`, `discovery`). A key goes only to the endpoints that were named, and over plain
http only to this machine or a private network unless its owner said otherwise. A cancelled probe stops at once.
"""
