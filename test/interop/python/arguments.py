"""The command line that both peers have: `server` or `client`, with the options of Lictor's own."""

import argparse
import ssl


def parse():
    parser = argparse.ArgumentParser()
    sides = parser.add_subparsers(dest="side", required=True)
    server = sides.add_parser("server")
    server.add_argument("--port", type=int, default=0)
    client = sides.add_parser("client")
    client.add_argument("--server", required=True, help="HOST:PORT")
    client.add_argument("--server-name")
    client.add_argument("--case", default="all")
    for side in (server, client):
        side.add_argument("--tls", action="store_true")
        side.add_argument("--cert")
        side.add_argument("--key")
        side.add_argument("--ca")
    return parser.parse_args()


def read(path):
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def tls(options, purpose):
    if not options.tls:
        return None
    context = ssl.create_default_context(purpose, cafile=options.ca)
    if options.cert:
        context.load_cert_chain(options.cert, options.key)
    if purpose is ssl.Purpose.CLIENT_AUTH and options.ca:
        context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    return context
