"""A client of the broker for the scenarios: Eclipse Paho, with everything that arrives in queues."""

import queue
import socket
import struct
import sys
import uuid

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HOST, PORT = (sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 2 else ("127.0.0.1", 1883)
# Far more than anything takes, so that the machine's speed does not matter.
LIMIT_SECONDS = 30


def properties(kind, **values):
    """MQTT 5 properties for one type of packet, by Paho's names."""
    result = Properties(kind)
    for name, value in values.items():
        setattr(result, name, value)
    return result


def fresh(name):
    """A name that no other scenario uses."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


class Peer:
    def __init__(self, version, client_id=None, clean=True, connect=None, will=None, keepalive=60, manual_ack=False):
        self.version = version
        self.messages = queue.Queue()
        self.disconnects = queue.Queue()
        self.acks = queue.Queue()
        self.subacks = queue.Queue()
        self.unsubacks = queue.Queue()
        self.connack = queue.Queue()
        self.clean = clean
        self.connect_properties = connect
        self.keepalive = keepalive
        name = fresh("peer") if client_id is None else client_id
        kwargs = {"clean_session": clean} if version == 4 else {}
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=version, manual_ack=manual_ack, **kwargs
        )
        if will:
            self.client.will_set(**will)
        c = self.client
        c.on_connect = lambda _c, _u, flags, reason, props: self.connack.put((flags, reason, props))
        c.on_message = lambda _c, _u, message: self.messages.put(message)
        c.on_disconnect = lambda _c, _u, _flags, reason, _props: self.disconnects.put(reason)
        c.on_publish = lambda _c, _u, mid, reason, _props: self.acks.put((mid, reason))
        c.on_subscribe = lambda _c, _u, mid, reasons, _props: self.subacks.put(reasons)
        c.on_unsubscribe = lambda _c, _u, mid, reasons, _props: self.unsubacks.put(reasons)

    def connect(self):
        """Connects; answers the flags, the reason and the properties of CONNACK."""
        extra = {}
        if self.version == 5:
            extra = {"clean_start": self.clean, "properties": self.connect_properties}
        self.client.connect(HOST, PORT, self.keepalive, **extra)
        self.client.loop_start()
        answer = self.connack.get(timeout=LIMIT_SECONDS)
        if answer[1].is_failure:
            self.client.loop_stop()
        return answer

    def subscribe(self, *args, **kwargs):
        self.client.subscribe(*args, **kwargs)
        return self.subacks.get(timeout=LIMIT_SECONDS)

    def unsubscribe(self, topic):
        self.client.unsubscribe(topic)
        return self.unsubacks.get(timeout=LIMIT_SECONDS)

    def publish(self, topic, payload="", qos=1, retain=False, **kwargs):
        """Publishes and waits for the acknowledgement; answers its reason."""
        self.client.publish(topic, payload, qos, retain, **kwargs)
        return self.acks.get(timeout=LIMIT_SECONDS)[1]

    def next(self):
        return self.messages.get(timeout=LIMIT_SECONDS)

    def payloads(self, count):
        return [self.next().payload.decode() for _ in range(count)]

    def until(self, payload):
        """Everything up to a message with this payload, which is left out."""
        seen = []
        while (message := self.next()).payload.decode() != payload:
            seen.append(message)
        return seen

    def end(self, **kwargs):
        self.client.disconnect(**kwargs)
        self.client.loop_stop()

    def drop(self):
        """Ends the connection without DISCONNECT, and does not come back by itself."""
        self.client._reconnect_on_failure = False
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.disconnects.get(timeout=LIMIT_SECONDS)
        self.client.loop_stop()


def connected(version, *args, **kwargs):
    peer = Peer(version, *args, **kwargs)
    reason = peer.connect()[1]
    assert not reason.is_failure, reason
    return peer


class Raw:
    """A socket that sends what no client library would."""

    def __init__(self):
        self.socket = socket.create_connection((HOST, PORT), timeout=LIMIT_SECONDS)

    def send(self, first_byte, body):
        self.socket.sendall(bytes([first_byte, len(body)]) + body)

    def connect(self, client_id, version=4, flags=2, keepalive=60):
        """Sends CONNECT."""
        body = text("MQTT") + bytes([version, flags]) + struct.pack("!H", keepalive)
        self.send(0x10, body + (b"\0" if version == 5 else b"") + text(client_id))

    def packet(self):
        """The next packet as its first byte and its body; None when the connection is closed."""
        head = self.receive(2)
        return head and (head[0], self.receive(head[1]))

    def reason(self):
        """The reason of the DISCONNECT that comes; Paho itself reads none of a DISCONNECT without properties."""
        while (packet := self.packet()) is not None:
            if packet[0] == 0xE0:
                return packet[1][0]

    def receive(self, count):
        got = b""
        while len(got) < count:
            try:
                piece = self.socket.recv(count - len(got))
            except ConnectionResetError:
                return None
            if not piece:
                return None
            got += piece
        return got


def text(value):
    encoded = value.encode()
    return struct.pack("!H", len(encoded)) + encoded


__all__ = ["PacketTypes", "Peer", "Raw", "connected", "fresh", "properties", "text"]
