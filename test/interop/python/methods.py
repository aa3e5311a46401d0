"""The test service as data. `messages_pb2` is made by protoc, beside nothing else on PYTHONPATH."""

from dataclasses import dataclass

import messages_pb2 as pb

SERVICE = "grpc.testing.TestService"

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED = 0, 1, 2, 3, 4
UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 12, 13, 14

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"

# What begins the text of an UNIMPLEMENTED by which a server says that it cannot take part in a case.
NOT_POSSIBLE = "not possible: "


@dataclass(frozen=True)
class Method:
    kind: str  # unary_unary, unary_stream, stream_unary or stream_stream
    request: type
    reply: type
    service: str = SERVICE

    @property
    def streams_requests(self):
        return self.kind.startswith("stream_")

    @property
    def streams_replies(self):
        return self.kind.endswith("_stream")


METHODS = {
    "EmptyCall": Method("unary_unary", pb.Empty, pb.Empty),
    "UnaryCall": Method("unary_unary", pb.SimpleRequest, pb.SimpleResponse),
    "StreamingOutputCall": Method(
        "unary_stream", pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse
    ),
    "StreamingInputCall": Method(
        "stream_unary", pb.StreamingInputCallRequest, pb.StreamingInputCallResponse
    ),
    "FullDuplexCall": Method(
        "stream_stream", pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse
    ),
}

# Clients know these, servers do not have them.
MISSING_METHOD = Method("unary_unary", pb.Empty, pb.Empty)
MISSING_SERVICE = Method("unary_unary", pb.Empty, pb.Empty, "grpc.testing.UnimplementedService")
