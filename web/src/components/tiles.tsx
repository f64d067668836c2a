import { formatCount, formatRate } from '../format.ts';
import { MAX_SENSORS } from '../model/sensors.ts';
import type { PageState } from '../model/state.ts';

export function Tiles({ state }: { state: PageState }) {
  const { sensors, refusedTotal, readingsPerSecond, skipped } = state;
  const sensorCount = formatCount(sensors.count) + (sensors.count >= MAX_SENSORS ? '+' : '');
  return (
    <dl class="tiles">
      <Tile name="Sensors" value={sensorCount} />
      <Tile
        name="Readings per second"
        value={formatRate(readingsPerSecond)}
        note={skipped > 0 ? `${formatCount(skipped)} not drawn: this page could not keep up` : undefined}
      />
      <Tile
        name="Quarantined"
        value={formatCount(refusedTotal)}
        href={refusedTotal > 0 ? '#/quarantine' : undefined}
      />
    </dl>
  );
}

interface TileProps {
  name: string;
  value: string;
  note?: string | undefined;
  href?: string | undefined;
}

function Tile({ name, value, note, href }: TileProps) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>
        {href === undefined ? (
          value
        ) : (
          <a class="warn" href={href}>
            {value}
          </a>
        )}
      </dd>
      {note !== undefined && <dd class="note">{note}</dd>}
    </div>
  );
}
