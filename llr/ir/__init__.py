"""The intermediate form: the union of what the wire formats can say, as ordered parts and stream events.

Law: a decoder keeps what it does not understand as luggage of its own format (`extras`, `Opaque`); an encoder
re-emits only luggage of its own format and names every other loss. Same format in and out never comes here.
"""
