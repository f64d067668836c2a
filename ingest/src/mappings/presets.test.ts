import { createMetrics, loadConfig, silentLogger } from '@tidemark/core';
import { describe, expect, it } from 'vitest';
import { Mappings } from './mappings.ts';

// Payloads of our own making, in the shapes that the makers document on the pages named.

function presetOf(settings: object): Mappings {
  const { mappings, ingest, mapping } = loadConfig({ overrides: { mappings: [settings] } });
  return new Mappings({
    mappings,
    limits: ingest,
    expressions: mapping,
    metrics: createMetrics(),
    logger: silentLogger,
  });
}

/** The reading that a message is; undefined where its topic is not read at all. */
async function readingOf(settings: object, topic: string, payload: unknown) {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const found = await presetOf(settings).explain(topic, Buffer.from(text));
  if (found === undefined) return undefined;
  expect(found.rejected).toEqual([]);
  expect(found.readings.length).toBeLessThanOrEqual(1);
  return found.readings[0] ?? 'nothing';
}

// https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html and …/configuration/mqtt.html
describe('zigbee2mqtt', () => {
  const preset = { preset: 'zigbee2mqtt' };

  it('a climate sensor', async () => {
    const payload = {
      battery: 97,
      humidity: 51.2,
      temperature: 20.63,
      device_temperature: 23,
      linkquality: 116,
      voltage: null,
      last_seen: '2024-01-31T12:00:00+01:00',
      update: { installed_version: 4105, latest_version: 4105, state: 'idle' },
      device: {
        friendlyName: 'attic',
        model: 'x',
        ieeeAddr: '0x00158d',
        manufacturerName: 'y',
        zclVersion: 3,
      },
    };
    expect(await readingOf(preset, 'zigbee2mqtt/attic', payload)).toEqual({
      sensor: 'attic',
      location: undefined,
      timeNs: 1_706_698_800_000_000_000n,
      values: { battery: 97, humidity: 51.2, temperature: 20.63, device_temperature: 23, linkquality: 116 },
    });
  });

  it('a lamp, a door and a button', async () => {
    const lamp = {
      state: 'ON',
      brightness: 180,
      color: { x: 0.45, y: 0.4 },
      color_mode: 'xy',
      last_seen: 1706698800123,
    };
    expect(await readingOf(preset, 'zigbee2mqtt/lamp', lamp)).toMatchObject({
      timeNs: 1_706_698_800_123_000_000n,
      values: { state: 1, brightness: 180, color_x: 0.45, color_y: 0.4, color_mode: 'xy' },
    });
    expect(await readingOf(preset, 'zigbee2mqtt/door', { contact: false })).toMatchObject({
      timeNs: undefined,
      values: { contact: false },
    });
    expect(await readingOf(preset, 'zigbee2mqtt/button', { action: 'double' })).toMatchObject({
      values: { action: 'double' },
    });
    expect(await readingOf(preset, 'zigbee2mqtt/new', { update: { state: 'idle' }, voltage: null })).toBe(
      'nothing',
    );
  });

  it.each([
    'zigbee2mqtt/attic/availability',
    'zigbee2mqtt/attic/set',
    'zigbee2mqtt/attic/get',
    'zigbee2mqtt/bridge/state',
    'zigbee2mqtt/bridge/devices',
  ])('%s is no reading', async (topic) => {
    expect(await readingOf(preset, topic, { state: 'online' })).toBeUndefined();
  });

  it('with another base topic, names of two levels and a location', async () => {
    const deep = {
      preset: 'zigbee2mqtt',
      base: 'home/zigbee',
      location: 'home',
      rename: { temperature: 't' },
    };
    expect(await readingOf(deep, 'home/zigbee/a', { temperature: 1 })).toMatchObject({
      sensor: 'a',
      location: 'home',
      values: { t: 1 },
    });
  });
});

// https://tasmota.github.io/docs/MQTT/ and https://tasmota.github.io/docs/JSON-Status-Responses/
describe('tasmota', () => {
  const preset = { preset: 'tasmota' };

  it('telemetry of sensors', async () => {
    const payload = {
      Time: '2024-07-01T08:30:00',
      AM2301: { Temperature: 71.6, Humidity: 48.5, DewPoint: 51.1 },
      'DS18B20-1': { Id: '01144A', Temperature: 65.3 },
      TempUnit: 'F',
    };
    const values = { AM2301_Temperature: 71.6, AM2301_Humidity: 48.5, AM2301_DewPoint: 51.1 };
    expect(await readingOf(preset, 'tele/shed/SENSOR', payload)).toEqual({
      sensor: 'shed',
      location: undefined,
      timeNs: undefined,
      values: { ...values, 'DS18B20-1_Temperature': 65.3 },
    });
    const here = { ...preset, zone: 'Europe/Berlin', units: { AM2301_Temperature: '°F → °C' } };
    expect(await readingOf(here, 'tele/shed/SENSOR', payload)).toMatchObject({
      timeNs: 1_719_815_400_000_000_000n,
      values: { AM2301_Temperature: 22 },
    });
  });

  it('a plug that measures, with one phase and with two', async () => {
    const energy = {
      TotalStartTime: '2023-01-01T00:00:00',
      Total: 21.5,
      Today: 0.4,
      Power: 12,
      Voltage: 231,
    };
    expect(
      await readingOf(preset, 'tele/plug/SENSOR', { Time: '2024-07-01T08:30:00', ENERGY: energy }),
    ).toMatchObject({
      values: { ENERGY_Total: 21.5, ENERGY_Today: 0.4, ENERGY_Power: 12, ENERGY_Voltage: 231 },
    });
    const two = { ENERGY: { ...energy, Power: [3, 4] } };
    expect(await readingOf(preset, 'tele/plug/SENSOR', two)).toMatchObject({
      values: { ENERGY_Power_0: 3, ENERGY_Power_1: 4 },
    });
  });

  it('its state', async () => {
    const payload = {
      Time: '2024-07-01T08:30:00',
      Uptime: '1T02:03:04',
      UptimeSec: 93784,
      Heap: 25,
      SleepMode: 'Dynamic',
      POWER: 'ON',
      POWER2: 'OFF',
      Wifi: {
        AP: 1,
        SSId: 'net',
        BSSId: '00:00',
        Channel: 6,
        Mode: '11n',
        RSSI: 70,
        Signal: -65,
        Downtime: '0T00:00:03',
      },
    };
    const wifi = { Wifi_AP: 1, Wifi_Channel: 6, Wifi_RSSI: 70, Wifi_Signal: -65 };
    expect(await readingOf(preset, 'tele/shed/STATE', payload)).toMatchObject({
      values: { UptimeSec: 93784, Heap: 25, POWER: 1, POWER2: 0, ...wifi },
    });
  });

  it.each(['tele/shed/LWT', 'tele/shed/INFO1', 'stat/shed/RESULT', 'cmnd/shed/POWER'])(
    '%s is no reading',
    async (topic) => {
      expect(await readingOf(preset, topic, 'Online')).toBeUndefined();
    },
  );

  it('with another full topic', async () => {
    const own = { preset: 'tasmota', base: '{sensor}/tele' };
    expect(await readingOf(own, 'shed/tele/SENSOR', { A: { T: 1 } })).toMatchObject({ sensor: 'shed' });
  });
});

// https://shelly-api-docs.shelly.cloud/gen1/#mqtt-support, …/gen2/General/Notifications, …/gen2/ComponentsAndServices/Mqtt
describe('shelly', () => {
  const preset = { preset: 'shelly' };

  it.each([
    ['shellies/shellyht-1A2B/sensor/temperature', '21.25', { temperature: 21.25 }],
    ['shellies/shellydw2-1A2B/sensor/state', 'open', { state: 'open' }],
    ['shellies/shelly1pm-1A2B/relay/0', 'on', { relay_0: 1 }],
    ['shellies/shelly1pm-1A2B/relay/0', 'overpower', { relay_0: 'overpower' }],
    ['shellies/shelly1pm-1A2B/relay/0/power', '42.5', { relay_0_power: 42.5 }],
    ['shellies/shelly1pm-1A2B/input/0', '1', { input_0: 1 }],
    ['shellies/shelly1pm-1A2B/temperature', '40.1', { temperature: 40.1 }],
    ['shellies/shellyem3-1A2B/emeter/2/total_returned', '3.5', { emeter_2_total_returned: 3.5 }],
    ['shellies/shellyswitch25-1A2B/roller/0/pos', '55', { roller_0_pos: 55 }],
    ['shellies/shellyswitch25-1A2B/roller/0', 'close', { roller_0: 'close' }],
    ['shellies/shellyswitch-1A2B/relay/power', '12.5', { relay_power: 12.5 }],
    ['shellies/shellydimmer-1A2B/light/0', 'on', { light_0: 1 }],
    ['shellies/shelly1-1A2B/ext_switch/0', '1', { ext_switch_0: 1 }],
  ])('%s', async (topic, payload, values) => {
    expect(await readingOf(preset, topic, payload)).toMatchObject({ sensor: topic.split('/')[1], values });
  });

  it('objects of the first generation: a motion sensor, a valve and a dimmer', async () => {
    const motion = { motion: true, timestamp: 1614416952, active: true, vibration: false, lux: 303, bat: 87 };
    expect(await readingOf(preset, 'shellies/shellymotionsensor-1A2B/status', motion)).toEqual({
      sensor: 'shellymotionsensor-1A2B',
      location: undefined,
      timeNs: undefined,
      values: { motion: true, active: true, vibration: false, lux: 303, bat: 87 },
    });
    const valve = {
      target_t: { enabled: true, value: 21, units: 'C' },
      tmp: { value: 20.5, units: 'C', is_valid: true },
    };
    expect(await readingOf(preset, 'shellies/shellytrv-1A2B/status', valve)).toMatchObject({
      values: { target_t_enabled: true, target_t_value: 21, tmp_value: 20.5, tmp_is_valid: true },
    });
    const light = { ison: true, mode: 'white', brightness: 55, power: 12.1, has_timer: false };
    expect(await readingOf(preset, 'shellies/shellydimmer2-1A2B/light/0/status', light)).toMatchObject({
      values: { light_0_ison: true, light_0_brightness: 55, light_0_power: 12.1 },
    });
  });

  it('a notification', async () => {
    const payload = {
      src: 'shellypro1pm-c0ffee',
      dst: 'shellypro1pm-c0ffee/events',
      method: 'NotifyStatus',
      params: {
        ts: 1706698800.25,
        'switch:0': {
          id: 0,
          output: true,
          source: 'timer',
          apower: 18.5,
          voltage: 230.4,
          aenergy: { total: 1204.3, by_minute: [1.5, 2.5, 3.5], minute_ts: 1706698800 },
          temperature: { tC: 41.3, tF: 106.3 },
          errors: null,
        },
      },
    };
    expect(await readingOf(preset, 'shellypro1pm-c0ffee/events/rpc', payload)).toEqual({
      sensor: 'shellypro1pm-c0ffee',
      location: undefined,
      timeNs: 1_706_698_800_250_000_000n,
      values: {
        'switch:0_output': true,
        'switch:0_apower': 18.5,
        'switch:0_voltage': 230.4,
        'switch:0_aenergy_total': 1204.3,
        'switch:0_temperature_tC': 41.3,
      },
    });
    const event = {
      ...payload,
      method: 'NotifyEvent',
      params: { ts: 1706698800, events: [{ component: 'input:0' }] },
    };
    expect(await readingOf(preset, 'shellypro1pm-c0ffee/events/rpc', event)).toBe('nothing');
  });

  it('the whole status of a battery device', async () => {
    const params = {
      ts: 1706698800,
      ble: {},
      cloud: { connected: false },
      'devicepower:0': { id: 0, battery: { V: 5.9, percent: 91 }, external: { present: false } },
      'humidity:0': { id: 0, rh: 44.5 },
      'temperature:0': { id: 0, tC: 19.5, tF: 67.1 },
      sys: { mac: 'C0FFEE', time: null, uptime: 4, wakeup_reason: { boot: 'x', cause: 'y' } },
      wifi: { sta_ip: '192.0.2.7', status: 'got ip', ssid: 'net', rssi: -61 },
    };
    const payload = { src: 'shellyplusht-c0ffee', method: 'NotifyFullStatus', params };
    expect(await readingOf(preset, 'shellyplusht-c0ffee/events/rpc', payload)).toMatchObject({
      values: {
        'devicepower:0_battery_V': 5.9,
        'devicepower:0_battery_percent': 91,
        'devicepower:0_external_present': false,
        'humidity:0_rh': 44.5,
        'temperature:0_tC': 19.5,
        wifi_rssi: -61,
      },
    });
  });

  it('the status of a component has the same names', async () => {
    const status = { id: 0, output: false, source: 'init', apower: 0, temperature: { tC: 40, tF: 104 } };
    expect(await readingOf(preset, 'shellyplus1pm-c0ffee/status/switch:0', status)).toMatchObject({
      sensor: 'shellyplus1pm-c0ffee',
      values: { 'switch:0_output': false, 'switch:0_apower': 0, 'switch:0_temperature_tC': 40 },
    });
    const clock = { mac: 'C0FFEE', time: '12:34', unixtime: 1706698800, uptime: 5 };
    expect(await readingOf(preset, 'shellyplus1pm-c0ffee/status/sys', clock)).toBe('nothing');
    const own = { preset: 'shelly', base: 'home/{sensor}' };
    expect(await readingOf(own, 'home/boiler/status/switch:0', status)).toMatchObject({ sensor: 'boiler' });
  });

  it.each([
    'shellies/shelly1pm-1A2B/online',
    'shellies/shelly1pm-1A2B/announce',
    'shellies/shelly1pm-1A2B/relay/0/command',
    'shellies/command',
    'shellyplus1pm-c0ffee/online',
    'shellyplus1pm-c0ffee/rpc',
  ])('%s is no reading', async (topic) => {
    expect(await readingOf(preset, topic, 'true')).toBeUndefined();
  });
});

// https://www.thethingsindustries.com/docs/the-things-stack/concepts/data-formats/
describe('the-things-stack', () => {
  const preset = { preset: 'the-things-stack' };
  const uplink = {
    end_device_ids: { device_id: 'soil-7', application_ids: { application_id: 'farm' }, dev_eui: '70B3D5' },
    correlation_ids: ['as:up:1'],
    received_at: '2024-01-31T11:00:00.123456789Z',
    uplink_message: {
      f_port: 2,
      f_cnt: 51,
      frm_payload: 'AQID',
      decoded_payload: { moisture: 33.1, probe: { temperature: 8.5 }, leak: false },
      rx_metadata: [
        { gateway_ids: { gateway_id: 'g1' }, rssi: -97, channel_rssi: -97, snr: 7.2 },
        { rssi: -110 },
      ],
      settings: { frequency: '868100000' },
      received_at: '2024-01-31T10:59:59.9Z',
    },
  };

  it('an uplink', async () => {
    expect(await readingOf(preset, 'v3/farm@ttn/devices/soil-7/up', uplink)).toEqual({
      sensor: 'soil-7',
      location: undefined,
      timeNs: 1_706_698_800_123_456_789n,
      values: {
        f_port: 2,
        f_cnt: 51,
        rssi: -97,
        snr: 7.2,
        moisture: 33.1,
        probe_temperature: 8.5,
        leak: false,
      },
    });
  });

  it('an uplink that nothing decodes is refused, so that it can be decoded and replayed', async () => {
    const { decoded_payload: _, ...raw } = uplink.uplink_message;
    const payload = Buffer.from(JSON.stringify({ ...uplink, uplink_message: raw }));
    const found = await presetOf(preset).explain('v3/farm@ttn/devices/soil-7/up', payload);
    expect(found).toMatchObject({ readings: [], rejected: [{ code: 'missing_value' }] });
    expect(found!.rejected[0]!.detail).toContain('decoded_payload');
  });

  it.each(['join', 'down/queued', 'down/ack', 'service/data'])('…/%s is no reading', async (last) => {
    expect(await readingOf(preset, `v3/farm@ttn/devices/soil-7/${last}`, {})).toBeUndefined();
  });
});
