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
  const present = existsSync(defaultFile) ? defaultFile : undefined;
  return loadConfig({ env, file: file ?? env.TIDEMARK_CONFIG ?? present, overrides });
}
