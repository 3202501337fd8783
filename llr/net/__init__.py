"""HTTP/1.1 over sockets: a server for `Handler`, a client that is a `Transport`.

Law: h11 parses and writes every head, and sees one only after `head.py` passed its raw bytes; a body, whose framing
those heads fixed, goes past h11 (`framing.py` in, plain writes out). One coroutine per connection; no timer and no
task per request or per chunk.

server.py      serve(handler, sock, limits) -> Server: accepts, caps, drains
connection.py  one client connection: head, handler, answer, next
body.py        a request body that is read only when asked for; answer.py: an answer's head; plain.py: our own errors
client.py      Client: the Transport; exchange.py: one request and its answer
pool.py        choose(): which connection a request gets (pure)
dial.py        TCP, proxy and TLS together; proxy.py: which proxy (pure); tls.py: whom to trust
stream.py      the byte stream under both; tlsstream.py: the same through TLS; watch.py: deadlines
"""
