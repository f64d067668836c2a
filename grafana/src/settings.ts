import type { EnvironmentName } from './provisioning/environment.ts';

/** The version that docker-compose.yml and `tidemark grafana` run. */
export const GRAFANA_IMAGE = 'grafana/grafana:12.4.5';

/** Grafana's own settings that are not its defaults: who is not logged in may look, and nobody outside is asked. */
export const grafanaSettings = {
  GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer',
  GF_USERS_ALLOW_SIGN_UP: 'false',
  GF_USERS_AUTO_ASSIGN_ORG_ROLE: 'Viewer',
  GF_ANALYTICS_REPORTING_ENABLED: 'false',
  GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
  GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES: 'false',
  GF_NEWS_NEWS_FEED_ENABLED: 'false',
  GF_PLUGINS_PREINSTALL_DISABLED: 'true',
} as const;

/** What the files of provisioning ask of Grafana's environment. */
export type ProvisioningEnvironment = Record<EnvironmentName, string>;
