/** cmp, md5sum, sha256sum: files of any size, read in pieces. */
import type { OpenFile } from '../../../engine/storage/file-system.ts';
import { resolvePath } from '../../../engine/storage/path.ts';
import { decodeUtf8 } from '../../../engine/storage/utf8.ts';
import type { Command, CommandIo } from '../../../engine/toolstack/command.ts';
import { Md5, Sha256, type Digest } from './digests.ts';
import { fileProgram, flag, humanSize, ProgramError, Progress, sentenceOf, type FileTools } from './file-program.ts';

const PIECE_BYTES = 1024 * 1024;

export function comparePrograms(tools: FileTools): Command[] {
  return [
    fileProgram({
      name: 'cmp',
      description: 'compare two files byte by byte',
      options: [flag('silent', '-s', '--quiet', '--silent')],
      usageStatus: 2,
      run: async (options, io) => {
        const [first, second] = options.operands;
        if (first === undefined || second === undefined) throw new ProgramError('say which two files to compare', 2);
        return compare(tools, [first, second], options.has('silent'), io);
      },
    }),
    sums(tools, 'md5sum', () => new Md5()),
    sums(tools, 'sha256sum', () => new Sha256()),
  ];
}

async function compare(
  { files, clock }: FileTools,
  names: readonly [string, string],
  silent: boolean,
  io: CommandIo,
): Promise<number> {
  const opened: OpenFile[] = [];
  try {
    for (const name of names) opened.push(await files.open(resolvePath(io.directory, name)));
    const [a, b] = opened;
    if (a === undefined || b === undefined) return 2;
    const progress = new Progress(io, clock);
    const [left, right] = [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)];
    let line = 1;
    for (let at = 0; ;) {
      progress.step(() => `${humanSize(at)} compared`);
      const [one, two] = [await a.read(at, left), await b.read(at, right)];
      const common = Math.min(one, two);
      const differs = left.subarray(0, common).findIndex((byte, index) => byte !== right[index]);
      for (const byte of left.subarray(0, differs < 0 ? common : differs)) if (byte === 0x0a) line += 1;
      if (differs >= 0) {
        if (!silent) io.out(`${names[0]} ${names[1]} differ: byte ${at + differs + 1}, line ${line}\n`);
        return 1;
      }
      at += common;
      if (one !== two) {
        if (!silent) io.error(`cmp: EOF on ${one < two ? names[0] : names[1]} after byte ${at}\n`);
        return 1;
      }
      if (one === 0) return 0;
    }
  } catch (error) {
    const text = sentenceOf(error);
    if (text === undefined) throw error;
    if (!silent) io.error(`cmp: ${text}\n`);
    return 2;
  } finally {
    for (const file of opened) await file.close();
  }
}

function sums(tools: FileTools, name: string, make: () => Digest): Command {
  const { files, clock } = tools;
  const ofFile = async (file: string, io: CommandIo, progress: Progress): Promise<string> => {
    const digest = make();
    const opened = await files.open(resolvePath(io.directory, file));
    try {
      const buffer = new Uint8Array(PIECE_BYTES);
      for (let at = 0; ;) {
        progress.step(() => `${file}: ${humanSize(at)}`);
        const count = await opened.read(at, buffer);
        if (count === 0) return digest.hex();
        digest.add(buffer.subarray(0, count));
        at += count;
      }
    } finally {
      await opened.close();
    }
  };
  const check = async (list: string, io: CommandIo, progress: Progress): Promise<number> => {
    let failed = 0;
    for (const line of decodeUtf8(await files.readFile(resolvePath(io.directory, list))).split('\n')) {
      const [, wanted, file] = /^([0-9a-f]+) [ *](.+)$/.exec(line) ?? [];
      if (wanted === undefined || file === undefined) continue;
      const right = (await ofFile(file, io, progress).catch(() => '')) === wanted;
      io.out(`${file}: ${right ? 'OK' : 'FAILED'}\n`);
      if (!right) failed += 1;
    }
    if (failed > 0) io.error(`${name}: WARNING: ${failed} computed checksum${failed === 1 ? '' : 's'} did NOT match\n`);
    return failed > 0 ? 1 : 0;
  };
  return fileProgram({
    name,
    description: `print or check ${name.replace('sum', '').toUpperCase()} sums`,
    options: [flag('check', '-c', '--check'), flag('binary', '-b', '--binary'), flag('text', '-t', '--text')],
    run: async (options, io) => {
      const progress = new Progress(io, clock);
      let status = 0;
      for (const file of options.operands.length > 0 ? options.operands : ['-']) {
        try {
          if (options.has('check')) status = Math.max(status, await check(file, io, progress));
          else if (file === '-') {
            const digest = make();
            digest.add(io.stdinBytes ?? new Uint8Array(0));
            io.out(`${digest.hex()}  -\n`);
          } else io.out(`${await ofFile(file, io, progress)}  ${file}\n`);
        } catch (error) {
          const text = sentenceOf(error);
          if (text === undefined) throw error;
          io.error(`${name}: ${text}\n`);
          status = 1;
        }
      }
      return status;
    },
  });
}
