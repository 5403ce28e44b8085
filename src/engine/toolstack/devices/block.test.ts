import { beforeEach, describe, expect, it } from 'vitest';
import { planQcow2, writeQcow2 } from '../../images/qcow2/writer.ts';
import { joined } from '../../images/testing/decoders.ts';
import { CancellationSource } from '../services.ts';
import { ToolstackFixture } from '../testing/toolstack-fixture.ts';
import { blockSpecification } from './block-specification.ts';
import { HardDisks } from './hard-disks.ts';
import { VolumeGroups } from './lvm/volume-groups.ts';
import { volumeTools } from './volume-tools.ts';
import { virtualDeviceNumber } from './virtual-device.ts';

describe('numbers of virtual devices', () => {
  it.each<[string, number | undefined]>([
    ['sda', 2048],
    ['sda1', 2049],
    ['/dev/sda2', 2050],
    ['sdb', 2064],
    ['sda6', 2054],
    ['sdp15', 2303],
    ['sdq', 65 * 256],
    ['hda', 768],
    ['hda1', 769],
    ['hdb', 832],
    ['hdc', 5632],
    ['xvda', 51712],
    ['xvda1', 51713],
    ['xvdp', 51952],
    ['xvdq', 2 ** 28 + 16 * 256],
    ['xvdaa', 2 ** 28 + 26 * 256],
    ['0x801', 2049],
    ['sda16', undefined],
    ['sda0', undefined],
    ['hdu', undefined],
    ['vda', undefined],
    ['', undefined],
    ['sd', undefined],
  ])('%s is %s', (name, number) => {
    expect(virtualDeviceNumber(name)).toBe(number);
  });
});

describe('disk specifications', () => {
  it('know both classes, cdroms, and modes', () => {
    const of = (uname: string, dev: string, mode: string) =>
      blockSpecification(['vbd', ['uname', uname], ['dev', dev], ['mode', mode]]);
    expect(of('phy:/dev/vg/a', 'ioemu:hdc:cdrom', 'ro')).toEqual({
      deviceClass: 'vbd',
      id: 5632,
      device: 'hdc',
      deviceType: 'cdrom',
      type: 'phy',
      params: '/dev/vg/a',
      mode: 'r',
    });
    expect(of('tap:aio:/x', 'xvda', 'w!')).toMatchObject({ deviceClass: 'tap', type: 'tap', params: 'aio:/x', mode: 'w!' });
  });
});

describe('disks of a domain', () => {
  let stack: ToolstackFixture;
  beforeEach(async () => {
    stack = await ToolstackFixture.make();
    await stack.pool.create('vg/root', 1024 * 1024);
    await stack.files.writeFile('/root/image', new Uint8Array(64 * 1024));
  });

  it('are described to both ends before the guest runs, and gone after it', async () => {
    stack.configuration('vm', 'disk = ["phy:vg/root,xvda,w", "tap:aio:/root/image,xvdb,r"]');
    expect(await stack.xm('create vm')).toMatchObject({ error: '', status: 0 });
    const tree = stack.tree('/local/domain/0/backend/vbd');
    expect(tree).toContain('/local/domain/0/backend/vbd/1/51712/params = "vg/root"   (n0,r1)');
    expect(tree).toContain('/local/domain/0/backend/vbd/1/51712/sectors = "2048"   (n0,r1)');
    expect(tree).toContain('/local/domain/0/backend/vbd/1/51712/state = "2"   (n0,r1)');
    expect(stack.tree('/local/domain/0/backend/tap')).toContain('51728/info = "4"');
    const front = stack.tree('/local/domain/1/device/vbd');
    expect(front).toContain('/local/domain/1/device/vbd/51712/backend = "/local/domain/0/backend/vbd/1/51712"   (n1,r0)');
    expect(front).toContain('/local/domain/1/device/vbd/51728/backend = "/local/domain/0/backend/tap/1/51728"   (n1,r0)');
    expect(front).toContain('/local/domain/1/device/vbd/51712/state = "1"   (n1,r0)');
    expect((await stack.xm('block-list vm')).out).toBe(
      'Vdev  BE handle state evt-ch ring-ref BE-path\n' +
        '51712    0    0     1      -1     -1    /local/domain/0/backend/vbd/1/51712  \n' +
        '51728    0    0     1      -1     -1    /local/domain/0/backend/tap/1/51728  \n',
    );
    await stack.xm('destroy vm');
    expect(stack.store.exists('/local/domain/0/backend/vbd/1')).toBe(false);
    expect(stack.store.exists('/local/domain/0/backend/tap/1')).toBe(false);
    expect((await stack.xm('create vm')).status).toBe(0);
  });

  it.each<[string, string, string]>([
    ['w', 'w', 'and so cannot be mounted now.'],
    ['w', 'r', 'Device /dev/vg/root is mounted read-write in a guest domain,\nand so cannot be mounted read-only now.'],
    ['r', 'w', 'Device /dev/vg/root is mounted in a guest domain,\nand so cannot be mounted now.'],
    ['r', 'r', ''],
    ['w', 'w!', ''],
  ])('used %s are refused or given to a second one %s', async (first, second, message) => {
    stack.configuration('one', `disk = ["phy:vg/root,xvda,${first}"]`, 'memory = 32');
    stack.configuration('two', `disk = ["phy:/dev/vg/root,xvda,${second}"]`, 'memory = 32');
    await stack.xm('create one');
    const result = await stack.xm('create two');
    expect(result.status).toBe(message === '' ? 0 : 1);
    expect(result.error).toContain(message);
    if (message === '') return;
    expect(result.error).toMatch(/^Error: Device 51712 \(vbd\) could not be connected\.\n/);
    await stack.xm('destroy one');
    expect(await stack.xm('create two')).toMatchObject({ error: '', status: 0 });
  });

  it('are attached and detached while it runs', async () => {
    stack.configuration('vm');
    await stack.xm('create vm');
    expect(await stack.xm('block-attach vm phy:vg/root sda1 w')).toEqual({ out: '', error: '', status: 0 });
    expect((await stack.xm('block-attach vm phy:vg/root sda1 w')).error).toContain('Device 2049 (vbd) is already connected.');
    expect((await stack.xm('block-attach vm file:/nope xvdb w')).error).toContain('/nope does not exist.');
    expect(stack.store.exists('/local/domain/1/device/vbd/51728')).toBe(false);
    expect((await stack.xm('block-list vm')).out).toContain('2049 ');
    expect(await stack.xm('block-detach vm sda1')).toEqual({ out: '', error: '', status: 0 });
    expect((await stack.xm('block-list vm')).out).toBe('');
    expect((await stack.xm('block-detach vm sda1')).error).toContain('is not connected');
    expect((await stack.xm('block-attach vm phy:vg/root xvda w')).status).toBe(0);
  });

  it('can be qcow2 images, in files and on volumes, each for one writer', async () => {
    const nothing = { sizeBytes: 2 ** 20, nextData: async () => 2 ** 20, read: async () => undefined };
    const image = new Uint8Array(await joined(writeQcow2(nothing, await planQcow2(nothing, () => undefined))));
    await stack.files.writeFile('/root/disk.qcow2', image);
    await stack.pool.volume('vg/root')!.write(0, image);
    stack.configuration('vm', 'disk = ["tap:qcow2:/root/disk.qcow2,xvda,w", "tap:qcow:/root/disk.qcow2,xvdb,w!"]');
    expect((await stack.xm('create vm')).error).toBe(
      'Error: Device 51728 (tap) could not be connected.\nImage /root/disk.qcow2 is mounted in a guest domain,\nand so cannot be mounted now.\n',
    );
    stack.configuration('vm', 'disk = ["tap:qcow:/root/disk.qcow2,xvda,w"]');
    expect(await stack.xm('create vm')).toMatchObject({ error: '', status: 0 });
    expect(stack.tree('/local/domain/0/backend/tap')).toContain('51712/sectors = "2048"');
    for (const [source, reason] of [
      ['tap:qcow2:/root/image', 'this is not a qcow2 image'],
      ['tap:qcow2:/root/nofile', '/root/nofile does not exist.'],
      ['tap:qcow2:/root', '/root is neither a file nor a block device.'],
      ['tap:qcow2:/root/disk.qcow2', 'is mounted read-write in a guest domain'],
    ] as const)
      expect((await stack.xm(`block-attach vm ${source} xvdc r`)).error, source).toContain(reason);
    await stack.xm('destroy vm');
    stack.configuration('reader', 'disk = ["tap:qcow2:/root/disk.qcow2,xvda,r"]', 'memory = 32');
    expect(await stack.xm('create reader')).toMatchObject({ error: '', status: 0 });
  });

  it('in files that cannot be fetched are refused before the guest runs, and given later', async () => {
    const answers = [Promise.reject(new Error('the site answered 500 for it'))];
    answers[0]?.catch(() => undefined);
    const fetch = (): Promise<Uint8Array> => answers.shift() ?? Promise.resolve(new Uint8Array(4096));
    await stack.files.mountLazy('/root/site.img', { sizeBytes: 4096, fetch });
    stack.configuration('vm', 'disk = ["file:/root/site.img,xvda,w"]');
    expect((await stack.xm('create vm')).error).toBe(
      'Error: Device 51712 (vbd) could not be connected.\n/root/site.img cannot be read: the site answered 500 for it\n',
    );
    expect(await stack.xm('create vm')).toMatchObject({ error: '', status: 0 });
  });

  it('keep their volumes from being removed or cut', async () => {
    const tools = volumeTools({
      groups: VolumeGroups.open(stack.pool),
      disks: await HardDisks.open(stack.pool),
      isAttached: (volume) => stack.sources.isAttached(volume),
      isInUse: (device) => stack.sources.isInUse(device),
      random: (bytes) => new Uint8Array(bytes),
    });
    const run = async (words: string): Promise<[number, string]> => {
      let text = '';
      const [name, ...rest] = words.split(' ');
      const say = (line: string): void => {
        text += line;
      };
      const io = {
        out: say,
        error: say,
        stdin: undefined,
        directory: '/',
        cancellation: new CancellationSource(),
        terminal: undefined,
        progress: say,
      };
      return [await tools.find((tool) => tool.name === name)!.run(rest, io), text];
    };
    stack.configuration('vm', 'disk = ["phy:/dev/mapper/vg/root,xvda,w"]');
    await stack.xm('create vm');
    const used = '  Logical volume vg/root is used by a domain\n';
    expect(await run('lvextend -L 12M vg/root')).toEqual([0, expect.stringContaining('resized')]);
    expect(stack.store.read('/local/domain/0/backend/vbd/1/51712/sectors')).toBe('24576');
    expect(await run('lvremove -f vg/root')).toEqual([5, '  Can\'t remove open logical volume "root"\n']);
    expect(await run('lvreduce -f -L 8M vg/root')).toEqual([5, used]);
    await stack.xm('destroy vm');
    expect(await run('lvreduce -L 8M vg/root')).toEqual([5, expect.stringContaining('Logical volume root NOT reduced')]);
    expect(await run('lvreduce -f -L 8M vg/root')).toEqual([0, expect.stringContaining('Reducing logical volume root to 8.00 MB')]);
    expect(await run('lvremove -f vg/root')).toEqual([0, expect.stringContaining('successfully removed')]);
    expect(await run('lvcreate -L nothing -n a vg')).toEqual([5, '  Volume group "vg" not found\n']);
    expect(await run('lvcreate -L 1')).toEqual([3, expect.stringContaining('Usage')]);
  });

  it('that a guest will not let go stay, unless forced', async () => {
    stack.configuration('vm', 'disk = ["phy:vg/root,xvda,w"]');
    await stack.xm('create vm');
    stack.store.write('/local/domain/1/device/vbd/51712/state', '4');
    const refused = stack.xm('block-detach vm 51712');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(stack.store.read('/local/domain/0/backend/vbd/1/51712/online')).toBe('0');
    await stack.clock.advance(11_000);
    expect((await refused).error).toContain('the guest still uses it');
    expect((await stack.xm('block-list vm')).out).toContain('51712');
    expect((await stack.xm('block-detach -f vm xvda')).status).toBe(0);
    expect((await stack.xm('block-list vm')).out).toBe('');
  });

  it('in files change the file', async () => {
    const disk = await stack.sources.open({ frontDomid: 1, id: 51712, type: 'file', params: '/root/image', mode: 'w' });
    await disk.image.write(3, new Uint8Array(512).fill(7));
    expect((await stack.files.readFile('/root/image')).subarray(1535, 2049)).toEqual(
      Uint8Array.of(0, ...new Uint8Array(512).fill(7), 0),
    );
    await expect(disk.image.write(128, new Uint8Array(512))).rejects.toThrow(RangeError);
    await disk.close();
    const again = await stack.sources.open({ frontDomid: 1, id: 51712, type: 'file', params: '/root/image', mode: 'r' });
    await expect(again.image.write(0, new Uint8Array(512))).rejects.toMatchObject({ code: 'EROFS' });
  });

  it('in files appear as loop devices and respect the permissions', async () => {
    stack.configuration('vm', 'disk = ["file:/root/image,xvda,w"]');
    await stack.xm('create vm');
    expect(stack.store.read('/local/domain/0/backend/vbd/1/51712/node')).toBe('/dev/loop0');
    await stack.files.writeFile('/root/locked', new Uint8Array(512), 0o444);
    expect((await stack.xm('block-attach vm file:/root/locked xvdb w')).error).toContain('File /root/locked is read-only');
    expect((await stack.xm('block-attach vm file:/root/locked xvdb r')).status).toBe(0);
  });

  it('in files have as many loop devices as there are', async () => {
    const open = (n: number): Promise<unknown> =>
      stack.sources.open({ frontDomid: 1, id: 51712, type: 'file', params: `/root/image${n}`, mode: 'w' });
    for (let n = 0; n < 9; n += 1) await stack.files.writeFile(`/root/image${n}`, new Uint8Array(512));
    for (let n = 0; n < 8; n += 1) await open(n);
    await expect(open(8)).rejects.toThrow(/^Failed to find an unused loop device/);
    expect(stack.sources.loops.list().map(({ path }) => path)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((n) => `/root/image${n}`));
  });

  it('are kept apart from what domain 0 has mounted', async () => {
    const end = stack.sources.mounting('/dev/vg/root', true);
    const open = (mode: string): Promise<unknown> =>
      stack.sources.open({ frontDomid: 1, id: 51712, type: 'phy', params: 'vg/root', mode });
    await expect(open('w')).rejects.toThrow(
      'Device /dev/vg/root is mounted in the privileged domain,\nand so cannot be mounted by a guest.',
    );
    await expect(open('r')).rejects.toThrow(
      'Device /dev/vg/root is mounted read-write in the privileged domain,\nand so cannot be mounted read-only by a guest.',
    );
    end();
    await open('w');
    expect(() => stack.sources.mounting('/dev/vg/root', false)).toThrow('is in use by a guest domain');
  });
});
