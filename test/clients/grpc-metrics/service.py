"""An echo that counts its calls by what docs/observability.md shows: it says where it listens, calls each address that
it reads, and ends when there is nothing more to read."""

import json
import sys
import threading
from concurrent import futures

import grpc
from grpc_metrics import ClientMetrics, ServerMetrics, start_http_server

SERVICE = "test.v1.Echo"


def one(request, context):
    if request == b"fail":
        context.abort(grpc.StatusCode.NOT_FOUND, "asked for")
    return request


def many(request, context):
    """As many answers as the message says, or one and then it waits for its caller to go."""
    if request == b"wait":
        yield request
        gone = threading.Event()
        if context.add_callback(gone.set):
            gone.wait()
        return
    if not request.isdigit():
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no number")
    for n in range(int(request)):
        yield str(n).encode()


def all_of(requests, context):
    count = sum(1 for _ in requests)
    if count == 0:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "nothing came")
    return str(count).encode()


def each(requests, context):
    for request in requests:
        if request == b"fail":
            context.abort(grpc.StatusCode.ABORTED, "asked for")
        yield request


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().value[0]
    return 0


def call_all(address):
    with grpc.intercept_channel(grpc.insecure_channel(address), ClientMetrics()) as channel:
        ask_one = channel.unary_unary(f"/{SERVICE}/One")
        ask_many = channel.unary_stream(f"/{SERVICE}/Many")
        tell_all = channel.stream_unary(f"/{SERVICE}/All")
        tell_each = channel.stream_stream(f"/{SERVICE}/Each")
        codes = [
            code_of(lambda: ask_one(b"hello")),
            code_of(lambda: ask_one(b"hello")),
            code_of(lambda: ask_one(b"fail")),
            code_of(lambda: list(ask_many(b"3"))),
            code_of(lambda: list(ask_many(b"x"))),
            code_of(lambda: tell_all(iter([b"a", b"b"]))),
            code_of(lambda: tell_all(iter([]))),
            code_of(lambda: list(tell_each(iter([b"a", b"b", b"c"])))),
            code_of(lambda: list(tell_each(iter([b"fail"])))),
        ]
        watched = ask_many(b"wait")
        next(watched)
        watched.cancel()
        return [*codes, code_of(lambda: list(watched))]


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), interceptors=[ServerMetrics()])
handlers = {
    "One": grpc.unary_unary_rpc_method_handler(one),
    "Many": grpc.unary_stream_rpc_method_handler(many),
    "All": grpc.stream_unary_rpc_method_handler(all_of),
    "Each": grpc.stream_stream_rpc_method_handler(each),
}
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
scrapes, _ = start_http_server(0, addr="127.0.0.1")
print(json.dumps({"address": f"127.0.0.1:{port}", "metrics": f"127.0.0.1:{scrapes.server_port}"}), flush=True)
for line in sys.stdin:
    print(json.dumps(call_all(line.strip())), flush=True)
server.stop(None)
