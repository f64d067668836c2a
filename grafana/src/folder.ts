/** The folder that Grafana is given for provisioning. */
export const PROVISIONING = new URL('../provisioning/', import.meta.url);
