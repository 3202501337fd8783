"""The OpenAI Chat Completions format, and what servers that speak it make of it."""

from llr.base.names import FormatId
from llr.formats.base import Format
from llr.formats.openai_chat.encode import encode_request
from llr.formats.openai_chat.errors import decode_fault, encode_fault, fault_event, ping
from llr.formats.openai_chat.request import decode_request
from llr.formats.openai_chat.response import decode_response, encode_response
from llr.formats.openai_chat.stream import StreamDecoder
from llr.formats.openai_chat.stream_out import StreamEncoder

FORMAT = Format(
    id=FormatId.CHAT,
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
