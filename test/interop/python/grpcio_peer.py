"""The peer on gRPC's own C core."""

import asyncio
import sys

import arguments
import cases
import grpc
import methods as m
import service

GZIP = grpc.Compression.Gzip


class Stub:
    def __init__(self, channel):
        self.channel = channel

    def call(self, name, method, requests, metadata, timeout, compress):
        if isinstance(compress, list):
            raise cases.NotPossible("grpcio compresses all messages of a call or none")
        kind = getattr(self.channel, method.kind)
        begin = kind(
            f"/{method.service}/{name}",
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.reply.FromString,
        )
        options = {
            "metadata": tuple(metadata),
            "timeout": timeout,
            "compression": GZIP if compress else grpc.Compression.NoCompression,
        }
        return Call(begin, method, requests, options)


class Call:
    def __init__(self, begin, method, requests, options):
        self.method = method
        if method.streams_requests:
            self.call = begin(requests, **options)
        else:
            # Such a stream of one request is there at once.
            self.call = begin(one(requests), **options)
        self.replies = self._replies()

    def __aiter__(self):
        return self.replies

    async def _replies(self):
        try:
            if self.method.streams_replies:
                async for reply in self.call:
                    yield reply, None
            else:
                yield await self.call, None
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            pass  # finish() tells it

    def cancel(self):
        self.call.cancel()

    async def finish(self):
        code = (await self.call.code()).value[0]
        return cases.Ended(
            code,
            await self.call.details() or "",
            list(await self.call.initial_metadata() or ()),
            list(await self.call.trailing_metadata() or ()),
        )


def one(requests):
    try:
        requests.asend(None).send(None)
    except StopIteration as request:
        return request.value
    raise AssertionError("a request that is not there at once")


def handler(name, method):
    async def replies(requests, context):
        metadata = context.invocation_metadata()
        # Compression is set for the call, and then switched off for single messages.
        context.set_compression(GZIP)
        await context.send_initial_metadata(tuple(service.echoed(metadata, m.INITIAL)))
        context.set_trailing_metadata(tuple(service.echoed(metadata, m.TRAILING)))
        try:
            async for reply, compress in service.answer(name, requests):
                if not compress:
                    context.disable_next_message_compression()
                yield reply
        except service.Failure as failure:
            code = next(code for code in grpc.StatusCode if code.value[0] == failure.code)
            await context.abort(code, failure.details)

    async def unseen(requests):
        async for request in requests:
            yield request, None

    async def single(request):
        yield request, None

    async def stream_stream(request, context):
        requests = unseen(request) if method.streams_requests else single(request)
        async for reply in replies(requests, context):
            yield reply

    async def stream_unary(request, context):
        async for reply in stream_stream(request, context):
            return reply

    make = getattr(grpc, f"{method.kind}_rpc_method_handler")
    return make(
        stream_stream if method.streams_replies else stream_unary,
        request_deserializer=method.request.FromString,
        response_serializer=method.reply.SerializeToString,
    )


async def serve(options):
    server = grpc.aio.server()
    handlers = {name: handler(name, method) for name, method in m.METHODS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(m.SERVICE, handlers),))
    address = f"127.0.0.1:{options.port}"
    if options.tls:
        ca = arguments.read(options.ca)
        pair = (arguments.read(options.key), arguments.read(options.cert))
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair], ca, ca is not None))
    else:
        port = server.add_insecure_port(address)
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


async def call(options):
    settings = [("grpc.enable_http_proxy", 0)]
    if options.server_name:
        settings.append(("grpc.ssl_target_name_override", options.server_name))
    if options.tls:
        ca, key, cert = (arguments.read(path) for path in (options.ca, options.key, options.cert))
        credentials = grpc.ssl_channel_credentials(ca, key, cert)
        channel = grpc.aio.secure_channel(options.server, credentials, settings)
    else:
        channel = grpc.aio.insecure_channel(options.server, settings)
    async with channel:
        return await cases.run(Stub(channel), options.case)


if __name__ == "__main__":
    parsed = arguments.parse()
    if parsed.side == "server":
        asyncio.run(serve(parsed))
    else:
        sys.exit(1 if asyncio.run(call(parsed)) else 0)
