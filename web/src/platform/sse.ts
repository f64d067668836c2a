export interface ServerEvent {
  type: string;
  data: string;
}

/** Reads server-sent events (WHATWG HTML, section 9.2) from text that comes in pieces. */
export class EventParser {
  /** Id of the last event that ended, to resume after. */
  lastEventId: string | undefined;
  #rest = '';
  #id: string | undefined;
  #type = '';
  #data: string[] = [];

  /** The events that end in this piece. */
  push(piece: string): ServerEvent[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    return lines.flatMap((line) => (line === '' ? this.#end() : this.#field(line)));
  }

  #field(line: string): ServerEvent[] {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#type = value;
    else if (name === 'id') this.#id = value;
    return [];
  }

  #end(): ServerEvent[] {
    const event = { type: this.#type === '' ? 'message' : this.#type, data: this.#data.join('\n') };
    const hasData = this.#data.length > 0;
    this.#type = '';
    this.#data = [];
    this.lastEventId = this.#id ?? this.lastEventId;
    return hasData ? [event] : [];
  }
}
