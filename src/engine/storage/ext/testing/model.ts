/** A file system in plain objects, that random operations are done to as well as to a real one; the two must stay alike. */
import { PosixError, type MountableFileSystem } from '../../mountable.ts';

interface ModelNode {
  kind: 'file' | 'directory' | 'symlink' | 'fifo';
  mode: number;
  uid: number;
  links: number;
  bytes: Uint8Array;
  target: string;
  entries: Map<string, ModelNode>;
  inode: number;
}

/** A generator of numbers below 2^32 that a seed fixes. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

function node(kind: ModelNode['kind'], inode: number, mode: number, uid = 0): ModelNode {
  return { kind, mode, uid, links: kind === 'directory' ? 2 : 1, bytes: new Uint8Array(0), target: '', entries: new Map(), inode };
}

export class ModelDriver {
  readonly root: ModelNode;
  private readonly directories: ModelNode[];
  private files: ModelNode[] = [];
  readonly counts = new Map<string, number>();

  constructor(
    private readonly fs: MountableFileSystem,
    private readonly random: (below: number) => number,
    private readonly maxFileBytes: number,
  ) {
    this.root = node('directory', fs.root, 0o755);
    this.directories = [this.root];
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random(from.length)]!;
  }
  private bytes(length: number): Uint8Array {
    const start = this.random(251);
    return Uint8Array.from({ length }, (_, n) => (start + n * 7 + (n >>> 8)) & 0xff);
  }
  private name(): string {
    const kind = this.random(20);
    const base = `n${this.random(400)}`;
    return kind === 0
      ? base.padEnd(255, 'x')
      : kind === 1
        ? `ä${base}€`
        : kind === 2
          ? `${base}\udcff`
          : kind < 8
            ? base.padEnd(40, '-')
            : base;
  }

  /** One random operation; it must succeed or fail in both alike. */
  async step(): Promise<void> {
    const { fs, random } = this;
    const directory = this.pick(this.directories);
    const name = this.name();
    const there = directory.entries.get(name);
    const operation = random(100);
    if (operation < 30) {
      const kind = this.pick(['file', 'file', 'file', 'file', 'directory', 'symlink', 'fifo'] as const);
      const mode = this.pick([0o644, 0o755, 0o1777, 0o4711]);
      const target = kind === 'symlink' ? 't'.repeat(1 + this.pick([3, 58, 59, 60, 200])) : '';
      const uid = this.pick([0, 1000, 70000]);
      const expected = there === undefined ? undefined : 'EEXIST';
      let inode = 0;
      await this.expect('create', expected, async () => {
        inode = await fs.create(
          directory.inode,
          name,
          kind === 'symlink' ? { kind, mode, uid, gid: 5, target } : { kind, mode, uid, gid: 5 },
        );
      });
      if (expected !== undefined || inode === 0) return;
      const made = node(kind, inode, mode, uid);
      made.target = target;
      directory.entries.set(name, made);
      if (kind === 'directory') {
        directory.links += 1;
        this.directories.push(made);
      }
      if (kind === 'file') this.files.push(made);
    } else if (operation < 58 && this.files.length > 0) {
      const file = this.pick(this.files);
      const offset = random(4) === 0 ? random(this.maxFileBytes) : random(file.bytes.length + 3000);
      const bytes = this.bytes(1 + random(this.pick([50, 5000, 60000])));
      let written = 0;
      await this.expect('write', undefined, async () => {
        written = await fs.write(file.inode, offset, bytes);
      });
      if (written === 0) return;
      const end = offset + written;
      const grown = new Uint8Array(Math.max(file.bytes.length, end));
      grown.set(file.bytes);
      grown.set(bytes.subarray(0, written), offset);
      file.bytes = grown;
      if ((file.mode & 0o6000) !== 0) file.mode &= ~0o4000;
    } else if (operation < 66 && this.files.length > 0) {
      const file = this.pick(this.files);
      const size = random(2) === 0 ? random(file.bytes.length + 1) : random(this.maxFileBytes);
      await this.expect('truncate', undefined, () => fs.truncate(file.inode, size));
      const cut = new Uint8Array(size);
      cut.set(file.bytes.subarray(0, size));
      file.bytes = cut;
    } else if (operation < 76) {
      const expected = there === undefined ? 'ENOENT' : there.kind === 'directory' ? 'EISDIR' : undefined;
      await this.expect('unlink', expected, () => fs.unlink(directory.inode, name));
      if (expected !== undefined || there === undefined) return;
      directory.entries.delete(name);
      this.drop(there);
    } else if (operation < 81) {
      const expected =
        there === undefined ? 'ENOENT' : there.kind !== 'directory' ? 'ENOTDIR' : there.entries.size > 0 ? 'ENOTEMPTY' : undefined;
      await this.expect('rmdir', expected, () => fs.rmdir(directory.inode, name));
      if (expected !== undefined || there === undefined) return;
      directory.entries.delete(name);
      directory.links -= 1;
      this.directories.splice(this.directories.indexOf(there), 1);
    } else if (operation < 86 && this.files.length > 0) {
      const file = this.pick(this.files);
      const expected = there === undefined ? undefined : 'EEXIST';
      await this.expect('link', expected, () => fs.link(file.inode, directory.inode, name));
      if (expected !== undefined) return;
      directory.entries.set(name, file);
      file.links += 1;
    } else if (operation < 96) await this.rename(directory, name);
    else {
      const mode = this.pick([0o600, 0o4755, 0o700]);
      const target = this.pick(this.directories);
      await this.expect('chmod', undefined, () => fs.setAttributes(target.inode, { mode, uid: 123456 }));
      target.mode = mode;
      target.uid = 123456;
    }
  }

  private async rename(to: ModelNode, toName: string): Promise<void> {
    const from = this.pick(this.directories);
    const fromName = from.entries.size > 0 && this.random(10) > 0 ? this.pick([...from.entries.keys()]) : 'missing';
    const moved = from.entries.get(fromName);
    const there = to.entries.get(toName);
    let expected: string | undefined;
    if (moved === undefined) expected = 'ENOENT';
    else if (moved !== there) {
      if (moved.kind === 'directory' && to !== from && this.isBelow(to, moved)) expected = 'EINVAL';
      else if (there !== undefined && moved.kind === 'directory' && there.kind !== 'directory') expected = 'ENOTDIR';
      else if (there !== undefined && moved.kind !== 'directory' && there.kind === 'directory') expected = 'EISDIR';
      else if (there !== undefined && there.entries.size > 0) expected = 'ENOTEMPTY';
    }
    await this.expect('rename', expected, () => this.fs.rename(from.inode, fromName, to.inode, toName));
    if (expected !== undefined || moved === undefined || moved === there) return;
    from.entries.delete(fromName);
    to.entries.set(toName, moved);
    if (moved.kind === 'directory') {
      from.links -= 1;
      to.links += 1;
    }
    if (there === undefined) return;
    if (there.kind === 'directory') {
      to.links -= 1;
      this.directories.splice(this.directories.indexOf(there), 1);
    } else this.drop(there);
  }

  private isBelow(node: ModelNode, above: ModelNode): boolean {
    if (node === above) return true;
    return [...above.entries.values()].some((child) => child.kind === 'directory' && this.isBelow(node, child));
  }
  private drop(file: ModelNode): void {
    file.links -= 1;
    if (file.links === 0) this.files = this.files.filter((other) => other !== file);
  }

  /** No room is allowed to both: then nothing changed. */
  private async expect(what: string, code: string | undefined, call: () => Promise<void>): Promise<void> {
    let got: string | undefined;
    try {
      await call();
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      got = error.code;
    }
    if (got !== code) throw new Error(`${what} ended with ${got ?? 'success'}, the model with ${code ?? 'success'}`);
    const key = `${what} ${code ?? ''}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  /** Compares all with what `fs` has: throws with the first difference. */
  async compare(fs: MountableFileSystem): Promise<void> {
    await this.compareDirectory(fs, this.root, fs.root, '');
  }

  private async compareDirectory(fs: MountableFileSystem, model: ModelNode, inode: number, path: string): Promise<void> {
    const entries = (await fs.readDirectory(inode)).filter(
      ({ name }) => name !== '.' && name !== '..' && !(path === '' && name === 'lost+found'),
    );
    const names = entries.map(({ name }) => name).sort();
    const wanted = [...model.entries.keys()].sort();
    if (names.join('\n') !== wanted.join('\n'))
      throw new Error(`directory ${path}/: ${names.join(' ')} instead of ${wanted.join(' ')}`);
    for (const entry of entries) {
      const child = model.entries.get(entry.name)!;
      const at = `${path}/${entry.name}`;
      const status = await fs.stat(entry.inode);
      const links = child.links;
      if (status.kind !== child.kind || status.mode !== child.mode || status.uid !== child.uid || status.links !== links)
        throw new Error(
          `${at}: ${JSON.stringify(status, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))} instead of ${child.kind} ${child.mode} ${child.uid} ${links}`,
        );
      if ((await fs.lookup(inode, entry.name)) !== entry.inode) throw new Error(`${at} is not found by its name`);
      if (child.kind === 'directory') await this.compareDirectory(fs, child, entry.inode, at);
      if (child.kind === 'symlink' && (await fs.readLink(entry.inode)) !== child.target) throw new Error(`${at} points elsewhere`);
      if (child.kind !== 'file') continue;
      const bytes = new Uint8Array(status.sizeBytes);
      if (
        status.sizeBytes !== child.bytes.length ||
        (await fs.read(entry.inode, 0, bytes)) !== bytes.length ||
        Buffer.compare(bytes, child.bytes) !== 0
      )
        throw new Error(`${at} has other contents (${status.sizeBytes} bytes instead of ${child.bytes.length})`);
    }
  }
}
