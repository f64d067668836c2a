import { knownLocation, type Location, type Sensor } from '@tidemark/core';
import { invalidFields } from '../problem.ts';
import { intervalText } from '../registry/members.ts';
import type {
  Location as LocationMessage,
  Sensor as SensorMessage,
} from './generated/tidemark/v1/registry_service.ts';

/** A sensor as a message. */
export function toSensorMessage(sensor: Sensor, nowNs: bigint): SensorMessage {
  return {
    id: sensor.id,
    kind: sensor.kind,
    metrics: new Map(
      Object.entries(sensor.metrics).map(([name, { unit, min, max }]) => [name, { unit, min, max }]),
    ),
    location: knownLocation(sensor, nowNs),
    expectedInterval: intervalText(sensor.expectedIntervalMs) ?? undefined,
    owner: sensor.owner,
    labels: new Map(Object.entries(sensor.labels)),
    state: sensor.state,
    timeFrom: sensor.timeFrom,
    isSelfRegistered: sensor.isSelfRegistered,
    formerIds: [...sensor.formerIds],
    createdNs: sensor.createdNs,
    updatedNs: sensor.updatedNs,
    version: BigInt(sensor.version),
  };
}

/** What a message declares of a sensor, as a document of the registry; by the names of the message's fields. */
export function sensorMembers(sensor: SensorMessage): Members {
  return {
    kind: ['kind', sensor.kind ?? null],
    metrics: ['metrics', Object.fromEntries(sensor.metrics)],
    location: ['location', sensor.location ?? null],
    expected_interval: ['expectedInterval', sensor.expectedInterval ?? null],
    owner: ['owner', sensor.owner ?? null],
    labels: ['labels', Object.fromEntries(sensor.labels)],
    state: ['state', sensor.state === '' ? null : sensor.state],
    time_from: ['timeFrom', sensor.timeFrom === '' ? null : sensor.timeFrom],
  };
}

/** A location as a message. */
export function toLocationMessage(location: Location): LocationMessage {
  const { id, name, latitude, longitude, parent, isSelfRegistered, createdNs, updatedNs, version } = location;
  return {
    id,
    name,
    latitude,
    longitude,
    parent,
    isSelfRegistered,
    createdNs,
    updatedNs,
    version: BigInt(version),
  };
}

/** What a message declares of a location, as `sensorMembers`. */
export function locationMembers(location: LocationMessage): Members {
  return {
    name: ['name', location.name === '' ? null : location.name],
    latitude: ['latitude', location.latitude ?? null],
    longitude: ['longitude', location.longitude ?? null],
    parent: ['parent', location.parent ?? null],
  };
}

type Members = Record<string, [member: string, value: unknown]>;

/** The whole document of a new entry; of a sensor or location that is nowhere, the members are left out. */
export function newDocument(id: string, members: Members): Record<string, unknown> {
  const given = Object.values(members).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(given), id };
}

/** The document of an entry with the fields changed that are named; throws `bad_request` for names that are none. */
export function changedDocument(
  declared: Record<string, unknown>,
  members: Members,
  fields: readonly string[],
): Record<string, unknown> {
  const unknown = fields.filter((field) => !Object.hasOwn(members, field));
  if (unknown.length > 0 || fields.length === 0) {
    const choices = Object.keys(members).join(', ');
    const [message = `name at least one of ${choices}`] = unknown.map(
      (field) => `${field} is none of ${choices}`,
    );
    throw invalidFields([{ path: 'fields', message }]);
  }
  return { ...declared, ...Object.fromEntries(fields.map((field) => members[field]!)) };
}
