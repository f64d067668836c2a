"""
What a broker must do by MQTT 3.1.1 and 5, asked by a client that is not ours.

  python scenarios.py --list             names all scenarios
  python scenarios.py HOST PORT [WORD]   runs those whose names hold the word; prints a line of JSON for each
"""

import json
import os
import sys
import traceback

from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from peer import PacketTypes, Peer, Raw, connected, fresh, properties, text

both, only5 = {}, {}


def of_both(scenario):
    both[scenario.__name__] = scenario


def of_5(scenario):
    only5[scenario.__name__] = scenario


def kept(version, client_id, seconds=300, **kwargs):
    """A client whose session outlives its connection."""
    connect = properties(PacketTypes.CONNECT, SessionExpiryInterval=seconds) if version == 5 else None
    return Peer(version, client_id, clean=False, connect=connect, **kwargs)


def fence(peer, topic_root):
    """What the peer was sent before now, by a message to itself that comes last."""
    peer.client.publish(f"{topic_root}/fence", "fence", 0)
    return peer.until("fence")


@of_both
def retained(version):
    topic = fresh("state")
    publisher = connected(version)
    publisher.publish(topic, "old", retain=True)
    publisher.publish(topic, "new", retain=True)
    subscriber = connected(version)
    subscriber.subscribe(topic, 1)
    message = subscriber.next()
    assert (message.payload, message.retain) == (b"new", True)
    publisher.publish(topic, "live", retain=True)
    message = subscriber.next()
    assert (message.payload, message.retain) == (b"live", False)
    publisher.publish(topic, "", retain=True)
    assert subscriber.next().payload == b""
    publisher.publish(f"{topic}/after", "after", retain=True)
    later = connected(version)
    later.subscribe([(topic, 1), (f"{topic}/after", 1)])
    assert later.until("after") == []


@of_both
def retained_many(version):
    """More retained messages than fit a socket at once, all of them delivered."""
    root = fresh("state")
    publisher = connected(version)
    for n in range(300):
        publisher.publish(f"{root}/{n}", f"{n}:" + "x" * 4000, retain=True)
    for qos in (0, 1):
        subscriber = connected(version)
        subscriber.subscribe(f"{root}/+", qos)
        seen = {int(payload.split(":")[0]) for payload in subscriber.payloads(300)}
        assert seen == set(range(300))


@of_both
def will(version):
    topic = fresh("will")
    watcher = connected(version)
    watcher.subscribe(f"{topic}/#", 1)
    said = {"topic": f"{topic}/a", "payload": "gone", "qos": 1, "retain": True}
    connected(version, will=said).end()
    assert fence(watcher, topic) == []
    connected(version, will=said).drop()
    assert watcher.payloads(1) == ["gone"]
    later = connected(version)
    later.subscribe(f"{topic}/a", 1)
    assert later.next().retain


@of_5
def will_on_request(version):
    topic = fresh("will")
    watcher = connected(version)
    watcher.subscribe(topic, 1)
    with_will = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")
    connected(version, will={"topic": topic, "payload": "gone", "qos": 1}).end(reasoncode=with_will)
    assert watcher.payloads(1) == ["gone"]


@of_5
def will_delay(version):
    topic, name = fresh("will"), fresh("dying")
    watcher = connected(version)
    watcher.subscribe(f"{topic}/#", 1)

    def dying(payload, seconds):
        delay = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=seconds)
        said = {"topic": f"{topic}/a", "payload": payload, "qos": 1, "properties": delay}
        peer = kept(version, name, will=said)
        peer.connect()
        return peer

    dying("back in time", 300).drop()
    dying("late", 1).drop()
    assert fence(watcher, topic) == []
    assert watcher.payloads(1) == ["late"]


@of_both
def wildcards(version):
    root = fresh("sport")
    matches = {
        "tennis": ["tennis", "tennis/#", "+", "#"],
        "tennis/player1": ["tennis/#", "tennis/+", "+/+", "+/player1", "#"],
        "tennis/player1/ranking": ["tennis/#", "tennis/+/ranking", "#"],
        "/finance": ["+/+", "/+", "#"],
        "tennis/": ["tennis/#", "tennis/+", "+/+", "#"],
    }
    filters = sorted({one for found in matches.values() for one in found})
    peers = {one: connected(version) for one in filters}
    for one, peer in peers.items():
        peer.subscribe(f"{root}/{one}", 1)
    publisher = connected(version)
    for topic in matches:
        publisher.publish(f"{root}/{topic}", topic)
    for one, peer in peers.items():
        expected = [topic for topic, found in matches.items() if one in found]
        assert peer.payloads(len(expected)) == expected, one
        peer.subscribe(f"{root}-fence/fence", 0)
        assert fence(peer, f"{root}-fence") == [], one


@of_both
def dollar_topics(version):
    """[MQTT-4.7.2-1], for live messages and for retained ones."""
    everything, system = connected(version), connected(version)
    everything.subscribe([("#", 0), ("+/broker/version", 0)])
    system.subscribe("$SYS/broker/+", 0)
    seen = {system.next().topic for _ in range(4)}
    assert {"$SYS/broker/version", "$SYS/broker/uptime"} <= seen, seen
    root = fresh("fence")
    before = fence(everything, root)
    assert [one.topic for one in before if one.topic.startswith("$")] == []


@of_both
def system_topics(version):
    peer = connected(version)
    peer.subscribe("$SYS/broker/#", 0)
    values = {}
    while len(values) < 18:
        message = peer.next()
        assert message.topic.startswith("$SYS/broker/"), message.topic
        values[message.topic[len("$SYS/broker/") :]] = message.payload.decode()
    assert values["version"].startswith("tidemark version ")
    assert values["uptime"].endswith(" seconds")
    assert int(values["clients/connected"]) >= 1
    assert int(values["bytes/received"]) > 0
    # And once more, as they change.
    while peer.next().topic != "$SYS/broker/uptime":
        pass


@of_both
def overlapping(version):
    """[MQTT-3.3.5-1]: by the highest QoS among the matching subscriptions, here once."""
    root = fresh("overlap")
    for filters in ([("a/#", 0), ("a/b", 2)], [("a/b", 2), ("a/#", 0)], [("a/#", 1), ("+/b", 2), ("a/+", 0)]):
        peer = connected(version)
        for one, qos in filters:
            peer.subscribe(f"{root}/{one}", qos)
        peer.publish(f"{root}/a/b", "x", qos=2)
        assert peer.next().qos == 2, filters
        peer.subscribe(f"{root}-fence/fence", 0)
        assert fence(peer, f"{root}-fence") == [], filters


@of_both
def overlapping_while_away(version):
    root, name = fresh("overlap"), fresh("away")
    peer = kept(version, name)
    peer.connect()
    for one, qos in [("#", 1), ("a/b", 2), ("a/c", 0)]:
        peer.subscribe(f"{root}/{one}", qos)
    peer.unsubscribe(f"{root}/a/b")
    peer.end()
    publisher = connected(version)
    for topic in ("a/b", "a/c", "d"):
        publisher.publish(f"{root}/{topic}", topic, qos=2)
    peer = kept(version, name)
    assert peer.connect()[0].session_present
    assert [(one.payload.decode(), one.qos) for one in (peer.next(), peer.next(), peer.next())] == [
        ("a/b", 1),
        ("a/c", 1),
        ("d", 1),
    ]


@of_both
def downgrade(version):
    """A message comes by the QoS of its subscription at most, also of one with wildcards."""
    root = fresh("qos")
    publisher = connected(version)
    for qos in (0, 1, 2):
        peer = connected(version)
        peer.subscribe(f"{root}/#", qos)
        for published in (0, 1, 2):
            publisher.client.publish(f"{root}/a", str(published), published)
        seen = {int(one.payload): one.qos for one in (peer.next(), peer.next(), peer.next())}
        assert seen == {published: min(published, qos) for published in (0, 1, 2)}, (qos, seen)


@of_both
def both_ways_exactly_once(version):
    topic = fresh("qos2")
    subscriber = connected(version)
    subscriber.subscribe([(topic, 2), (f"{topic}/fence", 0)])
    publisher = connected(version)
    for n in range(200):
        publisher.client.publish(topic, str(n), 2)
    for _ in range(200):
        publisher.acks.get(timeout=30)
    assert subscriber.payloads(200) == [str(n) for n in range(200)]
    assert fence(subscriber, topic) == []


@of_both
def keepalive(version):
    """[MQTT-3.1.2-24]: silent for one and a half times the keepalive, and out."""
    raw = Raw()
    raw.connect(fresh("silent"), version, keepalive=1)
    assert raw.packet()[0] == 0x20
    while (packet := raw.packet()) is not None:
        assert packet[0] == 0xE0, packet


@of_both
def empty_client_id(version):
    if version == 5:
        flags, reason, props = Peer(5, "").connect()
        assert props.AssignedClientIdentifier
        return
    raw = Raw()
    raw.connect("", version)
    assert raw.packet() == (0x20, b"\0\0")
    raw = Raw()
    raw.connect("", version, flags=0)
    assert raw.packet() == (0x20, b"\0\2")
    assert raw.packet() is None


@of_both
def resumed(version):
    topic, name = fresh("resumed"), fresh("resuming")
    peer = kept(version, name)
    assert not peer.connect()[0].session_present
    peer.subscribe(f"{topic}/#", 2)
    peer.end()
    publisher = connected(version)
    sent = []
    for n in range(60):
        publisher.publish(f"{topic}/{n % 3}", str(n), qos=1 + n % 2)
        sent.append((str(n), 1 + n % 2))
    peer = kept(version, name)
    assert peer.connect()[0].session_present
    got = [(one.payload.decode(), one.qos) for one in (peer.next() for _ in range(60))]
    # Paho tells of QoS 2 messages at PUBREL, after those of QoS 1.
    for qos in (1, 2):
        assert [one for one in got if one[1] == qos] == [one for one in sent if one[1] == qos], got
    publisher.publish(f"{topic}/0", "after")
    assert peer.payloads(1) == ["after"]


@of_both
def resumed_without_subscriptions(version):
    name = fresh("resuming")
    peer = kept(version, name)
    peer.connect()
    peer.end()
    assert kept(version, name).connect()[0].session_present


@of_both
def clean_start(version):
    topic, name = fresh("clean"), fresh("cleaning")
    peer = kept(version, name)
    peer.connect()
    peer.subscribe(topic, 1)
    peer.end()
    publisher = connected(version)
    publisher.publish(topic, "lost")
    peer = connected(version, name)
    peer.subscribe(f"{topic}/fence", 0)
    assert fence(peer, topic) == []
    peer.end()
    assert not kept(version, name).connect()[0].session_present


@of_both
def clean_end_frees_ids(version):
    """An id of QoS 2 that was never released means nothing once its session has ended."""
    topic, name = fresh("ids"), fresh("same")
    watcher = connected(version)
    watcher.subscribe(topic, 2)
    for payload in (b"first", b"second"):
        raw = Raw()
        raw.connect(name, version)
        assert raw.packet()[0] == 0x20
        raw.send(0x34, text(topic) + b"\0\1" + (b"\0" if version == 5 else b"") + payload)
        assert raw.packet()[0] == 0x50
        raw.socket.close()
    assert watcher.payloads(2) == ["first", "second"]


@of_both
def redelivered(version):
    """What was not acknowledged comes again: same id, DUP set ([MQTT-4.4.0-1], [MQTT-3.3.1-1])."""
    topic, name = fresh("again"), fresh("forgetful")
    peer = kept(version, name, manual_ack=True)
    peer.connect()
    peer.subscribe(topic, 1)
    connected(version).publish(topic, "x")
    first = peer.next()
    assert not first.dup
    peer.drop()
    peer = kept(version, name)
    peer.connect()
    again = peer.next()
    assert (again.payload, again.dup, again.mid) == (b"x", True, first.mid)


@of_both
def taken_over(version):
    topic, name = fresh("over"), fresh("twin")
    first = kept(version, name)
    first.connect()
    first.subscribe(topic, 1)
    first.end()
    raw = Raw()
    raw.connect(name, version, flags=0)
    assert raw.packet()[0] == 0x20
    second = kept(version, name)
    assert second.connect()[0].session_present
    assert raw.reason() == (0x8E if version == 5 else None)
    connected(version).publish(topic, "x")
    assert second.payloads(1) == ["x"]


@of_both
def protocol_errors(version):
    """[MQTT-3.1.0-1], [MQTT-3.1.0-2], [MQTT-4.7.1-2], [MQTT-3.3.2-2]: the connection is closed."""
    none = b"\0" if version == 5 else b""

    def closes(*packets):
        raw = Raw()
        for packet in packets:
            raw.send(*packet) if packet else raw.connect(fresh("wrong"), version)
        while raw.packet() is not None:
            pass

    publish = (0x30, text("a") + none + b"x")
    closes(publish)
    closes(None, None)
    for wrong in ("a/#/b", "a#", "#a", "a/+b", "b+/c", ""):
        closes(None, (0x82, b"\0\1" + none + text(wrong) + b"\0"))
    closes(None, (0x30, text("a/+") + none + b"x"))
    closes(None, (0x30, text("") + none + b"x"))
    closes(None, (0x36, text("a") + b"\0\1" + none + b"x"))
    closes(None, (0x80, b"\0\1" + none + text("a") + b"\0"))


@of_both
def unknown_version(version):
    raw = Raw()
    raw.connect(fresh("future"), 6)
    packet = raw.packet()
    assert packet is None or packet[1][1] in (1, 0x84), packet


@of_both
def names_of_objects(version):
    """Names that mean something to JavaScript are names like others."""
    names = ["__proto__", "constructor", "toString", "hasOwnProperty"]
    for name in names:
        for _ in range(2):
            peer = kept(version, name)
            peer.connect()
            for one in names:
                peer.subscribe(one, 1)
            for topic in names:
                peer.publish(topic, topic)
            assert sorted(peer.payloads(len(names))) == sorted(names)
            for topic in names:
                peer.unsubscribe(topic)
            peer.end()
    # Aedes cannot tell this filter from others of its packet; it costs its own connection, no more.
    raw = Raw()
    raw.connect(fresh("names"), version)
    raw.packet()
    raw.send(0x82, b"\0\1" + (b"\0" if version == 5 else b"") + text("__proto__") + b"\0" + text("a") + b"\0")
    assert raw.packet() is None
    connected(version)


@of_both
def shared(version):
    """Not supported; said so, and not stored with the subscriptions that are."""
    topic, name = fresh("shared"), fresh("sharing")
    peer = kept(version, name)
    props = peer.connect()[2]
    reasons = peer.subscribe([(f"$share/group/{topic}", 1), (topic, 1)])
    assert [one.value for one in reasons] == [0x9E if version == 5 else 0x80, 1]
    if version == 5:
        assert props.SharedSubscriptionAvailable == 0
    peer.end()
    peer = kept(version, name)
    peer.connect()
    connected(version).publish(topic, "x")
    assert peer.payloads(1) == ["x"]


@of_both
def own_topics(version):
    peer = connected(version)
    for topic in ("live/a", "quarantine/mqtt", "alerts/a/b", "$SYS/broker/version"):
        if version == 5:
            assert peer.publish(topic, "x").value == 0x87
        else:
            raw = connected(version)
            raw.client._reconnect_on_failure = False
            raw.client.publish(topic, "x", 1)
            raw.disconnects.get(timeout=30)


@of_both
def live(version):
    sensor = fresh("sensor")
    peer = connected(version)
    peer.subscribe([(f"live/{sensor}", 0), (f"live/{sensor}-fence", 0)])
    publisher = connected(version)
    publisher.publish(f"sensors/{sensor}/temperature", "21.5")
    reading = json.loads(peer.next().payload)
    assert reading["id"] == f"{sensor}@{reading['id'].split('@')[1]}"
    assert (reading["sensor"], reading["location"], reading["temperature"]) == (sensor, None, 21.5)
    assert reading["time"].endswith("Z")
    publisher.publish(f"sensors/{sensor}", '[{"a": 1, "b": true}, {"c": "on"}]')
    first, second = json.loads(peer.next().payload), json.loads(peer.next().payload)
    assert (first["a"], first["b"], second["c"]) == (1, 1, "on")
    peer.unsubscribe(f"live/{sensor}")
    publisher.publish(f"sensors/{sensor}/temperature", "22")
    publisher.publish(f"sensors/{sensor}-fence/n", "1")
    assert json.loads(peer.next().payload)["sensor"] == f"{sensor}-fence"


@of_both
def quarantined(version):
    sensor = fresh("sensor")
    peer = connected(version)
    peer.subscribe("quarantine/#", 0)
    connected(version).publish(f"sensors/{sensor}/temperature", "warm")
    while True:
        message = peer.next()
        item = json.loads(message.payload)
        if item["sensor"] == sensor:
            break
    assert message.topic == "quarantine/mqtt"
    assert (item["reason"], item["topic"]) == ("malformed_json", f"sensors/{sensor}/temperature")
    assert item["payload"] == "d2FybQ=="


@of_5
def session_expiry(version):
    topic, name = fresh("expiry"), fresh("expiring")
    monitor = connected(version)
    monitor.subscribe("$SYS/broker/clients/disconnected", 0)
    before = int(monitor.next().payload)
    peer = kept(version, name, seconds=1)
    peer.connect()
    peer.subscribe(topic, 1)
    peer.end()
    while int(monitor.next().payload) <= before:
        pass
    while int(monitor.next().payload) > before:
        pass
    assert not kept(version, name).connect()[0].session_present


@of_5
def session_expiry_bounded(version):
    """What is asked for beyond the setting is cut, and CONNACK says so."""
    props = kept(version, fresh("for-ever"), seconds=0xFFFFFFFF).connect()[2]
    assert 0 < props.SessionExpiryInterval < 0xFFFFFFFF


@of_5
def packet_size(version):
    topic = fresh("size")
    peer = Peer(version, connect=properties(PacketTypes.CONNECT, MaximumPacketSize=200))
    limit = peer.connect()[2].MaximumPacketSize
    peer.subscribe([(topic, 1), (f"{topic}/0", 0)])
    publisher = connected(version)
    for n in (1000, 10):
        publisher.publish(topic, "x" * n)
        publisher.client.publish(f"{topic}/0", "y" * n, 0)
    assert sorted(peer.payloads(2)) == ["x" * 10, "y" * 10]
    raw = Raw()
    raw.connect(fresh("large"), version)
    assert raw.packet()[0] == 0x20
    # Aedes counts a client as connected a moment after its CONNACK; before that, it closes without a reason.
    raw.socket.sendall(b"\xc0\0")
    assert raw.packet()[0] == 0xD0
    raw.socket.sendall(b"\x30" + length(limit) + text(topic) + b"\0")
    assert raw.reason() == 0x95


@of_5
def receive_maximum(version):
    topic, name = fresh("window"), fresh("slow")
    peer = Peer(version, name, manual_ack=True, connect=properties(PacketTypes.CONNECT, ReceiveMaximum=2))
    peer.connect()
    peer.subscribe([(topic, 2), (f"{topic}/fence", 0)])
    publisher = connected(version)
    for n in range(6):
        publisher.publish(topic, str(n))
    first = fence(peer, topic)
    assert [one.payload for one in first] == [b"0", b"1"]
    for n in range(2, 6):
        peer.client.ack(first.pop(0).mid, 1)
        first.append(peer.next())
        assert first[-1].payload == str(n).encode()


def length(value):
    """A Variable Byte Integer (MQTT 5, section 1.5.5)."""
    encoded = b""
    while value >= 128:
        encoded += bytes([value % 128 | 128])
        value //= 128
    return encoded + bytes([value])


@of_5
def topic_alias(version):
    topic = fresh("aliased")
    subscriber = connected(version)
    subscriber.subscribe(topic, 1)
    publisher = Peer(version)
    assert publisher.connect()[2].TopicAliasMaximum >= 1
    alias = properties(PacketTypes.PUBLISH, TopicAlias=1)
    publisher.publish(topic, "by name", properties=alias)
    publisher.publish("", "by alias", properties=alias)
    first, second = subscriber.next(), subscriber.next()
    assert [first.payload, second.payload] == [b"by name", b"by alias"]
    assert second.topic == topic and not hasattr(second.properties, "TopicAlias")
    for unknown in (2, 999):
        raw = Raw()
        raw.connect(fresh("aliases"), version)
        raw.send(0x30, text("") + b"\3\x23" + unknown.to_bytes(2) + b"none")
        assert raw.reason() == 0x94


@of_5
def message_expiry(version):
    topic, name = fresh("expiring"), fresh("away")
    peer = kept(version, name)
    peer.connect()
    peer.subscribe(f"{topic}/#", 1)
    peer.end()
    publisher = connected(version)
    soon = properties(PacketTypes.PUBLISH, MessageExpiryInterval=1)
    later = properties(PacketTypes.PUBLISH, MessageExpiryInterval=300)
    publisher.publish(f"{topic}/a", "expired", properties=soon)
    publisher.publish(f"{topic}/a", "in time", properties=later)
    publisher.publish(f"{topic}-state", "state", retain=True, properties=soon)
    publisher.publish(f"{topic}-after", "after", retain=True)
    # The retained message came after it: when it is gone, so is the other.
    is_there = True
    while is_there:
        probe = connected(version)
        probe.subscribe([(f"{topic}-state", 1), (f"{topic}-after", 1)])
        is_there = probe.until("after") != []
        probe.end()
    peer = kept(version, name)
    peer.connect()
    message = peer.next()
    assert message.payload == b"in time", message.payload
    assert 0 < message.properties.MessageExpiryInterval <= 300


@of_5
def passed_on(version):
    """Properties of a message reach live subscribers, new ones and those that were away."""
    topic, name = fresh("properties"), fresh("away")
    given = properties(
        PacketTypes.PUBLISH,
        UserProperty=[("a", "1"), ("a", "2"), ("ü", "é")],
        ContentType="text/plain",
        ResponseTopic="answers/here",
        CorrelationData=b"\0\1\2",
        PayloadFormatIndicator=1,
    )
    away = kept(version, name)
    away.connect()
    away.subscribe(topic, 1)
    away.end()
    now = connected(version)
    now.subscribe(topic, 1)
    connected(version).publish(topic, "x", retain=True, properties=given)
    new = connected(version)
    new.subscribe(topic, 1)
    away = kept(version, name)
    away.connect()
    for peer in (now, new, away):
        got = peer.next().properties
        assert got.UserProperty == given.UserProperty
        assert (got.ContentType, got.ResponseTopic) == ("text/plain", "answers/here")
        assert (got.CorrelationData, got.PayloadFormatIndicator) == (b"\0\1\2", 1)


@of_5
def subscription_identifiers(version):
    root, name = fresh("identified"), fresh("away")

    def subscribe(peer):
        for one, number in (("#", 7), ("a", 300)):
            extra = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=number)
            peer.subscribe(f"{root}/{one}", options=SubscribeOptions(qos=1), properties=extra)

    peer = kept(version, name)
    peer.connect()
    subscribe(peer)
    publisher = connected(version)
    publisher.publish(f"{root}/a", "both", retain=True)
    assert sorted(peer.next().properties.SubscriptionIdentifier) == [7, 300]
    peer.end()
    publisher.publish(f"{root}/b", "one")
    publisher.publish(f"{root}/a", "both")
    peer = kept(version, name)
    peer.connect()
    assert peer.next().properties.SubscriptionIdentifier == [7]
    assert sorted(peer.next().properties.SubscriptionIdentifier) == [7, 300]
    late = connected(version)
    subscribe(late)
    assert late.next().properties.SubscriptionIdentifier == [7]


@of_5
def subscription_options(version):
    root = fresh("options")
    peer = connected(version)
    peer.subscribe(f"{root}/own", options=SubscribeOptions(qos=1, noLocal=True))
    peer.subscribe(f"{root}/kept", options=SubscribeOptions(qos=1, retainAsPublished=True))
    peer.publish(f"{root}/own", "mine")
    other = connected(version)
    other.publish(f"{root}/own", "theirs")
    assert peer.payloads(1) == ["theirs"]
    other.publish(f"{root}/kept", "x", retain=True)
    assert peer.next().retain
    other.publish(f"{root}/after", "after", retain=True)
    handling = connected(version)
    for value, expected in ((2, 0), (1, 0), (0, 1)):
        option = SubscribeOptions(qos=1, retainHandling=value)
        after = SubscribeOptions(qos=1)
        handling.subscribe([(f"{root}/kept", option), (f"{root}/after", after)])
        got = handling.until("after")
        assert len(got) == expected, (value, expected)


@of_5
def no_local_while_away(version):
    """A session's own messages are not kept for it either."""
    topic, name = fresh("own"), fresh("self")
    peer = kept(version, name)
    peer.connect()
    peer.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True))
    peer.publish(topic, "mine")
    peer.end()
    connected(version).publish(topic, "theirs")
    peer = kept(version, name)
    peer.connect()
    assert peer.payloads(1) == ["theirs"]


@of_5
def reasons(version):
    peer = connected(version)
    assert [one.value for one in peer.unsubscribe(fresh("never"))] == [0x11]
    topic = fresh("some")
    assert [one.value for one in peer.subscribe([(topic, 2)])] == [2]
    assert [one.value for one in peer.unsubscribe(topic)] == [0]
    secret = properties(PacketTypes.CONNECT, AuthenticationMethod="SCRAM-SHA-1")
    assert Peer(version, connect=secret).connect()[1].value == 0x8C


def attempt(run, version):
    """None when a scenario holds, else where it did not."""
    try:
        run(version)
    except Exception:
        return traceback.format_exc()


def main():
    scenarios = {f"MQTT 3.1.1: {name}": (run, 4) for name, run in both.items()}
    scenarios.update({f"MQTT 5: {name}": (run, 5) for name, run in {**both, **only5}.items()})
    if sys.argv[1] == "--list":
        print(json.dumps(list(scenarios)))
        return
    wanted = sys.argv[3] if len(sys.argv) > 3 else ""
    for name, (run, version) in scenarios.items():
        if wanted in name:
            print(json.dumps({"name": name, "failure": attempt(run, version)}), flush=True)


main()
# Threads of connections that are still open must not hold up the end.
os._exit(0)
