"""
The cases, for any stub. A stub has `call(method_name, method, requests, metadata, timeout, compress)`; the call it
gives is iterated for `(reply, compressed)`, ends without an exception, and `finish()` then tells how.
`requests` is an async iterator; `compress` is True or False, or a list that says it for each message.
"""

import asyncio
from dataclasses import dataclass

import messages_pb2 as pb
import methods as m

TIMEOUT = 20
REQUEST_SIZES = [27182, 8, 1828, 45904]
REPLY_SIZES = [31415, 9, 2653, 58979]
UNSEEN = "whether a reply was compressed does not show to the client"


@dataclass
class Ended:
    code: int
    details: str
    header: list
    trailer: list


class NotPossible(Exception):
    pass


async def run(stub, chosen):
    """Prints a line for each case; returns how many failed."""
    failures = 0
    names = list(CASES) if chosen == "all" else [chosen]
    for name in names:
        try:
            note = await asyncio.wait_for(CASES[name](stub), TIMEOUT)
            outcome = f"passed: {note}" if note else "passed"
        except NotPossible as reason:
            outcome = f"{m.NOT_POSSIBLE}{reason}"
        except Exception as error:
            text = str(error).replace("\n", " ") or type(error).__name__
            outcome = f"FAILED: {text}"
            failures += 1
        print(f"{name}: {outcome}", flush=True)
    return failures


def start(stub, name, requests, method=None, **options):
    options = {"metadata": (), "timeout": TIMEOUT, "compress": False, **options}
    return stub.call(name, method or m.METHODS[name], requests, **options)


async def finish(call):
    """The messages, their flags, and the end of a call that may fail."""
    replies, flags = [], []
    async for reply, compressed in call:
        replies.append(reply)
        flags.append(compressed)
    ended = await call.finish()
    if ended.code == m.UNIMPLEMENTED and ended.details.startswith(m.NOT_POSSIBLE):
        raise NotPossible(ended.details[len(m.NOT_POSSIBLE) :])
    return replies, flags, ended


async def ask(stub, name, *requests, **options):
    """A call that has to succeed."""
    replies, flags, ended = await finish(start(stub, name, stream(*requests), **options))
    equal(ended.code, m.OK, ended.details)
    return replies, flags, ended


async def refused(call, code):
    _, _, ended = await finish(call)
    equal(ended.code, code, ended.details)
    return ended


async def stream(*requests):
    for request in requests:
        yield request


async def unfinished(*requests):
    for request in requests:
        yield request
    await asyncio.Event().wait()


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{wanted!r} was wanted, got {got!r} {what}")


def zeros(size):
    return pb.Payload(body=bytes(size))


def large(**more):
    return pb.SimpleRequest(response_size=314159, payload=zeros(271828), **more)


def output(size, payload_size=0, **more):
    wanted = [pb.ResponseParameters(size=size)]
    return pb.StreamingOutputCallRequest(response_parameters=wanted, payload=zeros(payload_size), **more)


def check_large(replies):
    equal([reply.payload.body == bytes(314159) for reply in replies], [True])


def sizes(replies):
    return [len(reply.payload.body) for reply in replies]


async def empty_unary(stub):
    replies, _, _ = await ask(stub, "EmptyCall", pb.Empty())
    equal(replies, [pb.Empty()])


async def large_unary(stub, compress=False):
    replies, _, _ = await ask(stub, "UnaryCall", large(), compress=compress)
    check_large(replies)


async def compressed_large_unary(stub):
    await large_unary(stub, compress=True)


async def client_streaming(stub, compress=False):
    requests = [pb.StreamingInputCallRequest(payload=zeros(size)) for size in REQUEST_SIZES]
    replies, _, _ = await ask(stub, "StreamingInputCall", *requests, compress=compress)
    equal([reply.aggregated_payload_size for reply in replies], [74922])


async def compressed_client_streaming(stub):
    await client_streaming(stub, compress=True)


async def server_streaming(stub):
    wanted = [pb.ResponseParameters(size=size) for size in REPLY_SIZES]
    request = pb.StreamingOutputCallRequest(response_parameters=wanted)
    replies, _, _ = await ask(stub, "StreamingOutputCall", request)
    equal(sizes(replies), REPLY_SIZES)


async def ping_pong(stub):
    answered = asyncio.Queue()

    async def pings():
        for request_size, reply_size in zip(REQUEST_SIZES, REPLY_SIZES):
            yield output(reply_size, request_size)
            await answered.get()

    call = start(stub, "FullDuplexCall", pings())
    received = []
    async for reply, _ in call:
        received.append(len(reply.payload.body))
        answered.put_nowait(None)
    equal((await call.finish()).code, m.OK)
    equal(received, REPLY_SIZES)


async def empty_stream(stub):
    replies, _, _ = await ask(stub, "FullDuplexCall")
    equal(replies, [])


async def client_compressed_unary(stub):
    compressed = large(expect_compressed=pb.BoolValue(value=True))
    plain = large(expect_compressed=pb.BoolValue(value=False))
    await refused(start(stub, "UnaryCall", stream(compressed)), m.INVALID_ARGUMENT)
    check_large((await ask(stub, "UnaryCall", compressed, compress=True))[0])
    check_large((await ask(stub, "UnaryCall", plain))[0])


async def client_compressed_streaming(stub):
    def request(size, compressed):
        return pb.StreamingInputCallRequest(
            payload=zeros(size), expect_compressed=pb.BoolValue(value=compressed)
        )

    first, second = request(27182, True), request(45904, False)
    await refused(start(stub, "StreamingInputCall", stream(first)), m.INVALID_ARGUMENT)
    replies, _, _ = await ask(stub, "StreamingInputCall", first, second, compress=[True, False])
    equal([reply.aggregated_payload_size for reply in replies], [73086])


async def server_compressed_unary(stub):
    for compressed in (True, False):
        request = large(response_compressed=pb.BoolValue(value=compressed))
        replies, flags, _ = await ask(stub, "UnaryCall", request)
        check_large(replies)
        if flags != [None]:
            equal(flags, [compressed])
    return UNSEEN if flags == [None] else None


async def server_compressed_streaming(stub):
    wanted = [
        pb.ResponseParameters(size=size, compressed=pb.BoolValue(value=compressed))
        for size, compressed in ((31415, True), (92653, False))
    ]
    request = pb.StreamingOutputCallRequest(response_parameters=wanted)
    replies, flags, _ = await ask(stub, "StreamingOutputCall", request)
    equal(sizes(replies), [31415, 92653])
    if None in flags:
        return UNSEEN
    equal(flags, [True, False])


async def timeout_on_sleeping_server(stub):
    request = pb.StreamingOutputCallRequest(payload=zeros(27182))
    await refused(start(stub, "FullDuplexCall", unfinished(request), timeout=0.001), m.DEADLINE_EXCEEDED)


async def cancel_after_begin(stub):
    call = start(stub, "StreamingInputCall", unfinished())
    await asyncio.sleep(0)
    call.cancel()
    await refused(call, m.CANCELLED)


async def cancel_after_first_response(stub):
    call = start(stub, "FullDuplexCall", unfinished(output(31415, 27182)))
    async for reply, _ in call:
        equal(len(reply.payload.body), 31415)
        call.cancel()
    await refused(call, m.CANCELLED)


async def status_code_and_message(stub):
    status = pb.EchoStatus(code=m.UNKNOWN, message="test status message")
    calls = (
        start(stub, "UnaryCall", stream(pb.SimpleRequest(response_status=status))),
        start(stub, "FullDuplexCall", stream(pb.StreamingOutputCallRequest(response_status=status))),
    )
    for call in calls:
        equal((await refused(call, m.UNKNOWN)).details, status.message)


async def special_status_message(stub):
    message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    request = pb.SimpleRequest(response_status=pb.EchoStatus(code=m.UNKNOWN, message=message))
    equal((await refused(start(stub, "UnaryCall", stream(request)), m.UNKNOWN)).details, message)


async def custom_metadata(stub):
    sent = [(m.INITIAL, "test_initial_metadata_value"), (m.TRAILING, b"\xab\xab\xab")]
    for name, request in (("UnaryCall", large()), ("FullDuplexCall", output(314159, 271828))):
        _, _, ended = await ask(stub, name, request, metadata=sent)
        equal(dict(ended.header).get(m.INITIAL), "test_initial_metadata_value")
        equal(dict(ended.trailer).get(m.TRAILING), b"\xab\xab\xab")


async def unimplemented_method(stub):
    await refused(start(stub, "UnimplementedCall", stream(pb.Empty()), m.MISSING_METHOD), m.UNIMPLEMENTED)


async def unimplemented_service(stub):
    await refused(start(stub, "UnimplementedCall", stream(pb.Empty()), m.MISSING_SERVICE), m.UNIMPLEMENTED)


CASES = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_streaming,
        server_streaming,
        ping_pong,
        empty_stream,
        client_compressed_unary,
        server_compressed_unary,
        client_compressed_streaming,
        server_compressed_streaming,
        compressed_large_unary,
        compressed_client_streaming,
        timeout_on_sleeping_server,
        cancel_after_begin,
        cancel_after_first_response,
        status_code_and_message,
        special_status_message,
        custom_metadata,
        unimplemented_method,
        unimplemented_service,
    )
}
