import { existsSync } from 'node:fs';
import { type Config, loadConfig } from '@tidemark/core';

const defaultFile = 'tidemark.yaml';

interface SettingsSources {
  /** Path of a YAML file; without one `TIDEMARK_CONFIG`, then `tidemark.yaml` if it is there. */
  file?: string | undefined;
  env?: NodeJS.ProcessEnv;
  overrides?: Record<string, unknown>;
}

/** The configuration as every command sees it; throws `config_invalid` that lists every fault. */
export function loadSettings({ file, env = process.env, overrides = {} }: SettingsSources = {}): Config {
  return loadConfig({ env, file: settingsFile({ file, env }), overrides });
}

/** The YAML file that the settings are read from; undefined when there is none. */
export function settingsFile({
  file,
  env = process.env,
}: Omit<SettingsSources, 'overrides'> = {}): string | undefined {
  return file ?? env.TIDEMARK_CONFIG ?? (existsSync(defaultFile) ? defaultFile : undefined);
}
