import { type StatsListener, unwatchFile, watchFile } from 'node:fs';
import { type Channel, type Issue, type Logger, messageOf, type PartHealth } from '@tidemark/core';
import { loadSettings } from './settings.ts';

/** A file that is replaced as a whole is found by looking; a second is soon enough. */
const LOOK_EVERY_MS = 1000;
/** More doubts than these are counted in the log, not written there. */
const MAX_DOUBTS = 20;

interface WatchedFileOptions {
  file: string;
  logger: Logger;
  rules: { setFileRules(documents: readonly unknown[]): void; fileDoubts(): Issue[] };
  notifications: { setChannels(channels: Readonly<Record<string, Channel>>): Promise<void> };
}

/**
 * Takes the rules and channels of the configuration file over again when it changes: with any fault in it, none. The
 * other settings hold from the next start.
 */
export class WatchedFile {
  readonly #options: WatchedFileOptions;
  readonly #onChange: StatsListener;
  #reading: Promise<void> = Promise.resolve();
  /** What is wrong with the file as it is now. */
  #fault: string | undefined;

  constructor(options: WatchedFileOptions) {
    this.#options = options;
    this.#onChange = () => {
      this.#reading = this.#reading.then(() => this.#read());
    };
  }

  async start(): Promise<void> {
    this.#tellDoubts();
    watchFile(this.#options.file, { interval: LOOK_EVERY_MS, persistent: false }, this.#onChange);
  }

  async stop(): Promise<void> {
    unwatchFile(this.#options.file, this.#onChange);
    await this.#reading;
  }

  health(): PartHealth {
    const message = this.#fault ?? 'read';
    return { name: 'rules file', status: this.#fault ? 'fail' : 'pass', message };
  }

  async #read(): Promise<void> {
    const { file, logger, rules, notifications } = this.#options;
    try {
      const { rules: documents, channels } = loadSettings({ file });
      rules.setFileRules(documents);
      await notifications.setChannels(channels);
      this.#fault = undefined;
      const counts = { rules: documents.length, channels: Object.keys(channels).length };
      logger.info({ file, ...counts }, 'the rules and channels of the configuration file were read again');
      this.#tellDoubts();
    } catch (error) {
      this.#fault = `${file} is wrong, its rules and channels from before hold on: ${messageOf(error)}`;
      logger.error(
        { file, fault: messageOf(error) },
        'the configuration file is wrong; its rules and channels from before hold on',
      );
    }
  }

  /** Rules are taken all the same: the sensor that has the metric may report yet. */
  #tellDoubts(): void {
    const { file, logger, rules } = this.#options;
    const doubts = rules.fileDoubts();
    if (doubts.length === 0) return;
    const texts = doubts.slice(0, MAX_DOUBTS).map(({ path, message }) => `${path}: ${message}`);
    logger.warn(
      { file, count: doubts.length, doubts: texts.join('; ') },
      'rules of the configuration file may be misspelt',
    );
  }
}
