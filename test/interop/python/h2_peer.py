"""The peer on python3-h2, which sees and sets all that is on the wire."""

import asyncio
import ssl
import sys

import arguments
import cases
import h2_wire as wire
import methods as m
import service

RESET_CANCEL = 8
RESET_NO_ERROR = 0


class Stub:
    def __init__(self, connection, scheme, authority):
        self.connection = connection
        self.scheme = scheme
        self.authority = authority

    def call(self, name, method, requests, metadata, timeout, compress):
        return Call(self, name, method, requests, metadata, timeout, compress)


class Call:
    def __init__(self, stub, name, method, requests, metadata, timeout, compress):
        self.method = method
        self.local = None  # How this side has ended the call.
        self.stream = stub.connection.open(stub.connection.h2.get_next_available_stream_id())
        self.stream.send_headers(
            [
                (":method", "POST"),
                (":scheme", stub.scheme),
                (":path", f"/{method.service}/{name}"),
                (":authority", stub.authority),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                ("grpc-accept-encoding", "identity,gzip"),
                *([("grpc-encoding", "gzip")] if compress else []),
                ("grpc-timeout", f"{int(timeout * 1000)}m"),
                *wire.encode_metadata(metadata),
            ]
        )
        self.sending = asyncio.ensure_future(self._send(requests, compress))
        self.timer = asyncio.get_running_loop().call_later(
            timeout, self._end, m.DEADLINE_EXCEEDED, "the time is up"
        )
        self.replies = self._replies()

    async def _send(self, requests, compress):
        flags = iter(compress) if isinstance(compress, list) else None
        async for request in requests:
            await self.stream.send(request.SerializeToString(), next(flags) if flags else compress)
        self.stream.half_close()

    def __aiter__(self):
        return self.replies

    async def _replies(self):
        async for message, compressed in self.stream.received():
            yield self.method.reply.FromString(message), compressed

    def cancel(self):
        self._end(m.CANCELLED, "cancelled")

    def _end(self, code, details):
        if self.local is None and not self.stream.ended:
            self.local = (code, details)
            self.stream.reset(RESET_CANCEL)
            self.stream.lose(details)

    async def finish(self):
        self.timer.cancel()
        self.sending.cancel()
        self.stream.forget()
        header = wire.decode_metadata(self.stream.headers)
        trailer = wire.decode_metadata(self.stream.trailers or self.stream.headers)
        if self.local:
            return cases.Ended(*self.local, header, trailer)
        fields = dict(trailer)
        # A server that has ended the call may reset what it does not want to read any more.
        if self.stream.lost and "grpc-status" not in fields:
            return cases.Ended(m.UNAVAILABLE, self.stream.lost, header, trailer)
        if "grpc-status" not in fields:
            return cases.Ended(m.INTERNAL, f"no grpc-status in {trailer}", header, trailer)
        details = wire.decode_message(fields.get("grpc-message", ""))
        return cases.Ended(int(fields["grpc-status"]), details, header, trailer)


async def answer(stream):
    """One call of the server, from its headers to its trailers."""
    fields = dict(stream.headers)
    metadata = wire.decode_metadata(stream.headers)
    begun = False
    trailer = wire.encode_metadata(service.echoed(metadata, m.TRAILING))
    can_compress = "gzip" in fields.get("grpc-accept-encoding", "")

    def begin():
        nonlocal begun
        if begun:
            return
        begun = True
        encoding = [("grpc-encoding", "gzip")] if can_compress else []
        stream.send_headers(
            [
                (":status", "200"),
                ("content-type", "application/grpc"),
                *encoding,
                *wire.encode_metadata(service.echoed(metadata, m.INITIAL)),
            ]
        )

    try:
        package, _, name = fields[":path"].rpartition("/")
        if package != f"/{m.SERVICE}" or name not in m.METHODS:
            raise service.Failure(m.UNIMPLEMENTED, f"no method {fields[':path']}")
        method = m.METHODS[name]

        async def requests():
            async for message, compressed in stream.received():
                yield method.request.FromString(message), compressed

        async for reply, compress in service.answer(name, requests()):
            if compress and not can_compress:
                raise service.Failure(m.UNIMPLEMENTED, f"{m.NOT_POSSIBLE}the client takes no gzip")
            begin()
            await stream.send(reply.SerializeToString(), compress)
        begin()
        end = [("grpc-status", "0")]
    except service.Failure as failure:
        end = [("grpc-status", str(failure.code)), ("grpc-message", wire.encode_message(failure.details))]
    first = [] if begun else [(":status", "200"), ("content-type", "application/grpc")]
    stream.send_headers([*first, *end, *trailer], end=True)
    # The client may still be sending; nobody reads that any more.
    if stream.ended:
        stream.forget()
    else:
        stream.reset(RESET_NO_ERROR)


async def serve(options):
    context = arguments.tls(options, ssl.Purpose.CLIENT_AUTH)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: wire.Connection(client=False, on_stream=answer), "127.0.0.1", options.port, ssl=context
    )
    port = server.sockets[0].getsockname()[1]
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.serve_forever()


async def call(options):
    host, _, port = options.server.rpartition(":")
    context = arguments.tls(options, ssl.Purpose.SERVER_AUTH)
    name = (options.server_name or host) if context else None
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(
        lambda: wire.Connection(client=True), host, int(port), ssl=context, server_hostname=name
    )
    chosen = context and transport.get_extra_info("ssl_object").selected_alpn_protocol()
    if context and chosen != "h2":
        raise SystemExit(f"the server chose {chosen!r} by ALPN and not h2")
    authority = options.server_name or options.server
    try:
        return await cases.run(Stub(connection, "https" if context else "http", authority), options.case)
    finally:
        transport.close()


if __name__ == "__main__":
    parsed = arguments.parse()
    if parsed.side == "server":
        asyncio.run(serve(parsed))
    else:
        sys.exit(1 if asyncio.run(call(parsed)) else 0)
