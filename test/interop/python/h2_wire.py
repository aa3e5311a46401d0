"""gRPC's framing on python3-h2: a stack of HTTP/2 that shares no code with the C core or with Node."""

import asyncio
import base64
import gzip
import struct
import urllib.parse

import h2.config
import h2.connection
import h2.events
import h2.exceptions

END = object()
MAX_MESSAGE = 4 * 1024 * 1024


class Connection(asyncio.Protocol):
    """One HTTP/2 connection of either side."""

    def __init__(self, client, on_stream=None):
        config = h2.config.H2Configuration(client_side=client, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.on_stream = on_stream
        self.streams = {}
        self.tasks = set()
        self.room = asyncio.Event()  # Set when windows have grown; whoever waits clears it first.

    def connection_made(self, transport):
        self.transport = transport
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data):
        try:
            for event in self.h2.receive_data(data):
                self.handle(event)
        except h2.exceptions.ProtocolError as error:
            self.flush()
            self.transport.close()
            self.end_all(str(error))
            return
        self.flush()

    def connection_lost(self, _):
        self.end_all("the connection was lost")

    def end_all(self, why):
        for stream in list(self.streams.values()):
            stream.lose(why)
        self.streams.clear()
        self.room.set()

    def handle(self, event):
        kind = type(event)
        if kind is h2.events.RequestReceived:
            stream = self.open(event.stream_id)
            stream.receive_headers(event.headers)
            task = asyncio.ensure_future(self.on_stream(stream))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            return
        if kind in (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged):
            self.room.set()
            return
        if kind is h2.events.ConnectionTerminated:
            return  # Streams that are open may still end well.
        if kind is h2.events.DataReceived:
            # Acknowledged at once: a test's messages fit into memory.
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self.streams.get(getattr(event, "stream_id", None))
        if stream is None:
            return
        if kind is h2.events.ResponseReceived:
            stream.receive_headers(event.headers)
        elif kind is h2.events.TrailersReceived:
            stream.trailers = event.headers
        elif kind is h2.events.DataReceived:
            stream.receive_data(event.data)
        elif kind is h2.events.StreamEnded:
            stream.ended = True
            stream.messages.put_nowait(END)
        elif kind is h2.events.StreamReset:
            stream.lose(f"reset with {event.error_code}")

    def open(self, stream_id):
        self.streams[stream_id] = Stream(self, stream_id)
        return self.streams[stream_id]

    def flush(self):
        self.transport.write(self.h2.data_to_send())


class Stream:
    """Half of one call: what was received waits in `messages` as `(bytes, compressed)`, then END."""

    def __init__(self, connection, stream_id):
        self.connection = connection
        self.id = stream_id
        self.headers = []
        self.trailers = []
        self.messages = asyncio.Queue()
        self.buffer = bytearray()
        self.ended = False
        self.lost = None

    def receive_headers(self, headers):
        self.headers = headers

    def receive_data(self, data):
        self.buffer += data
        while len(self.buffer) >= 5:
            flag, length = struct.unpack(">?I", self.buffer[:5])
            if length > MAX_MESSAGE:
                return self.reset(0xB)
            if len(self.buffer) < 5 + length:
                return
            message = bytes(self.buffer[5 : 5 + length])
            del self.buffer[: 5 + length]
            self.messages.put_nowait((gzip.decompress(message) if flag else message, flag))

    def lose(self, why):
        if self.lost is None:
            self.lost = why
            self.messages.put_nowait(END)
            self.connection.room.set()

    async def received(self):
        while (item := await self.messages.get()) is not END:
            yield item

    def send_headers(self, headers, end=False):
        if self.lost is None:
            self.connection.h2.send_headers(self.id, headers, end_stream=end)
            self.connection.flush()

    async def send(self, message, compress):
        data = gzip.compress(message) if compress else message
        rest = memoryview(struct.pack(">?I", bool(compress), len(data)) + data)
        wire = self.connection.h2
        while rest and self.lost is None:
            size = min(wire.local_flow_control_window(self.id), wire.max_outbound_frame_size, len(rest))
            if size == 0:
                self.connection.room.clear()
                await self.connection.room.wait()
                continue
            wire.send_data(self.id, bytes(rest[:size]))
            self.connection.flush()
            rest = rest[size:]

    def half_close(self):
        if self.lost is None:
            self.connection.h2.end_stream(self.id)
            self.connection.flush()

    def reset(self, code):
        if self.lost is None and self.id in self.connection.streams:
            self.connection.h2.reset_stream(self.id, code)
            self.connection.flush()
        self.forget()

    def forget(self):
        self.connection.streams.pop(self.id, None)


def encode_metadata(metadata):
    return [
        (key, base64.b64encode(value).decode().rstrip("=") if key.endswith("-bin") else value)
        for key, value in metadata
    ]


def decode_metadata(headers):
    """As pairs; several binary values may share a header, with commas between them."""
    pairs = []
    for key, value in headers:
        if key.startswith(":"):
            continue
        if not key.endswith("-bin"):
            pairs.append((key, value))
            continue
        for part in value.split(","):
            part = part.strip()
            pairs.append((key, base64.b64decode(part + "=" * (-len(part) % 4))))
    return pairs


def encode_message(text):
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}" for byte in text.encode()
    )


def decode_message(text):
    return urllib.parse.unquote(text, errors="replace")
