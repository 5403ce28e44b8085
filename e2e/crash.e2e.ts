/** Guests that end otherwise than asked: what `xm dmesg` tells about a crash, and what on_poweroff, on_reboot and on_crash make of it. */
import { expect, sharedTest as test, type Machine } from './support/machine.ts';
import {
  endingKernel,
  loadAll,
  SHUTDOWN_CRASH,
  SHUTDOWN_POWEROFF,
  SHUTDOWN_REBOOT,
  tinyKernel,
  UD2,
  VIRT_BASE,
} from './support/tiny-kernel.ts';

const hex = (value: bigint): string => value.toString(16).padStart(16, '0');

/** Creates a domain from a kernel of a few instructions. */
async function createTiny(machine: Machine, kernel: Uint8Array, settings: Readonly<Record<string, string>>): Promise<void> {
  await machine.write('/root/tiny.elf', kernel);
  await machine.configure('tiny', { kernel: '/root/tiny.elf', memory: 16, extra: '', ...settings });
  await machine.run('xm create tiny');
}

test('a fault that nobody handles is reported with the registers the guest had', async ({ machine }) => {
  const before = await machine.holdings();
  const values = Object.fromEntries(
    ['rax', 'rbx', 'rcx', 'rdx', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'].map(
      (register, index) => [register, 0x0123456789abcd00n + BigInt(index * 0x1111)],
    ),
  );
  const code = loadAll(values);
  await createTiny(machine, tinyKernel([...code, ...UD2]), { on_crash: 'preserve' });
  await expect.poll(() => machine.state('tiny')).toBe('---sc-');

  const report = await machine.run('xm dmesg');
  const domid = (await machine.domains())[0]!.domid;
  expect(report).toContain(`(XEN) Domain ${domid} (vcpu#0) crashed:`);
  expect(report).toContain(`[<${hex(VIRT_BASE + BigInt(code.length))}>]`);
  for (const [register, value] of Object.entries(values)) expect(report).toMatch(new RegExp(`\\b${register}: ${hex(value)}\\b`));
  expect(await machine.text('xen')).toContain(`Domain ${domid} (vcpu#0) crashed:`);
  expect(await machine.run('xm log')).toContain(`Domain has crashed: name=tiny id=${domid}.`);
  // A crashed domain is kept as it is: it neither runs nor goes away by itself.
  expect(await machine.run('xm list -l tiny')).toMatch(/\(shutdown_reason crash\)/);
  await machine.run('xm destroy tiny');
  await machine.expectNothingLeft(before);
});

test('a guest that says it crashed is reported too', async ({ machine }) => {
  const before = await machine.holdings();
  await createTiny(machine, endingKernel(SHUTDOWN_CRASH), { on_crash: 'destroy' });
  await machine.expectNothingLeft(before);
  expect(await machine.run('xm dmesg')).toMatch(
    /\(XEN\) Domain (\d+) \(vcpu#0\) crashed:[^]*rdi: 0000000000000002[^]*Domain \1 shutdown: crash/,
  );
});

const ENDINGS: readonly [reason: number, event: string, action: string, state: string | undefined][] = [
  [SHUTDOWN_POWEROFF, 'on_poweroff', 'destroy', undefined],
  [SHUTDOWN_POWEROFF, 'on_poweroff', 'preserve', '---s--'],
  [SHUTDOWN_REBOOT, 'on_reboot', 'destroy', undefined],
  [SHUTDOWN_REBOOT, 'on_reboot', 'preserve', '---s--'],
  [SHUTDOWN_CRASH, 'on_crash', 'preserve', '---sc-'],
];

for (const [reason, event, action, state] of ENDINGS) {
  test(`${event} = '${action}' is honoured`, async ({ machine }) => {
    const before = await machine.holdings();
    await createTiny(machine, endingKernel(reason), { [event]: action });
    if (state !== undefined) {
      await expect.poll(() => machine.state('tiny')).toBe(state);
      await machine.run('xm destroy tiny');
    }
    await machine.expectNothingLeft(before);
  });
}

test("on_reboot = 'restart' makes the domain anew, but not for ever when it restarts too fast", async ({ machine }) => {
  const before = await machine.holdings();
  await createTiny(machine, endingKernel(SHUTDOWN_REBOOT), { on_reboot: 'restart' });
  await machine.expectNothingLeft(before);
  const log = await machine.run('xm log');
  expect(log).toMatch(/Domain tiny \((\d+)\) restarted as domain \d+\./);
  expect(log).toMatch(
    /VM tiny restarting too fast \([\d.]+ seconds since the last restart\)\. {2}Refusing to restart to avoid loops\./,
  );
});

test("on_crash = 'rename-restart' keeps the crashed domain under another name", async ({ machine }) => {
  const before = await machine.holdings();
  await createTiny(machine, endingKernel(SHUTDOWN_CRASH), { on_crash: 'rename-restart' });
  await expect.poll(async () => (await machine.domains()).map(({ name, state }) => `${name} ${state}`)).toEqual(['tiny-1 ---sc-']);
  await machine.run('xm destroy tiny-1');
  await machine.expectNothingLeft(before);
});

test('a kernel that panics is reported and restarted', async ({ machine }) => {
  const before = await machine.holdings();
  await machine.configure('panics', { on_crash: 'restart' });
  await machine.run('xm create panics');
  await machine.login('panics');
  const [first] = await machine.domains();
  await machine.send('panics', 'echo c > /proc/sysrq-trigger\r');
  await expect.poll(async () => (await machine.domains())[0]?.domid ?? 0).toBeGreaterThan(first!.domid);

  // The console of the domain that is gone can still be read.
  expect(await machine.text(first!.domid)).toContain('Kernel panic - not syncing: sysrq triggered crash');
  const report = await machine.run('xm dmesg');
  const crash = report.slice(report.indexOf(`Domain ${first!.domid} (vcpu#0) crashed:`));
  expect(crash).toMatch(/RIP: {4}e033:\[<ffffffff8[\da-f]{7}>\]/);
  expect(crash).toMatch(/CONTEXT: pv guest \(d\d+v0\) kernel mode/);
  // RDI is SCHEDOP_shutdown; SYSCALL has left the address behind it in RCX.
  expect(crash).toMatch(/\[<([\da-f]{16})>\][^]*rcx: \1\n[^]*rdi: 0000000000000002\n/);
  expect(crash).toMatch(/rsp: ffff[\da-f]{12}/);
  expect(crash).toMatch(
    /Guest stack trace from rsp=ffff[\da-f]{12}:\n\(XEN\) {4}[\da-f]{16} [\da-f]{16} [\da-f]{16} [\da-f]{16}\n/,
  );

  await machine.waitFor('panics', 'Linux version');
  await machine.run('xm destroy panics');
  await machine.expectNothingLeft(before);
});
