/** When a field counts: only while another field has one of these values. */
export interface When {
  readonly field: string;
  readonly is: readonly string[];
}

interface Common {
  readonly when?: When;
}

interface TextField extends Common {
  readonly kind: 'text';
  readonly default: string;
  readonly isRequired: boolean;
  /** Required only then. */
  readonly requiredWhen?: When;
  readonly pattern?: RegExp;
}
interface SecretField extends Common {
  readonly kind: 'secret';
  /** `text` is shown while it is typed. */
  readonly as: 'text' | 'password';
}
interface NumberField extends Common {
  readonly kind: 'number';
  readonly default: number | '';
  readonly isRequired: boolean;
  readonly min: number;
  readonly max: number;
  readonly isWhole: boolean;
}
interface DurationField extends Common {
  readonly kind: 'duration';
  readonly default: string;
  readonly isRequired: boolean;
}
interface ChoiceField<Option extends string = string> extends Common {
  readonly kind: 'choice';
  readonly default: Option;
  readonly options: readonly Option[];
}
interface SwitchField extends Common {
  readonly kind: 'switch';
  readonly default: boolean;
}
interface ServerField extends Common {
  readonly kind: 'server';
}

/** One setting of a node: its form row, its default and its check all follow from it. */
export type Field =
  | TextField
  | SecretField
  | NumberField
  | DurationField
  | ChoiceField
  | SwitchField
  | ServerField;

export type Fields = Readonly<Record<string, Field>>;

/** The settings that fields describe, once read: what is empty is undefined. */
export type SettingsOf<Described extends Fields> = {
  readonly [Name in keyof Described]: ValueOf<Described[Name]>;
};

type ValueOf<One extends Field> =
  One extends ChoiceField<infer Option>
    ? Option
    : One extends NumberField
      ? One['default'] extends number
        ? number
        : number | undefined
      : One extends SwitchField
        ? boolean
        : string | undefined;

export function text(
  options: {
    default?: string;
    isRequired?: boolean;
    pattern?: RegExp;
    requiredWhen?: When;
    when?: When;
  } = {},
) {
  return { kind: 'text', default: '', isRequired: false, ...options } as const satisfies TextField;
}

export function secret(as: 'text' | 'password') {
  return { kind: 'secret', as } as const satisfies SecretField;
}

type NumberOptions = { isRequired?: boolean; min?: number; max?: number; isWhole?: boolean; when?: When };
/** A number that may be left empty unless it is required. */
export function number(options: NumberOptions = {}) {
  return { ...anyNumber, default: '', ...options } as const satisfies NumberField;
}

/** A number with a default. */
export function numberOf(value: number, options: NumberOptions = {}) {
  return { ...anyNumber, default: value, isRequired: true, ...options } as const satisfies NumberField;
}

/** A duration as people write it: `90s`, `10m`, `1h30m`. */
export function duration(options: { default?: string; isRequired?: boolean; when?: When } = {}) {
  return { kind: 'duration', default: '', isRequired: false, ...options } as const satisfies DurationField;
}

/** One of the options; the first is the default. */
export function choice<const Option extends string>(
  options: readonly [Option, ...Option[]],
  when?: When,
): ChoiceField<Option> {
  return { kind: 'choice', default: options[0], options, ...(when && { when }) };
}

export function toggle(value: boolean, when?: When): SwitchField {
  return { kind: 'switch', default: value, ...(when && { when }) };
}

/** The platform that the node talks to: a `tidemark-server` configuration node. */
export const server: ServerField = { kind: 'server' };

const anyNumber = {
  kind: 'number',
  isRequired: false,
  min: Number.NEGATIVE_INFINITY,
  max: Number.POSITIVE_INFINITY,
  isWhole: false,
} as const;
