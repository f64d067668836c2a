"""Writes as Home Assistant's integration does: home_assistant.py SETTINGS STATES, both JSON; the databases as JSON."""

import json
import sys

from influxdb import InfluxDBClient
from influxdb_client import InfluxDBClient as InfluxDBClientV2
from influxdb_client.client.write_api import ASYNCHRONOUS, SYNCHRONOUS


def write_v2(settings, states):
    scheme = "https" if settings["ssl"] else "http"
    url = f"{scheme}://{settings['host']}:{settings['port']}"
    client = InfluxDBClientV2(url=url, token=settings["token"], org=settings["organization"], timeout=10_000)
    bucket = settings["bucket"]
    # Nothing at all, to see whether it may write.
    client.write_api(write_options=SYNCHRONOUS).write(bucket=bucket, record=b"")
    client.write_api(write_options=ASYNCHRONOUS).write(bucket=bucket, record=states).get()
    client.close()


def write_v1(settings, states):
    names = ("host", "port", "ssl", "username", "password", "database")
    client = InfluxDBClient(timeout=10, verify_ssl=True, **{name: settings[name] for name in names})
    client.write_points([])
    client.write_points(states)
    client.close()


if __name__ == "__main__":
    settings, states = map(json.loads, sys.argv[1:])
    write = write_v2 if settings.get("api_version") == 2 else write_v1
    write(settings, states)
