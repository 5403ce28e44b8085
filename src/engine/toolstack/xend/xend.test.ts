import { beforeEach, describe, expect, it } from 'vitest';
import { decodeUtf8 } from '../../storage/utf8.ts';
import { settle } from '../testing/manual-clock.ts';
import { START_MS, ToolstackFixture } from '../testing/toolstack-fixture.ts';
import { formatLogTime } from './xend-log.ts';
import { civilDate } from '../../storage/civil-date.ts';

const UUID = '11111111-2222-3333-4444-555555555555';

/** The nodes of a domain as a real machine with Xen 4.17 shows them, without devices. */
const GOLDEN_TREE = `/local/domain/1/vm = "/vm/${UUID}"   (n0,r1)
/local/domain/1/name = "domu"   (n0,r1)
/local/domain/1/cpu = ""   (n0,r1)
/local/domain/1/cpu/0 = ""   (n0,r1)
/local/domain/1/cpu/0/availability = "online"   (n0,r1)
/local/domain/1/cpu/1 = ""   (n0,r1)
/local/domain/1/cpu/1/availability = "online"   (n0,r1)
/local/domain/1/cpu/2 = ""   (n0,r1)
/local/domain/1/cpu/2/availability = "offline"   (n0,r1)
/local/domain/1/cpu/3 = ""   (n0,r1)
/local/domain/1/cpu/3/availability = "offline"   (n0,r1)
/local/domain/1/memory = ""   (n0,r1)
/local/domain/1/memory/static-max = "327680"   (n0,r1)
/local/domain/1/memory/target = "262144"   (n0,r1)
/local/domain/1/memory/videoram = "0"   (n0,r1)
/local/domain/1/device = ""   (n0,r1)
/local/domain/1/device/suspend = ""   (n0,r1)
/local/domain/1/device/suspend/event-channel = ""   (n1)
/local/domain/1/control = ""   (n0,r1)
/local/domain/1/control/shutdown = ""   (n1)
/local/domain/1/control/feature-poweroff = ""   (n1)
/local/domain/1/control/feature-reboot = ""   (n1)
/local/domain/1/control/feature-suspend = ""   (n1)
/local/domain/1/control/sysrq = ""   (n1)
/local/domain/1/control/platform-feature-multiprocessor-suspend = "1"   (n0,r1)
/local/domain/1/control/platform-feature-xs_reset_watches = "1"   (n0,r1)
/local/domain/1/data = ""   (n1)
/local/domain/1/drivers = ""   (n1)
/local/domain/1/feature = ""   (n1)
/local/domain/1/attr = ""   (n1)
/local/domain/1/error = ""   (n1)
/local/domain/1/domid = "1"   (n0,r1)
/local/domain/1/store = ""   (n0,r1)
/local/domain/1/store/port = "1"   (n0,r1)
/local/domain/1/store/ring-ref = "1001"   (n0,r1)
/local/domain/1/console = ""   (n0,r1)
/local/domain/1/console/backend = "/local/domain/0/backend/console/1/0"   (n0,r1)
/local/domain/1/console/backend-id = "0"   (n1,r0)
/local/domain/1/console/limit = "1048576"   (n0,r1)
/local/domain/1/console/type = "xenconsoled"   (n0,r1)
/local/domain/1/console/output = "pty"   (n0,r1)
/local/domain/1/console/tty = "/dev/pts/1"   (n0,r1)
/local/domain/1/console/port = "2"   (n0,r1)
/local/domain/1/console/ring-ref = "2001"   (n0,r1)
`;

let stack: ToolstackFixture;
beforeEach(async () => {
  stack = await ToolstackFixture.make();
});

const log = async (): Promise<string> => {
  await stack.xend.log.settled();
  return decodeUtf8(await stack.files.readFile('/var/log/xend.log'));
};
const listed = (): string[] => stack.xend.domains().map((domain) => `${domain.domid} ${domain.name} ${domain.state}`);

describe('the store', () => {
  it('holds for a domain what a real machine shows', async () => {
    stack.configuration(
      'domu',
      'memory = 256',
      'maxmem = 320',
      'vcpus = 2',
      'maxvcpus = 4',
      `uuid = "${UUID}"`,
      'ramdisk = "/boot/initrd"',
    );
    expect((await stack.xm('create domu extra=quiet')).error).toBe('');
    expect(stack.tree('/local/domain/1')).toBe(GOLDEN_TREE);
    expect(stack.tree('/local/domain/0/backend/console')).toBe(
      `/local/domain/0/backend/console/1 = ""   (n0)
/local/domain/0/backend/console/1/0 = ""   (n0,r1)
/local/domain/0/backend/console/1/0/frontend = "/local/domain/1/console"   (n0,r1)
/local/domain/0/backend/console/1/0/frontend-id = "1"   (n0,r1)
/local/domain/0/backend/console/1/0/online = "1"   (n0,r1)
/local/domain/0/backend/console/1/0/state = "1"   (n0,r1)
/local/domain/0/backend/console/1/0/protocol = "vt100"   (n0,r1)
`,
    );
    expect(stack.tree('/vm')).toBe(
      `/vm/${UUID} = ""   (n0,r1)
/vm/${UUID}/name = "domu"   (n0,r1)
/vm/${UUID}/uuid = "${UUID}"   (n0,r1)
/vm/${UUID}/image = ""   (n0,r1)
/vm/${UUID}/image/ostype = "linux"   (n0,r1)
/vm/${UUID}/image/kernel = "/boot/vmlinuz"   (n0,r1)
/vm/${UUID}/image/ramdisk = "/boot/initrd"   (n0,r1)
/vm/${UUID}/image/cmdline = " quiet"   (n0,r1)
/vm/${UUID}/start_time = "${START_MS / 1000}.00"   (n0,r1)
`,
    );
    await stack.xm('destroy domu');
    expect(stack.store.list('/local/domain')).toEqual(['0']);
    expect([stack.store.list('/vm'), stack.store.list('/local/domain/0/backend/console')]).toEqual([[], []]);
  });

  it('describes domain 0', () => {
    expect(stack.store.read('/local/domain/0/name')).toBe('Domain-0');
    expect(stack.store.read('/local/domain/0/control/feature-poweroff')).toBe('1');
    expect(stack.store.read('/local/pool/0/name')).toBe('Pool-0');
  });
});

describe('a guest that stops', () => {
  const run = async (...lines: string[]): Promise<void> => {
    stack.configuration('vm', ...lines);
    expect((await stack.xm('create -q vm')).status).toBe(0);
  };
  const stop = async (domid: number, reason: 'poweroff' | 'reboot' | 'crash' | 'suspend'): Promise<void> => {
    stack.hypervisor.stop(domid, reason);
    await settle();
  };

  it('is destroyed after poweroff', async () => {
    await run();
    await stop(1, 'poweroff');
    expect(listed()).toEqual(['0 Domain-0 r-----']);
    expect(stack.daemonCalls).toEqual(['connect 1 vm', 'shutdown 1', 'disconnect 1']);
    expect(await log()).toContain('Domain has shutdown: name=vm id=1 reason=poweroff.');
  });

  it('comes back after a reboot: same name and uuid, new id, running', async () => {
    await run('vcpus = 2', 'on_poweroff = "preserve"');
    const { uuid } = stack.xend.find('vm');
    await stop(1, 'reboot');
    expect(listed()).toEqual(['0 Domain-0 r-----', '2 vm -b----']);
    expect(stack.xend.find('vm')).toMatchObject({ uuid, maxVcpus: 2 });
    expect(stack.store.read('/local/domain/2/vm')).toBe(`/vm/${uuid}`);
    expect(stack.store.list('/vm')).toEqual([uuid]);
  });

  it('stays when it is to be preserved, crashed ones with a c, until it is destroyed', async () => {
    await run('on_crash = "preserve"');
    await stop(1, 'crash');
    expect(listed()).toEqual(['0 Domain-0 r-----', '1 vm ---sc-']);
    expect(await log()).toContain('WARNING (XendDomainInfo) Domain has crashed: name=vm id=1.');
    await stack.xm('destroy vm');
    expect(listed()).toEqual(['0 Domain-0 r-----']);
  });

  it('makes room for its successor when it is to be renamed', async () => {
    await run('on_crash = "rename-restart"');
    const { uuid } = stack.xend.find('vm');
    await stop(1, 'crash');
    expect(listed()).toEqual(['0 Domain-0 r-----', '1 vm-1 ---sc-', '2 vm -b----']);
    expect(stack.xend.find('vm').uuid).toBe(uuid);
    expect(stack.store.read('/local/domain/1/name')).toBe('vm-1');
    expect(stack.store.read('/local/domain/1/vm')).toBe(`/vm/${stack.xend.find('vm-1').uuid}`);
  });

  it('is given up when it restarts too fast', async () => {
    await run();
    await stop(1, 'crash');
    await stack.clock.advance(19_000);
    await stop(2, 'crash');
    expect(listed()).toEqual(['0 Domain-0 r-----']);
    expect(await log()).toContain('VM vm restarting too fast (19.000000 seconds since the last restart).');
  });

  it('is restarted again when it lived long enough', async () => {
    await run();
    await stop(1, 'reboot');
    await stack.clock.advance(21_000);
    await stop(2, 'reboot');
    expect(listed()).toEqual(['0 Domain-0 r-----', '3 vm -b----']);
  });

  it('leaves nothing when the restart fails', async () => {
    await run();
    await stack.files.remove('/boot/vmlinuz');
    await stop(1, 'reboot');
    expect(listed()).toEqual(['0 Domain-0 r-----']);
    expect(stack.store.list('/vm')).toEqual([]);
    expect(await log()).toContain('Failed to restart domain vm (1): Kernel image does not exist: /boot/vmlinuz');
    expect((await stack.xm('create vm')).error).toBe('Error: Kernel image does not exist: /boot/vmlinuz\n');
  });

  it('is destroyed after a halt whatever on_poweroff says', async () => {
    await run('on_poweroff = "restart"');
    await stack.xm('shutdown -H vm');
    expect(stack.store.read('/local/domain/1/control/shutdown')).toBe('halt');
    await stop(1, 'poweroff');
    expect(listed()).toEqual(['0 Domain-0 r-----']);
  });

  it('is destroyed when it does not react to a request within 30 seconds', async () => {
    await run();
    await stack.xm('shutdown vm');
    await stack.clock.advance(20_000);
    await stack.xm('reboot vm');
    await stack.clock.advance(9_000);
    expect(listed()).toHaveLength(2);
    await stack.clock.advance(2_000);
    expect(listed()).toEqual(['0 Domain-0 r-----']);
    expect(await log()).toContain('Domain shutdown timeout expired: name=vm id=1');
  });

  it('has the limit lifted when it reacts', async () => {
    await run('on_reboot = "preserve"');
    await stack.xm('reboot vm');
    await stop(1, 'reboot');
    expect(stack.clock.pending).toBe(0);
    await stack.clock.advance(60_000);
    expect(listed()).toEqual(['0 Domain-0 r-----', '1 vm ---s--']);
  });
});

describe('the log', () => {
  it('is turned over at 1 MB', async () => {
    await stack.files.makeDirectory('/var/log', { recursive: true });
    await stack.files.writeFile('/var/log/xend.log', new Uint8Array(1_000_000));
    await stack.files.writeFile('/var/log/xend.log.1', new Uint8Array(5));
    stack.xend.log.write('INFO', 'one\nline', 'XendDomain');
    expect(await log()).toBe('[2026-11-23 12:00:00 xend.XendDomain] INFO (XendDomain) one line\n');
    expect((await stack.files.stat('/var/log/xend.log.1')).sizeBytes).toBe(1_000_000);
    expect((await stack.files.stat('/var/log/xend.log.2')).sizeBytes).toBe(5);
  });

  it.each([0, 951868799, 951782400, 1709164800, 4102444800, 1133791321])('dates second %d as the calendar does', (seconds) => {
    const date = new Date(seconds * 1000);
    expect(civilDate(Math.floor(seconds / 86400))).toEqual({
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
    });
    expect(formatLogTime(seconds * 1000)).toBe(date.toISOString().slice(0, 19).replace('T', ' '));
  });
});
