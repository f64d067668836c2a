import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { SystemCall } from '../../support/strace-log.ts';
import { type Chance, FileNode, FolderNode } from './nodes.ts';

/** Every call that changes a file or makes a change stable, or that could do so past this model. */
export const tracedCalls = [
  ...['openat', 'open', 'creat', 'close', 'dup', 'dup2', 'dup3', 'lseek', 'mmap'],
  ...['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendfile', 'copy_file_range', 'fallocate'],
  ...['fsync', 'fdatasync', 'sync_file_range', 'ftruncate', 'truncate'],
  ...['rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'rmdir', 'mkdir', 'mkdirat', 'link', 'linkat'],
];

interface Descriptor {
  node: FileNode | FolderNode;
  position: number;
  isAppending: boolean;
}

const nameCalls = ['rename', 'unlink', 'rmdir', 'mkdir'];

/** SQLite's index of its log is memory that all its connections share: it is made anew after a crash. */
const mappedSuffix = '-shm';

/**
 * A folder on a disk whose power fails. It follows the system calls of a process and its children, and knows of
 * every file and every name what is on stable storage: what an fsync covered that began after the change had
 * returned, and of a name only what an fsync of its folder covered. A call it does not understand is an error.
 */
export class Disk {
  readonly #root: string;
  readonly #tree = new FolderNode();
  /** By number and path: processes that run at the same time each count from zero. */
  readonly #descriptors = new Map<string, Descriptor>();
  /** Files that a call was at work on when the process ended: what it did of it is unknown. */
  readonly #unfinished = new Map<SystemCall, string[]>();

  /** Calls of fsync and fdatasync that failed. */
  failedSyncs = 0;
  /** Files that were synced again by the process that had seen it fail. */
  readonly syncedAgain: string[] = [];
  /** Files of which a later process synced, and did not write again, what was lost. */
  readonly falselySynced: string[] = [];
  readonly #failed = new Set<FileNode>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Takes a call in, once as it begins and, if that was not all, once as it ends. */
  see(call: SystemCall): void {
    const isBegin = call.end === call.start;
    if (call.name === 'close') {
      // Another thread may be given the number before this call is seen to end.
      if (isBegin) this.#descriptors.delete(keyOf(call));
      return;
    }
    if (Number.isNaN(call.result)) {
      const isNaming = ['openat', ...nameCalls].includes(call.name);
      this.#unfinished.set(call, isNaming ? call.strings.map(String) : [call.file]);
      return;
    }
    this.#unfinished.delete(call);
    if (call.result < 0) {
      if (call.name === 'fsync' || call.name === 'fdatasync') this.#failSync(call);
      return;
    }
    if (call.name === 'openat') this.#openFile(call);
    else if (nameCalls.includes(call.name)) this.#changeNames(call);
    else if (this.#isInside(call.file)) this.#useDescriptor(call);
    else if (!Number.isNaN(call.descriptor)) return;
    else if (call.strings.some((path) => this.#isInside(path.toString()))) throw new Error(unknown(call));
  }

  /** Throws when the folder does not look as this model has it: then the model missed something. */
  async assertSame(): Promise<void> {
    const expected = new Map(filesOf(this.#tree, this.#root));
    const names = (await readdir(this.#root, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    const found = names.map((entry) => join(entry.parentPath, entry.name));
    const unfinished = new Set([...this.#unfinished.values()].flat());
    for (const path of new Set([...found, ...expected.keys()])) {
      if (path.endsWith(mappedSuffix) || unfinished.has(path)) continue;
      const content = await readFile(path).catch(() => undefined);
      if (content === undefined || !expected.get(path)?.content.equals(content))
        throw new Error(`the model of the disk is wrong about ${path}`);
    }
  }

  /** Cuts the power: rebuilds the folder from what is stable, and what else survives. The process has ended. */
  async cut(survives: Chance): Promise<void> {
    this.#tree.cut(survives);
    this.restart();
    await rm(this.#root, { recursive: true });
    await writeTree(this.#tree, this.#root);
  }

  #isInside(path: string): boolean {
    return path === this.#root || path.startsWith(this.#root + sep);
  }

  #openFile(call: SystemCall): void {
    const path = call.strings[0]!.toString();
    if (!this.#isInside(path)) return;
    const flags = /O_[A-Z_|]+/.exec(call.text)?.[0].split('|') ?? [];
    if (flags.some((flag) => ['O_SYNC', 'O_DSYNC', 'O_TMPFILE'].includes(flag)))
      throw new Error(unknown(call));
    let node = this.#find(path);
    if (node === undefined) {
      if (!flags.includes('O_CREAT')) throw new Error(`${path} is not known to be there`);
      node = new FileNode();
      this.#folderOf(path).change(call.end, [[basename(path), node]]);
    } else if (node instanceof FileNode && flags.includes('O_TRUNC')) node.truncate(call.end, 0);
    const isAppending = flags.includes('O_APPEND');
    this.#descriptors.set(`${call.result} ${path}`, { node, position: 0, isAppending });
  }

  #changeNames(call: SystemCall): void {
    const [from, to] = call.strings.map(String) as [string, string | undefined];
    if (!this.#isInside(from)) return;
    const folder = this.#folderOf(from);
    if (call.name === 'mkdir') folder.change(call.end, [[basename(from), new FolderNode()]]);
    else if (to === undefined) folder.change(call.end, [[basename(from), undefined]]);
    else if (dirname(to) === dirname(from))
      folder.change(call.end, [
        [basename(from), undefined],
        [basename(to), this.#find(from)],
      ]);
    else {
      this.#folderOf(to).change(call.end, [[basename(to), this.#find(from)]]);
      folder.change(call.end, [[basename(from), undefined]]);
    }
  }

  #useDescriptor(call: SystemCall): void {
    const descriptor = this.#descriptors.get(keyOf(call));
    if (call.name === 'mmap') return;
    if (!descriptor) throw new Error(`${call.file} was opened out of sight`);
    const { node } = descriptor;
    if (call.name === 'fsync' || call.name === 'fdatasync') {
      const isTrue = node.sync(call.start);
      if (node instanceof FileNode && this.#failed.has(node)) this.syncedAgain.push(call.file);
      else if (!isTrue) this.falselySynced.push(call.file);
    } else if (node instanceof FolderNode) throw new Error(unknown(call));
    else if (call.name === 'lseek') descriptor.position = call.result;
    else if (call.name === 'ftruncate') node.truncate(call.end, numberAfterDescriptor(call));
    else if (['write', 'writev', 'pwrite64'].includes(call.name)) write(call, descriptor, node);
    else throw new Error(unknown(call));
  }

  /** The kernel tells of a write that failed once, and takes the pages for clean: a later fsync says nothing. */
  #failSync(call: SystemCall): void {
    const node = this.#descriptors.get(keyOf(call))?.node;
    if (!node) return;
    this.failedSyncs++;
    node.lose(call.start);
    if (node instanceof FileNode) this.#failed.add(node);
  }

  /** The process has ended: the next knows nothing of what failed. */
  restart(): void {
    this.#failed.clear();
    this.#descriptors.clear();
    this.#unfinished.clear();
  }

  #find(path: string): FileNode | FolderNode | undefined {
    let node: FileNode | FolderNode | undefined = this.#tree;
    for (const name of relative(this.#root, path)
      .split(sep)
      .filter((part) => part !== '')) {
      node = node instanceof FolderNode ? node.entries.get(name) : undefined;
    }
    return node;
  }

  #folderOf(path: string): FolderNode {
    const folder = this.#find(dirname(path));
    if (folder instanceof FolderNode) return folder;
    throw new Error(`the folder of ${path} is not known to be there`);
  }
}

function keyOf({ descriptor, file }: SystemCall): string {
  return `${descriptor} ${file}`;
}

function write(call: SystemCall, descriptor: Descriptor, node: FileNode): void {
  const bytes = call.bytes.subarray(0, call.result);
  if (bytes.length < call.result) throw new Error(`the trace cuts off what was written to ${call.file}`);
  if (call.name === 'pwrite64') {
    node.write(call.end, Number(/, (\d+)(?:\)\s*= \d+| <unfinished \.\.\.>)$/.exec(call.text)![1]), bytes);
    return;
  }
  const offset = descriptor.isAppending ? node.sizeBytes : descriptor.position;
  node.write(call.end, offset, bytes);
  descriptor.position = offset + call.result;
}

function numberAfterDescriptor(call: SystemCall): number {
  return Number(/>(?:\(deleted\))?, (\d+)/.exec(call.text)![1]);
}

function unknown({ name, text }: SystemCall): string {
  return `the model of the disk does not know what ${name}(${text.slice(0, 100)} does`;
}

function* filesOf(folder: FolderNode, path: string): Generator<[string, FileNode]> {
  for (const [name, node] of folder.entries) {
    if (node instanceof FileNode) yield [join(path, name), node];
    else yield* filesOf(node, join(path, name));
  }
}

async function writeTree(folder: FolderNode, path: string): Promise<void> {
  await mkdir(path);
  for (const [name, node] of folder.entries) {
    if (node instanceof FileNode) await writeFile(join(path, name), node.content);
    else await writeTree(node, join(path, name));
  }
}
