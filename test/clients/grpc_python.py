"""The whole life of a reading, by grpcio and stubs that its own protoc makes of the proto files."""

import importlib
import json
import sys
import tempfile
from pathlib import Path

import grpc
from grpc_tools import protoc

address, proto_dir = sys.argv[1:3]
stubs = tempfile.mkdtemp()
files = [str(path) for path in Path(proto_dir, "tidemark").rglob("*.proto")]
assert protoc.main(["protoc", f"-I{proto_dir}", f"--python_out={stubs}", f"--grpc_python_out={stubs}", *files]) == 0
sys.path.insert(0, stubs)
pb = importlib.import_module("tidemark.v1.reading_service_pb2")
rpc = importlib.import_module("tidemark.v1.reading_service_pb2_grpc")
registry_pb = importlib.import_module("tidemark.v1.registry_service_pb2")
registry_rpc = importlib.import_module("tidemark.v1.registry_service_pb2_grpc")
reading_pb = importlib.import_module("tidemark.v1.reading_pb2")

TIME_NS = 1_700_000_000_000_000_001
seen = {}


def reading(sensor, later_ns, **values):
    return reading_pb.Reading(sensor=sensor, time_ns=TIME_NS + later_ns, values=values)


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


with grpc.insecure_channel(address) as channel:
    service = rpc.ReadingServiceStub(channel)
    registry = registry_rpc.RegistryServiceStub(channel)
    registry.CreateLocation(registry_pb.CreateLocationRequest(location=registry_pb.Location(id="hall")))
    registry.CreateSensor(
        registry_pb.CreateSensorRequest(sensor=registry_pb.Sensor(id="py", location="hall"))
    )
    watch = service.Watch(pb.WatchRequest(filter=reading_pb.ReadingFilter(sensors=["py"])))
    seen["watch begins with"] = next(watch).WhichOneof("event")
    recorded = service.Record(pb.RecordRequest(reading=reading("py", 0, temperature=21.5)), timeout=30)
    seen["id"] = recorded.id
    watched = next(watch).readings.readings[0].reading
    seen["watched"] = [watched.id, watched.location, dict(watched.values)]
    watch.cancel()

    requests = (
        pb.RecordStreamRequest(readings=[reading("py", 10 * n + m, n=n) for m in range(1, 6)]) for n in range(1, 101)
    )
    answers = list(service.RecordStream(requests, timeout=60))
    seen["stream"] = [
        [answer.sequence for answer in answers] == list(range(1, 101)),
        sum(answer.accepted for answer in answers),
    ]

    def ids(**selection):
        return [one.id for one in service.List(pb.ListRequest(**selection)).readings]

    seen["first"] = ids(first=True)
    seen["last"] = ids(last=True)
    seen["newest 2"] = ids(newest=2)
    seen["by id"] = ids(id=recorded.id)
    pages = [page.page.count for page in service.ListStream(pb.ListStreamRequest(list=pb.ListRequest(page_size=200)))]
    seen["pages"] = pages
    empty = service.List(pb.ListRequest(filter=reading_pb.ReadingFilter(sensors=["none"])))
    seen["empty"] = [empty.count, empty.is_empty]
    window = service.Windows(
        pb.WindowsRequest(
            filter=reading_pb.ReadingFilter(metrics=["temperature"], from_ns=TIME_NS, to_ns=TIME_NS + 1),
            functions=["mean"],
        )
    ).windows[0]
    seen["mean"] = dict(window.values)
    seen["bad name"] = code_of(lambda: service.Record(pb.RecordRequest(reading=reading("a/b", 0, n=1))))
    seen["late deadline"] = code_of(lambda: list(service.Watch(pb.WatchRequest(), timeout=0.2)))

print(json.dumps(seen))
