import { type StatsListener, unwatchFile, watchFile } from 'node:fs';
import { type Logger, messageOf, type PartHealth, readYaml, TidemarkError } from '@tidemark/core';

/** A file that is replaced as a whole is found by looking; a second is soon enough. */
const LOOK_EVERY_MS = 1000;

interface RuleFileOptions {
  file: string;
  logger: Logger;
  rules: { setFileRules(documents: readonly unknown[]): void };
}

/** Takes the rules of the configuration file over again when it changes; the other settings hold from the next start. */
export class RuleFile {
  readonly #options: RuleFileOptions;
  readonly #onChange: StatsListener;
  /** What is wrong with the file as it is now. */
  #fault: string | undefined;

  constructor(options: RuleFileOptions) {
    this.#options = options;
    this.#onChange = () => this.#read();
  }

  async start(): Promise<void> {
    watchFile(this.#options.file, { interval: LOOK_EVERY_MS, persistent: false }, this.#onChange);
  }

  async stop(): Promise<void> {
    unwatchFile(this.#options.file, this.#onChange);
  }

  health(): PartHealth {
    const message = this.#fault ?? 'read';
    return { name: 'rules file', status: this.#fault ? 'fail' : 'pass', message };
  }

  #read(): void {
    const { file, logger, rules } = this.#options;
    try {
      const documents = readYaml(file).rules ?? [];
      if (!Array.isArray(documents)) throw new TidemarkError('config_invalid', 'rules must be a list');
      rules.setFileRules(documents);
      this.#fault = undefined;
      logger.info({ file, rules: documents.length }, 'the rules of the configuration file were read again');
    } catch (error) {
      this.#fault = `${file} is wrong, its rules from before hold on: ${messageOf(error)}`;
      logger.error(
        { file, fault: messageOf(error) },
        'the rules of the configuration file are wrong; those from before hold on',
      );
    }
  }
}
