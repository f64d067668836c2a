/** The part of the editor's API that these nodes use: https://nodered.org/docs/creating-nodes/ */
interface EditorNode {
  [setting: string]: unknown;
  /** A text of the node's catalogue. */
  _(key: string, values?: object): string;
}

interface EditorDefault {
  value: unknown;
  /** Type of a configuration node that the value names. */
  type?: string;
  required?: boolean;
  /** True, or what is wrong. */
  validate?: (this: EditorNode, value: unknown) => true | string;
}

interface EditorDefinition {
  category: string;
  color?: string;
  icon?: string;
  inputs?: number;
  outputs?: number;
  paletteLabel?: string;
  defaults: Record<string, EditorDefault>;
  credentials?: Record<string, { type: string }>;
  label(this: EditorNode): string;
  labelStyle?(this: EditorNode): string;
  inputLabels?: string;
  outputLabels?(this: EditorNode, index: number): string;
  oneditprepare(this: EditorNode): void;
}

declare const RED: {
  nodes: { registerType(type: string, definition: EditorDefinition): void };
  notify(message: string, options: { type: string }): void;
};
