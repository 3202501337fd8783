"""Google Gemini `generateContent`: contents of parts, one candidate, streams as events or as one array.

Law: field names are read in either spelling and written in camelCase; a thought signature goes back to the call it
came with.
"""

from llr.base.names import FormatId
from llr.formats.base import Format
from llr.formats.gemini.faults import decode_fault, encode_fault, fault_event, ping
from llr.formats.gemini.request_in import decode_request
from llr.formats.gemini.request_out import encode_request
from llr.formats.gemini.response import decode_response, encode_response
from llr.formats.gemini.stream_in import StreamDecoder
from llr.formats.gemini.stream_out import StreamEncoder

FORMAT = Format(
    id=FormatId.GEMINI,
    decode_request=decode_request,
    encode_request=encode_request,
    decode_response=decode_response,
    encode_response=encode_response,
    stream_decoder=StreamDecoder,
    stream_encoder=StreamEncoder,
    decode_fault=decode_fault,
    encode_fault=encode_fault,
    fault_event=fault_event,
    ping=ping,
)
