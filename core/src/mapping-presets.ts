import type { MappingInput, PresetSettings } from './mapping-schema.ts';

type Settings = PresetSettings & { id: string };

/** On and off as numbers, which charts and rules can use. */
const switches = { on: 1, off: 0, ON: 1, OFF: 0 };

/** What a preset stands for, first match first. */
export const mappingPresets = {
  zigbee2mqtt,
  tasmota,
  shelly,
  'the-things-stack': theThingsStack,
} satisfies Record<string, (settings: Settings) => MappingInput[]>;

/** What Zigbee2MQTT adds of a device itself (`include_device_information`) and of its firmware: no readings. */
const zigbeeInformation = [
  ...[
    'update',
    'update_*',
    'elapsed',
    'device_friendlyName',
    'device_model',
    'device_type',
    'device_*Version',
  ],
  ...['device_ieeeAddr', 'device_networkAddress', 'device_manufacturer*', 'device_powerSource'],
  ...['device_dateCode', 'device_softwareBuildID'],
];

/** https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html */
function zigbee2mqtt({ base = 'zigbee2mqtt', zone, ...settings }: Settings): MappingInput[] {
  return [
    apply(settings, {
      topic: `${base}/{sensor}`,
      time: { path: '$.last_seen', zone },
      exclude: zigbeeInformation,
      texts: switches,
    }),
  ];
}

/** Texts that say how a device is set up, and its times. */
const tasmotaInformation = [
  ...['Time', '*Unit', 'Uptime', 'SleepMode', '*TotalStartTime', '*_Id', 'Wifi_SSId', 'Wifi_BSSId'],
  ...['Wifi_Mode', 'Wifi_Downtime'],
];

/** https://tasmota.github.io/docs/MQTT/; its times are local ones, and of no use until the zone is told. */
function tasmota({ base = 'tele/{sensor}', zone, ...settings }: Settings): MappingInput[] {
  return ['SENSOR', 'STATE'].map((last) =>
    apply(settings, {
      topic: `${base}/${last}`,
      time: zone === undefined ? 'acceptance' : { path: '$.Time', zone },
      exclude: tasmotaInformation,
      texts: switches,
    }),
  );
}

/** Generation 1 and later ones; with `base` the topic prefix of later ones, such as `home/{sensor}`. */
function shelly({ base, zone: _, ...settings }: Settings): MappingInput[] {
  if (base !== undefined) return shellyComponents(settings, { base });
  return [
    ...shellyValues(settings),
    ...shellyStatuses(settings),
    ...shellyComponents(settings, { base: 'shelly{device}', sensor: 'shelly{device}' }),
  ];
}

/** https://shelly-api-docs.shelly.cloud/gen1/#mqtt: a value a topic; `…/command` is for the device. */
function shellyValues(settings: Omit<Settings, 'base' | 'zone'>): MappingInput[] {
  const energies = ['power', 'energy'];
  const meters = [...energies, 'returned_energy', 'reactive_power', 'voltage', 'current', 'pf', 'total'];
  const channels: [kind: string, names: readonly string[]][] = [
    ['relay', [...energies, 'overpower_value']],
    ['light', energies],
    ['color', energies],
    ['white', energies],
    ['roller', [...energies, 'pos']],
    ['emeter', [...meters, 'total_returned']],
  ];
  const topics: [topic: string, metric: string][] = [
    ['sensor/{metric}', '{metric}'],
    ...['temperature', 'humidity', 'voltage', 'overtemperature'].map((name): [string, string] => [
      name,
      name,
    ]),
    ...[
      ...['relay', 'light', 'color', 'white', 'roller', 'input', 'longpush', 'adc'],
      ...['ext_temperature', 'ext_humidity', 'ext_switch'],
    ].map((kind): [string, string] => [`${kind}/{channel}`, `${kind}_{channel}`]),
    ...channels.flatMap(([kind, names]) =>
      names.map((name): [string, string] => [`${kind}/{channel}/${name}`, `${kind}_{channel}_${name}`]),
    ),
  ];
  const { include: _, exclude: __, rename: ___, ...rest } = settings;
  return topics.map(([topic, metric]) =>
    apply(rest, {
      topic: `shellies/{sensor}/${topic}`,
      format: 'value',
      metric,
      texts: switches,
    }),
  );
}

/**
 * https://shelly-api-docs.shelly.cloud/gen1/#mqtt, of motion sensors, radiator valves, dimmers and bulbs: objects. Their
 * `timestamp` is when something last moved, not when this was so.
 */
function shellyStatuses({
  include: _,
  exclude: __,
  rename: ___,
  ...settings
}: Omit<Settings, 'base' | 'zone'>): MappingInput[] {
  const information = ['timestamp', '*units', 'has_timer', 'timer_*', 'source', 'mode', 'transition'];
  const topics: [topic: string, prefix?: string][] = [
    ['status'],
    ...['light', 'color', 'white'].map((kind): [string, string] => [
      `${kind}/{channel}/status`,
      `${kind}_{channel}_`,
    ]),
  ];
  return topics.map(([topic, prefix]) =>
    apply(settings, {
      topic: `shellies/{sensor}/${topic}`,
      prefix,
      time: 'acceptance',
      exclude: information,
      texts: switches,
    }),
  );
}

/** What components tell of themselves and of the network, and what others tell of the same. */
const shellyInformation = [
  ...[
    '*_id',
    '*_source',
    '*_by_minute_*',
    '*_minute_ts',
    '*_tF',
    '*_errors_*',
    'ble*',
    'cloud*',
    'mqtt*',
    'ws*',
  ],
  ...['sys_*', 'wifi_*ip*', 'wifi_status', 'wifi_ssid', 'wifi_bssid'],
];

/**
 * https://shelly-api-docs.shelly.cloud/gen2/General/Notifications and …/ComponentsAndServices/Mqtt: notifications, and
 * the status of a component, whose metrics have the same names.
 */
function shellyComponents(
  settings: Omit<Settings, 'base' | 'zone'>,
  { base, sensor }: { base: string; sensor?: string },
): MappingInput[] {
  return [
    apply(settings, {
      topic: `${base}/events/rpc`,
      sensor,
      when: { '$.method': ['NotifyStatus', 'NotifyFullStatus'] },
      time: { path: '$.params.ts', unit: 's' },
      values: '$.params',
      exclude: ['ts', ...shellyInformation],
      texts: switches,
    }),
    apply(settings, {
      topic: `${base}/status/{component}`,
      sensor,
      prefix: '{component}_',
      time: 'acceptance',
      exclude: shellyInformation,
      texts: switches,
    }),
  ];
}

/** https://www.thethingsindustries.com/docs/the-things-stack/concepts/data-formats/, uplink messages. */
function theThingsStack({
  base = 'v3/{application}/devices/{sensor}',
  zone: _,
  ...settings
}: Settings): MappingInput[] {
  return [
    apply(settings, {
      topic: `${base}/up`,
      time: '$.received_at',
      values: '$.uplink_message.decoded_payload',
      metrics: {
        f_port: '$.uplink_message.f_port',
        f_cnt: '$.uplink_message.f_cnt',
        rssi: '$.uplink_message.rx_metadata[0].rssi',
        snr: '$.uplink_message.rx_metadata[0].snr',
      },
    }),
  ];
}

/** The user's settings over the preset's: theirs join lists and tables, and take the place of all else. */
function apply(settings: Omit<Settings, 'base' | 'zone'>, preset: Omit<MappingInput, 'id'>): MappingInput {
  return {
    ...preset,
    ...settings,
    exclude: joined(preset.exclude, settings.exclude),
    texts: { ...preset.texts, ...settings.texts },
  };
}

function joined(
  ours: readonly string[] | undefined,
  theirs: readonly string[] | undefined,
): string[] | undefined {
  return ours === undefined && theirs === undefined ? undefined : [...(ours ?? []), ...(theirs ?? [])];
}
