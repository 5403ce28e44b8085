/**
 * e2fsck: finds what is inconsistent and repairs it, in the five passes and mostly in the words of e2fsck. Blocks that two files
 * claim and a root that is no directory are told, not repaired.
 */
import { SECTOR_BYTES, type DiskImage } from '../disk-image.ts';
import { PosixError } from '../mountable.ts';
import { CheckState } from './check/check-state.ts';
import { checkInodes } from './check/pass-inodes.ts';
import { checkCounts, checkLinks } from './check/pass-counts.ts';
import { checkConnectivity, checkDirectories } from './check/pass-directories.ts';
import { CheckReport, UnexpectedInconsistency, type CheckMode } from './check/report.ts';
import { ExtVolume, readSuperblockBytes, type Clock } from './ext-volume.ts';
import { INCOMPAT, STATE_ERROR, STATE_VALID, SUPERBLOCK_BYTES } from './layout.ts';
import { writeBackups } from './make-file-system.ts';
import { Mount, replayJournal } from './mount.ts';
import { decodeName } from './names.ts';
import { Superblock } from './superblock.ts';

export type { CheckMode } from './check/report.ts';

export interface CheckOptions {
  readonly mode: CheckMode;
  /** `-f`: also when the file system is marked clean. */
  readonly force: boolean;
  readonly now: Clock;
  /** Each line that e2fsck would print, without its end; may hold line breaks. */
  report(line: string): void;
}

export interface CheckResult {
  /** e2fsck's: 0 clean, 1 corrected, 4 left uncorrected, 8 the check itself failed. */
  readonly exitCode: number;
  readonly fixed: number;
  readonly left: number;
  readonly modified: boolean;
}

const FIXED = 1;
const LEFT = 4;
const FAILED = 8;
/** Repairs that change what came before start anew, so often. */
const MAX_ROUNDS = 10;

/** Durable when it resolves. Rejects only with errors of the disk. */
export async function checkFileSystem(disk: DiskImage, options: CheckOptions): Promise<CheckResult> {
  const report = new CheckReport(options.mode, (line) => options.report(line));
  try {
    return await check(disk, options, report);
  } catch (error) {
    if (error instanceof UnexpectedInconsistency) {
      report.say('\nUNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.\n\t(i.e., without -a or -p options)');
      return { exitCode: LEFT, fixed: report.fixed, left: report.left, modified: report.fixed > 0 };
    }
    if (!(error instanceof PosixError)) throw error;
    report.say(`${error.message}.`);
    return {
      exitCode: FAILED | (report.left > 0 ? LEFT : 0),
      fixed: report.fixed,
      left: report.left + 1,
      modified: report.fixed > 0,
    };
  }
}

async function check(disk: DiskImage, options: CheckOptions, report: CheckReport): Promise<CheckResult> {
  const { mode, now } = options;
  await checkSuperblock(disk, report);
  let volume = await ExtVolume.load(disk, now, true);
  checkDescriptors(volume, report);
  if (volume.superblock.hasIncompat(INCOMPAT.RECOVER)) {
    if (mode === 'no') {
      report.say('Warning: skipping journal recovery because doing a read-only filesystem check.');
      report.left += 1;
    } else {
      report.say(`${labelOf(volume)}: recovering journal`);
      await volume.writeBack();
      await replayJournal(new Mount(volume, false));
      report.fixed += 1;
      volume = await ExtVolume.load(disk, now, true);
      checkDescriptors(volume, report);
    }
  }
  const strange = volume.superblock.unsupported(true);
  if (strange.length > 0 && mode !== 'no')
    throw new PosixError('ENOTSUP', `the file system has unsupported features: ${strange.join(' ')}`);
  const { state } = volume.superblock;
  if (
    !options.force &&
    report.fixed === 0 &&
    (state & STATE_VALID) !== 0 &&
    (state & STATE_ERROR) === 0 &&
    volume.superblock.lastOrphan === 0
  ) {
    report.say(`${labelOf(volume)}: clean, ${usage(volume)}`);
    return { exitCode: 0, fixed: 0, left: 0, modified: false };
  }

  let checked = new CheckState(new Mount(volume, false), report);
  for (let round = 0; ; round += 1) {
    checkOrphanList(volume, report);
    await checkInodes(checked);
    if (!checked.restart) await checkDirectories(checked);
    if (!checked.restart) break;
    if (mode === 'no') break;
    if (round === MAX_ROUNDS) throw new PosixError('EUCLEAN', 'the check was begun anew too often');
    report.say('Restarting e2fsck from the beginning...');
    await volume.writeBack();
    checked = new CheckState(new Mount(volume, false), report);
  }
  await checkConnectivity(checked);
  await checkLinks(checked);
  // What was connected may have taken blocks: the bitmaps are compared with what is in use now.
  await checkCounts(checked);

  const modified = report.fixed > 0;
  const { superblock: s } = volume;
  if (mode !== 'no') {
    const seconds = Number(now() / 1_000_000_000n);
    s.set32(0x40, seconds % 2 ** 32);
    s.bytes[0x277] = Math.floor(seconds / 2 ** 32);
    s.set16(0x34, 0);
    if (report.left === 0) s.state = STATE_VALID;
    else s.state &= ~STATE_VALID;
    volume.superblockDirty = true;
    await volume.writeBack();
    if (modified) await writeBackups(volume);
    await disk.flush();
  }
  if (modified) report.say(`\n${labelOf(volume)}: ***** FILE SYSTEM WAS MODIFIED *****`);
  if (report.left > 0) report.say(`\n${labelOf(volume)}: ********** WARNING: Filesystem still has errors **********\n`);
  const percent = checked.files === 0 ? 0 : (100 * checked.fragmented) / (s.inodes - s.freeInodes || 1);
  report.say(
    `${labelOf(volume)}: ${s.inodes - s.freeInodes}/${s.inodes} files (${percent.toFixed(1)}% non-contiguous), ${s.blocks - s.freeBlocks}/${s.blocks} blocks`,
  );
  return { exitCode: (modified ? FIXED : 0) | (report.left > 0 ? LEFT : 0), fixed: report.fixed, left: report.left, modified };
}

function labelOf(volume: ExtVolume): string {
  const { label } = volume.superblock;
  const end = label.indexOf(0);
  return decodeName(label.subarray(0, end < 0 ? 16 : end)) || 'file system';
}
function usage(volume: ExtVolume): string {
  const { superblock: s } = volume;
  return `${s.inodes - s.freeInodes}/${s.inodes} files, ${s.blocks - s.freeBlocks}/${s.blocks} blocks`;
}

/** Takes a copy where the superblock itself cannot be used. */
async function checkSuperblock(disk: DiskImage, report: CheckReport): Promise<void> {
  const diskBytes = disk.sectors * SECTOR_BYTES;
  let fault: unknown;
  try {
    Superblock.parse(await readSuperblockBytes(disk), diskBytes);
    return;
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
    fault = error;
  }
  for (const [block, blockBytes] of [
    [8193, 1024],
    [16384, 2048],
    [32768, 4096],
  ] as const) {
    const at = block * blockBytes;
    if (at + 4096 > diskBytes) continue;
    const bytes = new Uint8Array(4096);
    await disk.read(at / SECTOR_BYTES, bytes);
    const copy = bytes.slice(0, SUPERBLOCK_BYTES);
    try {
      const superblock = Superblock.parse(copy, diskBytes);
      if (superblock.blockBytes !== blockBytes) continue;
      report.say('Superblock invalid, trying backup blocks...');
      if (!report.ask('Superblock is damaged; a copy is whole.', 'Fix')) break;
      superblock.set16(0x5a, 0);
      superblock.state &= ~STATE_VALID;
      superblock.seal();
      const start = new Uint8Array(4096);
      await disk.read(0, start);
      start.set(superblock.bytes, 1024);
      await disk.write(0, start);
      return;
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
    }
  }
  throw fault;
}

function checkDescriptors(volume: ExtVolume, report: CheckReport): void {
  const { superblock: s, groups } = volume;
  for (let group = 0; group < s.groups; group += 1) {
    const fault = volume.descriptorFault(group);
    if (fault !== undefined) throw new PosixError('EUCLEAN', `${fault}; group descriptors are not repaired here`);
    if (!groups.checksumIsRight(group) && report.ask(`Group descriptor ${group} checksum is wrong.`, 'Fix', true))
      volume.groupChanged(group);
  }
}

/** After a check nothing is half deleted: what was is found by its links. */
function checkOrphanList(volume: ExtVolume, report: CheckReport): void {
  const { superblock: s } = volume;
  if (s.lastOrphan === 0) return;
  if (!report.ask(`Inodes that were part of a corrupted orphan linked list found (first ${s.lastOrphan}).`, 'Fix', true)) return;
  s.lastOrphan = 0;
  volume.superblockDirty = true;
}
