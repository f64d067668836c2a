"""What the Python client of InfluxDB 2 does to a server: influxdb_v2.py URL TOKEN SCENARIO, the result as JSON."""

import json
import sys
from datetime import datetime, timezone

from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import ASYNCHRONOUS, SYNCHRONOUS
from influxdb_client.rest import ApiException

SECOND = 1_700_000_000


def point(sensor, value, time, precision=WritePrecision.NS):
    return Point("readings").tag("sensor", sensor).field("value", value).time(time, precision)


def say_hello(client):
    health = client.health()
    return {"ping": client.ping(), "version": client.version(), "status": health.status, "name": health.name}


def write_at_once(client):
    """Every precision and kind of record; one request each."""
    with client.write_api(write_options=SYNCHRONOUS) as api:
        for precision, per_second in (("ns", 10**9), ("us", 10**6), ("ms", 1000), ("s", 1)):
            record = point(precision, 0.1, SECOND * per_second, precision)
            api.write(bucket="tidemark", record=record, write_precision=precision)
        moment = datetime.fromtimestamp(SECOND, timezone.utc)
        api.write(bucket="tidemark", record=point("datetime", 1.5, moment))
        fields = {"value": 21.5, "text": 'said "hi", \\ and\nleft'}
        record = {"measurement": "readings", "tags": {"sensor": "a b,c=d"}, "fields": fields, "time": SECOND * 10**9}
        api.write(bucket="tidemark", record=record)
        api.write(bucket="tidemark", record=["readings,sensor=line value=1 1", "readings,sensor=line value=2 2"])
        types = Point("kinds").field("i", 2**53 + 1).field("b", True).field("f", 0.1).field("s", "ä")
        api.write(bucket="tidemark", record=types.time(1))


def write_batches(client):
    """In the background, 500 points a request."""
    options = WriteOptions(batch_size=500, jitter_interval=0, max_retries=0)
    faults = []
    with client.write_api(write_options=options, error_callback=lambda _, __, error: faults.append(str(error))) as api:
        for n in range(2750):
            api.write(bucket="tidemark", record=point("batch", n / 8, SECOND * 10**9 + n))
    return faults


def write_later(client):
    """As Home Assistant does."""
    with client.write_api(write_options=ASYNCHRONOUS) as api:
        results = [api.write(bucket="tidemark", record=point("later", n / 8, n + 1)) for n in range(20)]
        return [result.get() for result in results]


def be_refused(client):
    """What the client tells of each refusal."""
    api = client.write_api(write_options=SYNCHRONOUS)
    wrong = InfluxDBClient(url=client.url, token="wrong", org="any").write_api(write_options=SYNCHRONOUS)
    good = "readings,sensor=kept value=1 1"
    tries = {
        "line": lambda: api.write(bucket="tidemark", record=f"{good}\nreadings,sensor=kept value=\n"),
        "bucket": lambda: api.write(bucket="other", record=good),
        "token": lambda: wrong.write(bucket="tidemark", record=good),
    }
    return {name: refusal_of(attempt) for name, attempt in tries.items()}


def refusal_of(attempt):
    try:
        attempt()
    except ApiException as error:
        return [error.status, error.message]
    return None


SCENARIOS = [say_hello, write_at_once, write_batches, write_later, be_refused]

if __name__ == "__main__":
    url, token, name = sys.argv[1:]
    scenario = {one.__name__: one for one in SCENARIOS}[name]
    with InfluxDBClient(url=url, token=token, org="any", enable_gzip=True) as client:
        print(json.dumps(scenario(client)))
