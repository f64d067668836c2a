import { join } from 'node:path';
import type { ChildSettings, Login, LogLevel } from '../messages.ts';
import { type FrontDoor, isLogin } from './front-door.ts';
import type { LineBudget } from './line-budget.ts';

/** Where flows are, in Node-RED's folder. */
export const FLOW_FILE = 'flows.json';

/** Said on every start as long as no flow holds a credential. */
const harmless = 'Encrypted credentials not found';

interface SettingsParts {
  settings: ChildSettings;
  door: FrontDoor;
  lines: LineBudget;
  /** Folder of the package of our nodes. */
  nodesDir: string;
}

/** Node-RED's settings file, as it were: nothing is installed from, sent to or asked of anywhere else. */
export function nodeRedSettings({ settings, door, lines, nodesDir }: SettingsParts) {
  const { userDir, host, port, login, credentialSecret, isSafeMode, maxBodyBytes } = settings;
  return {
    uiHost: host,
    uiPort: port,
    userDir,
    nodesDir,
    // Absolute: one of this name in the working folder would be taken otherwise.
    flowFile: join(userDir, FLOW_FILE),
    flowFilePretty: true,
    credentialSecret,
    safeMode: isSafeMode,
    lang: 'en-US',
    httpAdminRoot: '/',
    httpNodeRoot: '/',
    apiMaxLength: `${maxBodyBytes}b`,
    httpAdminMiddleware: forbidFraming,
    ...(login && {
      adminAuth: adminAuth(login),
      webSocketNodeVerifyClient: ({ req }: { req: Parameters<FrontDoor['isAllowed']>[0] }) =>
        door.isAllowed(req),
    }),
    functionExternalModules: false,
    functionGlobalContext: {},
    exportGlobalContextKeys: false,
    externalModules: {
      autoInstall: false,
      palette: { allowInstall: false, allowUpdate: false, allowUpload: false },
      modules: { allowInstall: false },
    },
    telemetry: { enabled: false, updateNotification: false },
    diagnostics: { enabled: false, ui: false },
    runtimeState: { enabled: false, ui: false },
    editorTheme: {
      page: { title: 'Tidemark flows' },
      header: { title: 'Tidemark flows' },
      tours: false,
      projects: {},
      palette: { catalogues: [] },
    },
    logging: {
      platform: { level: levelFor(settings.logLevel), metrics: false, audit: false, handler: logTo(lines) },
    },
  };
}

function adminAuth(login: Login) {
  const user = { username: login.username, permissions: '*' as const };
  return {
    type: 'credentials' as const,
    users: async (username: string) => (username === login.username ? user : null),
    authenticate: async (username: string, password: string) =>
      isLogin(login, username, password) ? user : null,
    default: async () => null,
  };
}

/** A foreign page that shows the editor in a frame could have its visitor deploy something. */
function forbidFraming(
  _request: unknown,
  response: { setHeader(name: string, value: string): void },
  next: () => void,
): void {
  response.setHeader('x-frame-options', 'SAMEORIGIN');
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'same-origin');
  next();
}

const levels: Record<number, LogLevel> = {
  10: 'fatal',
  20: 'error',
  30: 'warn',
  40: 'info',
  50: 'debug',
  60: 'trace',
};

/** The platform's level by Node-RED's name. */
function levelFor(logLevel: string): string {
  return logLevel === 'silent' ? 'off' : logLevel;
}

interface LogMessage {
  level: number;
  msg: unknown;
  /** Of the node that says it. */
  type?: string;
  name?: string;
  id?: string;
}

function logTo(lines: LineBudget) {
  return () =>
    ({ level, msg, type, name, id }: LogMessage): void => {
      const who = type === undefined ? '' : `[${type}:${name ?? id}] `;
      const text = textOf(msg);
      lines.tell(text === harmless ? 'debug' : (levels[level] ?? 'info'), `${who}${text}`);
    };
}

function textOf(msg: unknown): string {
  if (typeof msg !== 'object' || msg === null) return String(msg);
  if ('message' in msg && typeof msg.message === 'string') return msg.message;
  try {
    return JSON.stringify(msg) ?? String(msg);
  } catch {
    return String(msg);
  }
}
