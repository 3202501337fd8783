"""The Anthropic Messages format."""

from llr.base.names import FormatId
from llr.formats.anthropic_messages.encode import encode_request
from llr.formats.anthropic_messages.errors import decode_fault, encode_fault, fault_event, ping
from llr.formats.anthropic_messages.request import decode_request
from llr.formats.anthropic_messages.response import decode_response, encode_response
from llr.formats.anthropic_messages.stream import StreamDecoder
from llr.formats.anthropic_messages.stream_out import StreamEncoder
from llr.formats.base import Format

FORMAT = Format(
    id=FormatId.MESSAGES,
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
