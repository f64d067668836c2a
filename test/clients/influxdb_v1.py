"""What the Python client of InfluxDB 1 does to a server: influxdb_v1.py HOST PORT TOKEN SCENARIO, the result as JSON."""

import json
import sys
from datetime import datetime, timezone

from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

SECOND = 1_699_999_200  # a whole hour


def point(sensor, value, time):
    return {"measurement": "readings", "tags": {"sensor": sensor}, "time": time, "fields": {"value": value}}


def say_hello(client):
    return {"version": client.ping()}


def write(client):
    """Every precision and kind of record."""
    units = {"n": 10**9, "u": 10**6, "ms": 1000, "s": 1, "m": 1 / 60, "h": 1 / 3600}
    for unit, per_second in units.items():
        client.write_points([point(unit, 1.5, int(SECOND * per_second))], time_precision=unit)
    moment = datetime.fromtimestamp(SECOND, timezone.utc)
    client.write_points([point("datetime", 2.5, moment), point("text", 3.5, moment.isoformat())])
    client.write_points([point("policy", 4.5, 1)], retention_policy="autogen")
    client.write_points(["readings,sensor=line value=1 1", "readings,sensor=line value=2 2"], protocol="line")
    fields = {"value": 21.5, "text": 'said "hi", \\ and left'}
    record = {"measurement": "readings", "tags": {"sensor": "a b,c=d"}, "time": 1, "fields": fields}
    client.write_points([record])
    kinds = {"i": 2**53 + 1, "b": True, "f": 0.1, "s": "ä"}
    client.write_points([{"measurement": "kinds", "time": 1, "fields": kinds}])


def write_batches(client):
    points = [point("batch", n / 8, SECOND * 10**9 + n) for n in range(2750)]
    client.write_points(points, batch_size=500)


def read(client):
    """Lists, points, groups and pieces, as its users ask for them."""
    client.write_points([point(sensor, n / 8, SECOND * 10**9 + n) for sensor in "ab" for n in range(5)])
    mean = client.query("SELECT mean(value) FROM readings GROUP BY sensor", epoch="s")
    pieces = client.query("SELECT value FROM readings WHERE sensor = 'a'", chunked=True, chunk_size=2, epoch="ns")
    return {
        "databases": client.get_list_database(),
        "measurements": client.get_list_measurements(),
        "series": client.get_list_series(measurement="readings"),
        "policies": client.get_list_retention_policies(),
        "mean": [[tags, list(rows)] for (_, tags), rows in mean.items()],
        "pieces": [row for piece in pieces for row in piece.get_points()],
        "first": list(client.query("SELECT first(value) FROM readings").get_points()),
        "refusal": refusal_of(lambda: client.query("SELEC")),
    }


def read_with_values(client):
    """What is asked for stands beside the query; by GET and POST, as points of each statement."""
    for n in range(6):
        fields = {"temperature": n / 4, "count": 2**53 + n, "isDry": n < 3, "note": f'"{n}"'}
        tags = {"station": "north" if n % 2 == 0 else "it's süd"}
        client.write_points([{"measurement": "weather", "tags": tags, "time": SECOND * 10**9 + n, "fields": fields}])
    text = "SELECT * FROM weather WHERE station = $station AND temperature > $least AND time < $end"
    values = {"station": "it's süd", "least": 0.5, "end": SECOND * 10**9 + 5}
    two = client.query("SELECT last(temperature) FROM weather; SELECT count(note) FROM weather", epoch="ns")
    return {
        **{
            method: exact(client.query(text, bind_params=values, epoch="ns", method=method))
            for method in ("GET", "POST")
        },
        "two": [exact(result) for result in two],
        "nothing": list(client.query("SELECT temperature FROM nowhere").get_points()),
        "missing": refusal_of(lambda: client.query(text, bind_params={"station": ""})),
        "created": client.create_database("tidemark"),
        "create": refusal_of(lambda: client.create_database("other")),
    }


def exact(result):
    """The points, with integers as text: they may be beyond what JSON's other readers keep."""
    return [
        {name: str(value) if type(value) is int else value for name, value in point.items()}
        for point in result.get_points()
    ]


def be_refused(client):
    """What the client tells of each refusal."""
    wrong = InfluxDBClient(client._host, client._port, "any", "wrong", "tidemark")
    good = "readings,sensor=kept value=1 1"
    tries = {
        "line": lambda: client.write_points([good, "readings,sensor=kept value="], protocol="line"),
        "database": lambda: client.write_points([good], protocol="line", database="other"),
        "token": lambda: wrong.write_points([good], protocol="line"),
    }
    return {name: refusal_of(attempt) for name, attempt in tries.items()}


def refusal_of(attempt):
    try:
        attempt()
    except InfluxDBClientError as error:
        return [error.code, json.loads(error.content)["error"]]
    return None


SCENARIOS = [say_hello, write, write_batches, read, read_with_values, be_refused]

if __name__ == "__main__":
    host, port, token, name = sys.argv[1:]
    scenario = {one.__name__: one for one in SCENARIOS}[name]
    with InfluxDBClient(host, int(port), "any", token, "tidemark", gzip=True) as client:
        print(json.dumps(scenario(client)))
