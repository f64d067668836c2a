import { expect, test } from 'vitest';
import { type BackupPart, backupEnd, backupHeader, decodeBackup, encodeBackupFile } from './backup-format.ts';

const files: Record<string, string> = {
  'meta.db': 'control\n{"data":1}\n',
  'spool/0000000000000032.seg': '',
  'store/store.duckdb': 'points'.repeat(500),
};

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
}

async function encoded(contents = files): Promise<string> {
  let text = String(backupHeader('2026-05-01T12:00:00Z'));
  for (const [path, content] of Object.entries(contents))
    for await (const chunk of encodeBackupFile({ path, bytes: content.length }, pieces(content, 100)))
      text += String(Buffer.from(chunk));
  return text + String(backupEnd(Object.keys(contents).length));
}

async function decoded(text: string, size: number): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  let path = '';
  let last: BackupPart | undefined;
  for await (const part of decodeBackup(pieces(text, size))) {
    last = part;
    if (part.kind === 'file') {
      ({ path } = part.file);
      found[path] = '';
    } else if (part.kind === 'data') found[path] += String(Buffer.from(part.data));
  }
  expect(last).toEqual({ kind: 'end', files: Object.keys(found).length });
  return found;
}

test.each([1, 7, 4096])('gives back what it was made of, in pieces of %i bytes', async (size) => {
  expect(await decoded(await encoded(), size)).toEqual(files);
});

test('is refused when it is cut off anywhere', async () => {
  const text = await encoded();
  for (let length = 0; length < text.length; length += 13)
    await expect(decoded(text.slice(0, length), 500)).rejects.toMatchObject({ code: 'store_damaged' });
});

test('is refused when a byte has changed', async () => {
  const text = await encoded();
  const at = text.indexOf('pointspoints') + 1;
  const changed = `${text.slice(0, at)}0${text.slice(at + 1)}`;
  await expect(decoded(changed, 500)).rejects.toThrow('store/store.duckdb is not what it was');
});

test('is refused when it is of a newer version, holds other files, or is none', async () => {
  const text = await encoded();
  await expect(decoded(text.replace('"version":1', '"version":2'), 500)).rejects.toMatchObject({
    code: 'store_newer',
  });
  for (const path of ['../meta.db', '/etc/passwd', 'spool/../../x', 'secrets'])
    await expect(decoded(await encoded({ [path]: 'x' }), 500)).rejects.toThrow(/no file of a backup/);
  for (const other of ['', '\n', '{}\n', 'x'.repeat(10_000)])
    await expect(decoded(other, 500)).rejects.toMatchObject({ code: 'store_damaged' });
});

test('is not made of a file that gives other than its length', async () => {
  const source = encodeBackupFile({ path: 'meta.db', bytes: 5 }, pieces('four', 4));
  const read = async () => {
    for await (const _ of source);
  };
  await expect(read()).rejects.toThrow('meta.db gave 4 of 5 bytes');
});
