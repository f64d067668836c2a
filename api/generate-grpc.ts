import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const protoDir = fileURLToPath(new URL('proto', import.meta.url));
const healthDir = fileURLToPath(new URL('../node_modules/grpc-health-check/proto', import.meta.url));
const plugin = fileURLToPath(new URL('../node_modules/.bin/protoc-gen-ts_proto', import.meta.url));

/** Where the generated files stand in the sources. */
export const generatedDir = fileURLToPath(new URL('src/grpc/generated', import.meta.url));

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
  'outputServices=grpc-js',
  'useExactTypes=false',
  // In an object, a metric named `__proto__` would vanish.
  'useMapType=true',
];

/** Generates types, codecs and services of all proto files, and their descriptors for reflection, by `protoc` and ts-proto. */
export async function generateGrpc(targetDir: string): Promise<void> {
  const files = (await readdir(protoDir, { recursive: true })).filter((name) => name.endsWith('.proto'));
  await rm(targetDir, { recursive: true, force: true });
  await mkdir(targetDir, { recursive: true });
  const workDir = await mkdtemp(join(tmpdir(), 'tidemark-proto-'));
  try {
    const descriptors = join(workDir, 'descriptors');
    await run('protoc', [
      `--plugin=protoc-gen-ts_proto=${plugin}`,
      `--ts_proto_out=${targetDir}`,
      `--ts_proto_opt=${options.join(',')}`,
      `--descriptor_set_out=${descriptors}`,
      '--include_imports',
      '-I',
      protoDir,
      ...files.sort(),
    ]);
    const own = await readFile(descriptors);
    await run('protoc', [`--descriptor_set_out=${descriptors}`, '-I', healthDir, 'health/v1/health.proto']);
    // Two sets behind each other are one: their files are a repeated field.
    const all = Buffer.concat([own, await readFile(descriptors)]);
    await writeFile(join(targetDir, 'descriptors.ts'), descriptorsModule(all));
  } finally {
    await rm(workDir, { recursive: true });
  }
}

function descriptorsModule(descriptors: Buffer): string {
  return [
    '/** A google.protobuf.FileDescriptorSet of all proto files, in base64. */',
    `export const descriptorSet =\n  '${descriptors.toString('base64')}';`,
    '',
  ].join('\n');
}

if (import.meta.main) await generateGrpc(generatedDir);
