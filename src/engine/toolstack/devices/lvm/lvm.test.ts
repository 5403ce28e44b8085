/** LVM's commands as section 6.3 of the manual uses them, what they refuse, and snapshots that fill up. */
import { beforeEach, describe, expect, it } from 'vitest';
import { CHUNK_BYTES } from '../../../storage/chunk-store.ts';
import { MemoryChunkStore } from '../../../storage/memory-chunk-store.ts';
import { VolumePool } from '../../../storage/volume-pool.ts';
import type { Command } from '../../command.ts';
import { CancellationSource, Interrupted } from '../../services.ts';
import { HardDisks } from '../hard-disks.ts';
import { volumeTools } from '../volume-tools.ts';
import { VolumeGroups } from './volume-groups.ts';

let store: MemoryChunkStore;
let pool: VolumePool;
let tools: Command[];
let cancellation: CancellationSource;
const inUse = new Set<string>();

async function boot(): Promise<void> {
  pool = await VolumePool.open(store);
  tools = volumeTools({
    groups: VolumeGroups.open(pool),
    disks: await HardDisks.open(pool),
    isAttached: ({ name }) => inUse.has(`/dev/${name}`),
    isInUse: (device) => inUse.has(device),
    random: (bytes) => new Uint8Array(bytes).fill(5),
  });
}

beforeEach(async () => {
  store = new MemoryChunkStore();
  inUse.clear();
  cancellation = new CancellationSource();
  await boot();
});

async function run(line: string, stdin?: string): Promise<{ status: number; text: string }> {
  const [name, ...words] = line.split(' ');
  let text = '';
  const say = (part: string): void => {
    text += part;
  };
  const io = { out: say, error: say, stdin, directory: '/', cancellation, terminal: undefined, progress: say };
  const status = await tools.find((tool) => tool.name === name)!.run(words, io);
  return { status, text };
}

async function succeeds(line: string): Promise<string> {
  const { status, text } = await run(line);
  expect(status, `${line}: ${text}`).toBe(0);
  return text;
}

const fill = async (name: string, chunks: number, value: number): Promise<void> => {
  const volume = pool.volume(name)!;
  for (let n = 0; n < chunks; n += 1) await volume.write((n * CHUNK_BYTES) / 512, new Uint8Array(CHUNK_BYTES).fill(value));
  await volume.flush();
};

const group = async (): Promise<void> => {
  await succeeds('pvcreate /dev/sda10');
  await succeeds('vgcreate vg /dev/sda10');
};

describe('volume groups', () => {
  it('come from partitions of the machine and are kept', async () => {
    expect((await run('vgcreate vg /dev/sda10')).text).toContain('not identified as an existing physical volume');
    await group();
    await succeeds('lvcreate -L4096M -n myvmdisk1 vg');
    await boot();
    expect(await succeeds('vgs')).toMatch(
      /^ {2}VG #PV #LV #SN Attr {3}VSize {2}VFree *\n {2}vg 1 {3}1 {3}0 {3}wz--n- 41\.99G 37\.99G/m,
    );
    expect(await succeeds('pvs')).toMatch(/\/dev\/sda10 vg lvm2 a- +41\.99G 37\.99G/);
    expect(await succeeds('vgdisplay vg')).toMatch(/Alloc PE \/ Size +1024 \/ 4\.00 GB/);
    expect(await succeeds('pvdisplay')).toMatch(/Allocated PE +1024\n/);
    expect(await succeeds('lvdisplay /dev/vg/myvmdisk1')).toMatch(/LV Size +4\.00 GB\n +Current LE +1024\n/);
  });

  it.each([
    ['pvcreate /dev/sdz1', 5, 'Device /dev/sdz1 not found (or ignored by filtering).'],
    ['pvcreate /dev/sda10', 5, `Can't initialize physical volume "/dev/sda10" of volume group "vg" without -ff`],
    ['pvcreate', 3, 'Please enter a physical volume path'],
    ['pvremove /dev/sda10', 5, 'PV /dev/sda10 belongs to Volume Group vg so please use vgreduce first.'],
    ['vgcreate vg /dev/sda9', 5, "A volume group called 'vg' already exists."],
    ['vgcreate other /dev/sda10', 5, "Physical volume '/dev/sda10' is already in volume group 'vg'"],
    ['vgextend nope /dev/sda9', 5, 'Volume group "nope" not found'],
    ['lvcreate -n a vg', 5, 'Please specify either size or extents'],
    ['lvcreate -L 100G -n a vg', 5, 'Volume group "vg" has insufficient free space (10750 extents): 25600 required.'],
    ['lvcreate -L 1G -n a nope', 5, 'Volume group "nope" not found'],
    ['lvcreate -L x -n a vg', 5, 'Invalid argument for size: x'],
    ['lvextend -L 1G vg/nope', 5, 'Failed to find logical volume "vg/nope"'],
    ['lvremove -f .disk/sda', 5, 'Failed to find logical volume ".disk/sda"'],
    ['vgremove vg -z', 3, 'option -z not recognized'],
  ])('%s: status %i', async (line, status, text) => {
    await group();
    const answer = await run(line);
    expect(answer.text).toContain(text);
    expect(answer.status).toBe(status);
  });

  it('grow, count percentages, and go with their volumes when that is confirmed', async () => {
    await group();
    await succeeds('pvcreate /dev/sda9');
    await succeeds('vgextend vg sda9');
    await succeeds('lvcreate -l 50%FREE -n half vg');
    await succeeds('lvextend -l +100%FREE vg/half');
    expect(await succeeds('vgs')).toMatch(/ 0 *\n$/);
    expect((await run('vgremove vg', 'n')).text).toContain('Volume group "vg" not removed');
    inUse.add('/dev/vg/half');
    expect((await run('vgremove -f vg')).status).toBe(5);
    inUse.clear();
    expect((await run('vgremove vg', 'y')).status).toBe(0);
    expect(pool.names()).toEqual([]);
    await succeeds('pvremove /dev/sda9 /dev/sda10');
    expect(await succeeds('pvs')).toBe('');
  });

  it('of machines from before have no limit', async () => {
    await pool.create('old/root', 64 * 1024 * 1024);
    expect(await succeeds('vgs')).toMatch(/ {2}old 0 {3}1 {3}0 {3}wz--n- - {5}-/);
    await succeeds('lvcreate -L 400G -n more old');
  });
});

describe('snapshots', () => {
  beforeEach(async () => {
    await group();
    await succeeds('lvcreate -L 64M -n disk vg');
    await fill('vg/disk', 8, 1);
    await succeeds('lvcreate -s -L 4M -n copy /dev/vg/disk');
  });

  it('fill up as origin and copy diverge, and are invalid when full', async () => {
    expect(await succeeds('dmsetup status vg-copy')).toBe('0 131072 snapshot 0/8192\n');
    await fill('vg/disk', 3, 2);
    await fill('vg/copy', 5, 3);
    expect(await succeeds('lvs')).toMatch(/copy vg swi-a- 4\.00M {2}disk {3}31\.25/);
    expect(await succeeds('dmsetup status')).toContain('vg-copy: 0 131072 snapshot 2560/8192\n');
    await succeeds('lvextend +4M /dev/vg/copy');
    await fill('vg/disk', 20, 4);
    expect(await succeeds('lvs')).toMatch(/copy vg swi-a- 8\.00M {2}disk {3}62\.50/);
    await fill('vg/disk', 33, 5);
    expect(await succeeds('lvs')).toMatch(/copy vg Swi-I- 8\.00M {2}disk {3}100\.00/);
    expect(await succeeds('dmsetup status vg-copy')).toBe('0 131072 snapshot Invalid\n');
    await boot();
    const bytes = new Uint8Array(512);
    await expect(pool.volume('vg/copy')!.read(0, bytes)).rejects.toMatchObject({ code: 'EIO' });
    await pool.volume('vg/disk')!.read(0, bytes);
    expect(bytes[0]).toBe(5);
    expect(await succeeds('lvremove -f vg/copy')).toContain('successfully removed');
  });

  it('can be waited for', async () => {
    const waiting = run('dmsetup wait vg-copy');
    await fill('vg/disk', 4, 2);
    expect((await waiting).status).toBe(0);
    expect(await succeeds('dmsetup info vg-copy')).toMatch(/Event number: +1\n/);
    const interrupted = run('dmsetup wait vg-copy');
    cancellation.cancel();
    await expect(interrupted).rejects.toThrow(Interrupted);
    expect((await run('dmsetup wait')).status).toBe(1);
  });

  it('go with their origin, which keeps its size while it has one', async () => {
    expect((await run('lvextend -L +4M vg/disk')).text).toContain('Snapshot origin volumes cannot be resized yet.');
    expect((await run('lvcreate -s -L 4M -n again vg/copy')).text).toContain('Snapshots of snapshots are not supported yet.');
    expect((await run('lvremove vg/disk', 'n')).status).toBe(5);
    await succeeds('lvremove -f /dev/mapper/vg-disk');
    expect(pool.names()).toEqual([]);
  });

  it('without a size need no space and never fill up', async () => {
    await succeeds('lvcreate -s -n clone vg/disk');
    await fill('vg/disk', 200, 9);
    const bytes = new Uint8Array(512);
    await pool.volume('vg/clone')!.read(0, bytes);
    expect(bytes[0]).toBe(1);
    expect(await succeeds('lvs')).toMatch(/clone vg -wi-a- 64\.00M/);
  });
});

describe('partition tables', () => {
  it('are shown, dumped, written and looked at again', async () => {
    expect(await succeeds('fdisk -l /dev/hda')).toMatch(/\/dev\/hda1 +\* +2048 +4196351 +4194304 +2G +83 Linux\n/);
    expect(await succeeds('fdisk -l')).toMatch(/\/dev\/sda10 .* 8e Linux LVM/);
    expect((await run('fdisk -l /dev/hdc')).status).toBe(1);
    const dumped = await succeeds('sfdisk -d /dev/hda');
    expect((await run('sfdisk /dev/hda', ',1G,L,*\n,512M,S\n,,V\n')).text).toContain('with 3 partitions');
    expect(await succeeds('fdisk -l /dev/hda')).toMatch(/hda2 +\d+ +\d+ +1048576 +512M +82 .*\n\/dev\/hda3 .* 8e/);
    await succeeds('pvcreate /dev/hda3');
    expect((await run('sfdisk /dev/hda', ',1G\n')).text).toContain('currently in use');
    await succeeds('pvremove /dev/hda3');
    expect((await run('sfdisk /dev/hda', dumped)).status).toBe(0);
    await boot();
    const shown = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('/dev/'));
    expect(shown(await succeeds('sfdisk -d /dev/hda'))).toEqual(shown(dumped));
    expect((await run('sfdisk /dev/hda', ',99G\n')).text).toContain('partition 1 does not fit');
    expect((await run('sfdisk /dev/hda', 'x\n')).text).toContain('"x" is no number');
  });
});
