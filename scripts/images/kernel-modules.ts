/**
 * Picks modules out of a kernel package with all they need, and writes the index files modprobe reads. What a module depends on
 * stands in its ELF section .modinfo as NUL-ended strings name=value: depends= (a list of module names), softdep=, alias=.
 * @see Documentation/kbuild/modules.rst and modules.dep(5)
 */
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';

export interface KernelModule {
  /** Name with underscores, as lsmod shows it. */
  readonly name: string;
  /** Path below /lib/modules/<release>. */
  readonly path: string;
  readonly depends: readonly string[];
  readonly aliases: readonly string[];
  readonly content: Uint8Array;
}

/** Values of one key in a module's .modinfo. */
export function modinfo(module: Uint8Array, key: string): string[] {
  const section = modinfoSection(module);
  const prefix = `${key}=`;
  return Buffer.from(section)
    .toString('latin1')
    .split('\0')
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length));
}

function modinfoSection(module: Uint8Array): Uint8Array {
  const view = new DataView(module.buffer, module.byteOffset, module.byteLength);
  if (module.length < 64 || view.getUint32(0) !== 0x7f454c46 || view.getUint8(4) !== 2)
    throw new Error('module: not a 64-bit ELF file');
  const sectionTable = Number(view.getBigUint64(0x28, true));
  const sectionBytes = view.getUint16(0x3a, true);
  const sectionCount = view.getUint16(0x3c, true);
  const namesIndex = view.getUint16(0x3e, true);
  const place = (index: number): { name: number; offset: number; bytes: number } => {
    const at = sectionTable + index * sectionBytes;
    return {
      name: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 0x18, true)),
      bytes: Number(view.getBigUint64(at + 0x20, true)),
    };
  };
  const names = place(namesIndex);
  const wanted = Buffer.from('.modinfo\0', 'latin1');
  for (let index = 0; index < sectionCount; index++) {
    const section = place(index);
    const start = names.offset + section.name;
    if (wanted.equals(module.subarray(start, start + wanted.length)))
      return module.subarray(section.offset, section.offset + section.bytes);
  }
  throw new Error('module: no .modinfo section');
}

/** "kernel/fs/ext4/ext4.ko" and "crc32c-intel" give "ext4" and "crc32c_intel". */
export function moduleName(path: string): string {
  const file = path.slice(path.lastIndexOf('/') + 1);
  return file.replace(/\.ko$/, '').replaceAll('-', '_');
}

/**
 * The named modules and everything they depend on, dependencies first. A name that is built into the kernel is left out;
 * one that does not exist at all is an error.
 * @param directory lib/modules/<release> of the unpacked package
 */
export function collectModules(directory: string, names: readonly string[]): KernelModule[] {
  const paths = new Map<string, string>();
  for (const entry of readdirSync(join(directory, 'kernel'), { recursive: true, encoding: 'utf8' })) {
    if (entry.endsWith('.ko')) paths.set(moduleName(entry), `kernel/${entry}`);
  }
  const builtinFile = join(directory, 'modules.builtin');
  const builtin = new Set(existsSync(builtinFile) ? readFileSync(builtinFile, 'utf8').split('\n').map(moduleName) : []);

  const collected = new Map<string, KernelModule>();
  const visit = (name: string, neededBy: string): void => {
    if (collected.has(name) || builtin.has(name)) return;
    const path = paths.get(name);
    if (path === undefined) throw new Error(`module ${name}, needed by ${neededBy}, is not in the kernel package`);
    const content = readFileSync(join(directory, path));
    const depends = modinfo(content, 'depends')
      .flatMap((list) => list.split(','))
      .filter((dependency) => dependency !== '')
      .map(moduleName);
    for (const dependency of depends) visit(dependency, name);
    collected.set(name, {
      name,
      path,
      depends: depends.filter((one) => !builtin.has(one)),
      aliases: modinfo(content, 'alias'),
      content,
    });
  };
  for (const name of names) visit(moduleName(name), 'the ramdisk');
  return [...collected.values()];
}

/** modules.dep: each module's path, then all it needs, the deepest last, as modprobe loads them from the end. */
export function modulesDep(modules: readonly KernelModule[]): string {
  const byName = new Map(modules.map((module) => [module.name, module]));
  const closure = (module: KernelModule, seen: Set<string>): string[] => {
    const direct = module.depends.flatMap((name) => byName.get(name) ?? []).filter((needed) => !seen.has(needed.name));
    for (const needed of direct) seen.add(needed.name);
    return [...direct.map((needed) => needed.path), ...direct.flatMap((needed) => closure(needed, seen))];
  };
  return modules
    .map(
      (module) =>
        `${module.path}:${closure(module, new Set([module.name]))
          .map((path) => ` ${path}`)
          .join('')}\n`,
    )
    .join('');
}

export function modulesAlias(modules: readonly KernelModule[]): string {
  return modules.flatMap((module) => module.aliases.map((alias) => `alias ${alias} ${module.name}\n`)).join('');
}
