"""OpenAI Responses: requests of items, answers of items, streams of typed events.

Law: an item is the unit. What comes in as one goes out as one, with its id and place; what only this format knows stays
whole.
"""

from llr.base.names import FormatId
from llr.formats.base import Format
from llr.formats.openai_responses.faults import decode_fault, encode_fault, fault_event, ping
from llr.formats.openai_responses.request_in import decode_request
from llr.formats.openai_responses.request_out import encode_request
from llr.formats.openai_responses.response import decode_response
from llr.formats.openai_responses.stream_in import StreamDecoder
from llr.formats.openai_responses.stream_out import StreamEncoder, encode_response

FORMAT = Format(
    id=FormatId.RESPONSES,
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
