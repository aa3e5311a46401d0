"""The peer on grpclib: gRPC on Python's own HTTP/2. It has no compression."""

import asyncio
import ssl
import sys

import arguments
import cases
import methods as m
import service
from grpclib.client import Channel
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.server import Server

NO_COMPRESSION = "grpclib has no compression"


def cardinality(method):
    return Cardinality((method.streams_requests, method.streams_replies))


class Stub:
    def __init__(self, channel):
        self.channel = channel

    def call(self, name, method, requests, metadata, timeout, compress):
        if compress:
            raise cases.NotPossible(NO_COMPRESSION)
        return Call(self.channel, name, method, requests, metadata, timeout)


class Call:
    def __init__(self, channel, name, method, requests, metadata, timeout):
        self.method = method
        self.requests = requests
        self.stream = channel.request(
            f"/{method.service}/{name}",
            cardinality(method),
            method.request,
            method.reply,
            timeout=timeout,
            metadata=metadata,
        )
        self.ended = None  # As (code, details), when it was not well.
        self.cancelled = False
        self.replies = self._replies()

    def __aiter__(self):
        return self.replies

    async def _replies(self):
        sending = None
        try:
            async with self.stream as stream:
                await stream.send_request()
                sending = asyncio.ensure_future(self._send(stream))
                while not self.cancelled and (reply := await stream.recv_message()) is not None:
                    yield reply, None
                if self.cancelled:
                    await stream.cancel()
                else:
                    await sending
                    await stream.recv_trailing_metadata()
        except GRPCError as error:
            self.ended = (error.status.value, error.message or "")
        except asyncio.TimeoutError:
            self.ended = (m.DEADLINE_EXCEEDED, "the time is up")
        except asyncio.CancelledError:
            if not self.cancelled:
                raise
        except StreamTerminatedError as error:
            self.ended = (m.UNAVAILABLE, str(error))
        finally:
            if sending:
                sending.cancel()

    async def _send(self, stream):
        async for request in self.requests:
            await stream.send_message(request)
        if self.method.streams_requests:
            await stream.end()

    def cancel(self):
        self.cancelled = True

    async def finish(self):
        if self.cancelled:
            self.ended = (m.CANCELLED, "cancelled")
        code, details = self.ended or (m.OK, "")
        metadata = [list((each or {}).items()) for each in (self.stream.initial_metadata, self.stream.trailing_metadata)]
        return cases.Ended(code, details, *metadata)


class Service:
    """What grpclib asks of a service, without the code that its generator would write."""

    def __mapping__(self):
        return {
            f"/{m.SERVICE}/{name}": Handler(
                answering(name), cardinality(method), method.request, method.reply
            )
            for name, method in m.METHODS.items()
        }


def answering(name):
    async def requests(stream):
        try:
            while (request := await stream.recv_message()) is not None:
                yield request, None
                if not m.METHODS[name].streams_requests:
                    return
        except NotImplementedError:
            raise service.Failure(m.UNIMPLEMENTED, m.NOT_POSSIBLE + NO_COMPRESSION) from None

    async def answer(stream):
        metadata = list(stream.metadata.items())
        trailer = service.echoed(metadata, m.TRAILING)
        try:
            async for reply, compress in service.answer(name, requests(stream)):
                if compress:
                    raise service.Failure(m.UNIMPLEMENTED, m.NOT_POSSIBLE + NO_COMPRESSION)
                await begin(stream, metadata)
                await stream.send_message(reply)
            await begin(stream, metadata)
            await stream.send_trailing_metadata(metadata=trailer)
        except service.Failure as failure:
            await stream.send_trailing_metadata(
                status=Status(failure.code), status_message=failure.details, metadata=trailer
            )

    return answer


async def begin(stream, metadata):
    if not stream._send_initial_metadata_done:
        await stream.send_initial_metadata(metadata=service.echoed(metadata, m.INITIAL))


async def serve(options):
    server = Server([Service()])
    await server.start("127.0.0.1", options.port, ssl=arguments.tls(options, ssl.Purpose.CLIENT_AUTH))
    port = server._server.sockets[0].getsockname()[1]
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.wait_closed()


async def call(options):
    from grpclib.config import Configuration

    host, _, port = options.server.rpartition(":")
    context = arguments.tls(options, ssl.Purpose.SERVER_AUTH)
    # The name that the certificate is for, where it is not the host.
    config = Configuration(ssl_target_name_override=options.server_name if context else None)
    channel = Channel(host, int(port), ssl=context, config=config)
    try:
        return await cases.run(Stub(channel), options.case)
    finally:
        channel.close()


if __name__ == "__main__":
    parsed = arguments.parse()
    if parsed.side == "server":
        asyncio.run(serve(parsed))
    else:
        sys.exit(1 if asyncio.run(call(parsed)) else 0)
