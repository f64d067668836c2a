import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const protoDir = fileURLToPath(new URL('proto', import.meta.url));
const plugin = fileURLToPath(new URL('../node_modules/.bin/protoc-gen-ts_proto', import.meta.url));

/** Where the generated file stands in the sources. */
export const sparkplugDir = fileURLToPath(new URL('src/decoders/sparkplug/generated', import.meta.url));

const options = [
  'annotateFilesWithVersion=false',
  'enumsAsLiterals=true',
  'env=node',
  'esModuleInterop=true',
  'exportCommonSymbols=false',
  'forceLong=bigint',
  'importSuffix=.ts',
  'oneof=unions-value',
  'outputJsonMethods=false',
  'outputPartialMethods=false',
  'useExactTypes=false',
];

/** Generates types and codec of the payload of Sparkplug B, by `protoc` and ts-proto. */
export async function generateSparkplug(targetDir: string): Promise<void> {
  await mkdir(targetDir, { recursive: true });
  await run('protoc', [
    `--plugin=protoc-gen-ts_proto=${plugin}`,
    `--ts_proto_out=${targetDir}`,
    `--ts_proto_opt=${options.join(',')}`,
    '-I',
    protoDir,
    'sparkplug_b.proto',
  ]);
}

if (import.meta.main) await generateSparkplug(sparkplugDir);
