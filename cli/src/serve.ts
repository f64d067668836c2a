import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Config } from '@tidemark/core';
import { authority } from './connection.ts';
import { FlowsProcess } from './flows-process.ts';
import { untilInterrupted } from './interrupt.ts';
import { Platform } from './platform.ts';
import { type OutputOptions, printJson } from './progress.ts';
import { loadSettings, settingsFile } from './settings.ts';

interface ServeOptions extends OutputOptions {
  config?: string;
}

/** How long the address of Node-RED is waited for before it goes unsaid; `/health` says why. */
const FLOWS_WAIT_MS = 60_000;

/**
 * Runs the platform, or flows alone, until Ctrl-C or SIGTERM; prints one line, or with `--json` one object, when it is
 * ready, and another when Node-RED has come up behind it.
 */
export async function serve(options: ServeOptions): Promise<void> {
  // Else V8 lets garbage grow to some four times of what is alive, and gives the pages it once had back to nobody; with
  // half as much as here, collecting it costs line protocol a third of its rate.
  setFlagsFromString('--heap-growing-percent=150');
  const config = loadSettings({ file: options.config });
  await (config.roles.includes('broker') ? servePlatform(config, options) : serveFlows(config, options));
}

async function servePlatform(config: Config, options: ServeOptions): Promise<void> {
  const platform = new Platform({ config, configFile: settingsFile({ file: options.config }) });
  await untilInterrupted(async (signal) => {
    const { mqttPort, httpPort, grpcPort, linesPort } = await platform.start();
    try {
      const mqttUrl = `mqtt://${authority(config.host, mqttPort)}`;
      const httpUrl = `http://${authority(config.host, httpPort)}`;
      const grpcAddress = authority(config.host, grpcPort);
      const linesAddress = linesPort === undefined ? undefined : authority(config.host, linesPort);
      // Counted from the start of the process, which is what a person waits for.
      const readyMs = Math.round(performance.now());
      if (options.json)
        printJson({
          event: 'ready',
          readyMs,
          mqttPort,
          httpPort,
          grpcPort,
          mqttUrl,
          httpUrl,
          grpcAddress,
          linesPort,
          linesAddress,
          dataDir: config.dataDir,
        });
      else if (!options.quiet)
        process.stdout.write(
          `ready in ${readyMs} ms: ${httpUrl}, ${mqttUrl} and gRPC on ${grpcAddress}` +
            `${linesAddress === undefined ? '' : `, lines on ${linesAddress}`}\n`,
        );
      collectGarbage();
      void platform.flowsPort(FLOWS_WAIT_MS).then((port) => announceFlows(config, options, port));
      await aborted(signal);
    } finally {
      await platform.stop();
    }
  });
}

async function serveFlows(config: Config, options: ServeOptions): Promise<void> {
  const flows = new FlowsProcess(config);
  await untilInterrupted(async (signal) => {
    const { supervisor, httpPort } = await flows.start();
    try {
      const httpUrl = `http://${authority(config.host, httpPort)}`;
      const readyMs = Math.round(performance.now());
      if (options.json) printJson({ event: 'ready', readyMs, httpPort, httpUrl, dataDir: config.dataDir });
      else if (!options.quiet)
        process.stdout.write(`ready in ${readyMs} ms: ${httpUrl}/health and ${httpUrl}/metrics\n`);
      void supervisor.whenListening(FLOWS_WAIT_MS).then((port) => announceFlows(config, options, port));
      await aborted(signal);
    } finally {
      await flows.stop();
    }
  });
}

function announceFlows(config: Config, options: ServeOptions, flowsPort: number | undefined): void {
  if (flowsPort === undefined) return;
  const flowsUrl = `http://${authority(config.host, flowsPort)}`;
  if (options.json) printJson({ event: 'flows', flowsPort, flowsUrl });
  else if (!options.quiet) process.stdout.write(`flows: ${flowsUrl}\n`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Gives back the 35 MB that a start leaves behind; by itself V8 keeps them as long as nothing happens. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}
