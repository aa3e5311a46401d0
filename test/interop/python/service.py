"""What the test service answers. A peer brings requests in and takes replies out, each with its compressed flag."""

import asyncio

import methods as m
import messages_pb2 as pb


class Failure(Exception):
    def __init__(self, code, details):
        super().__init__(details)
        self.code = code
        self.details = details


async def answer(name, requests):
    """
    Yields `(reply, compress)`; compress is None where it was not asked for.
    `requests` yields `(request, compressed)`; compressed is None where the peer cannot see it.
    """
    if name == "EmptyCall":
        async for _ in requests:
            yield pb.Empty(), None
    elif name == "UnaryCall":
        async for request, compressed in requests:
            _check_compressed(request, compressed)
            _end_as_asked(request)
            reply = pb.SimpleResponse(payload=_payload(request.response_type, request.response_size))
            yield reply, _wanted(request, "response_compressed")
    elif name == "StreamingInputCall":
        total = 0
        async for request, compressed in requests:
            _check_compressed(request, compressed)
            total += len(request.payload.body)
        yield pb.StreamingInputCallResponse(aggregated_payload_size=total), None
    else:
        async for request, _ in requests:
            _end_as_asked(request)
            for wanted in request.response_parameters:
                await asyncio.sleep(wanted.interval_us / 1_000_000)
                reply = pb.StreamingOutputCallResponse(payload=_payload(request.response_type, wanted.size))
                yield reply, _wanted(wanted, "compressed")


def echoed(metadata, key):
    return [(name, value) for name, value in metadata if name == key]


def _payload(kind, size):
    if kind != pb.COMPRESSABLE:
        raise Failure(m.INVALID_ARGUMENT, f"payload type {kind} is not known")
    if not 0 <= size <= 4 * 1024 * 1024:
        raise Failure(m.INVALID_ARGUMENT, f"payload of {size} bytes")
    return pb.Payload(type=kind, body=bytes(size))


def _wanted(message, field):
    return getattr(message, field).value if message.HasField(field) else None


def _check_compressed(request, compressed):
    wanted = _wanted(request, "expect_compressed")
    if wanted is None or wanted == compressed:
        return
    if compressed is None:
        raise Failure(m.UNIMPLEMENTED, m.NOT_POSSIBLE + "whether a request was compressed does not show to the server")
    raise Failure(m.INVALID_ARGUMENT, f"compressed: {wanted} was wanted, it is {compressed}")


def _end_as_asked(request):
    if request.HasField("response_status") and request.response_status.code != m.OK:
        raise Failure(request.response_status.code, request.response_status.message)
