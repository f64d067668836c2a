import { TAG } from '../links.ts';
import { fromEnvironment } from './environment.ts';

/** Where Grafana finds the dashboards; what leaves the folder leaves Grafana. */
export function dashboardProvider() {
  return {
    apiVersion: 1,
    providers: [
      {
        name: 'Tidemark',
        orgId: 1,
        folder: 'Tidemark',
        folderUid: TAG,
        type: 'file',
        disableDeletion: false,
        allowUiUpdates: false,
        updateIntervalSeconds: 30,
        options: { path: fromEnvironment('TIDEMARK_DASHBOARDS'), foldersFromFilesStructure: false },
      },
    ],
  };
}
