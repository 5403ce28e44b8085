/**
 * What cannot be made a domain is refused: one line "Error: ...", exit status 1, and nothing is left over, neither in the list of
 * domains nor in the store, neither memory nor workers.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, sharedTest as test, type Machine, type Settings } from './support/machine.ts';
import { SPIN, tinyKernel } from './support/tiny-kernel.ts';

/** Debian's kernels as the page's site has them: the cloud one is packed with LZ4, the other with xz. */
function stockKernel(kind: 'cloud' | 'amd64'): Buffer {
  const file = readdirSync('public/images').find(
    (name) => name.startsWith('vmlinuz-') && name.includes('cloud') === (kind === 'cloud'),
  );
  if (file === undefined) throw new Error('public/images holds no such kernel');
  return readFileSync(`public/images/${file}`);
}

/** A copy with one byte changed. */
function damaged(kernel: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(kernel);
  copy[at]! ^= 0x55;
  return copy;
}

interface Mistake {
  readonly what: string;
  /** A whole file, or settings that go over a working configuration. */
  readonly configuration: string | Settings;
  /** Written to /root/wrong.img. */
  readonly file?: () => Uint8Array;
  /** That file is so many MiB of zeroes. */
  readonly zeroesMiB?: number;
  readonly message: RegExp;
}

const CLOUD = '/boot/vmlinuz-cloud';
const FILE = '/root/wrong.img';

const MISTAKES: readonly Mistake[] = [
  {
    what: 'a missing kernel',
    configuration: { kernel: '/boot/nope' },
    message: /^Error: Kernel image does not exist: \/boot\/nope$/,
  },
  {
    what: 'a missing ramdisk',
    configuration: { kernel: CLOUD, ramdisk: '/boot/nope' },
    message: /^Error: Kernel ramdisk does not exist: \/boot\/nope$/,
  },
  { what: 'no kernel', configuration: 'memory = 64\nname = "wrong"\n', message: /^Error: No kernel specified$/ },
  {
    what: 'a text as its kernel',
    configuration: { kernel: FILE },
    file: () => Buffer.from('#!/bin/sh\necho I am no kernel\n'),
    message: /^Error: .*neither a bzImage nor an ELF file/,
  },
  {
    what: 'an empty file as its kernel',
    configuration: { kernel: FILE },
    file: () => new Uint8Array(0),
    message: /^Error: .*neither a bzImage nor an ELF file/,
  },
  {
    what: 'a kernel with a changed byte in its xz stream',
    configuration: { kernel: FILE },
    file: () => damaged(stockKernel('amd64'), 5_000_000),
    message: /^Error: The kernel cannot be unpacked: /,
  },
  {
    what: 'a kernel with nonsense in its LZ4 stream',
    configuration: { kernel: FILE },
    file: () => stockKernel('cloud').fill(0xff, 5_000_000, 5_001_000),
    message: /^Error: The kernel cannot be unpacked: /,
  },
  {
    what: 'half a kernel',
    configuration: { kernel: FILE },
    file: () => stockKernel('cloud').subarray(0, 6_000_000),
    message: /^Error: .*(damaged|cut|truncated|ends|outside|short)/i,
  },
  {
    what: 'a program of Linux as its kernel',
    configuration: { kernel: FILE },
    file: () => readFileSync(existsSync('/bin/true') ? '/bin/true' : process.execPath),
    message: /^Error: This is not a Xen kernel: it has no Xen notes\./,
  },
  {
    what: 'a kernel without Xen notes',
    configuration: { kernel: FILE },
    // The second program header is made one of no meaning.
    file: () => {
      const kernel = tinyKernel(SPIN);
      kernel[64 + 56] = 0;
      return kernel;
    },
    message: /^Error: This is not a Xen kernel: it has no Xen notes\./,
  },
  {
    what: 'a 32-bit kernel',
    configuration: { kernel: FILE },
    file: () => {
      const kernel = tinyKernel(SPIN);
      kernel[4] = 1;
      return kernel;
    },
    message: /^Error: This is a 32-bit kernel/,
  },
  {
    what: 'a kernel for another processor',
    configuration: { kernel: FILE },
    file: () => {
      const kernel = tinyKernel(SPIN);
      kernel[0x12] = 183;
      return kernel;
    },
    message: /^Error: The kernel is for another processor/,
  },
  { what: 'too little memory', configuration: { memory: 8 }, message: /^Error: .*memory.*MiB/i },
  { what: 'more memory than the machine has', configuration: { memory: 900_000 }, message: /^Error: .*memory.*900000 MiB/ },
  { what: 'more memory than a domain can have', configuration: { memory: 4096 }, message: /^Error: .*MiB/ },
  { what: 'negative memory', configuration: { memory: -5 }, message: /^Error: Invalid value for memory: -5/ },
  {
    what: 'a ramdisk that does not fit',
    configuration: { memory: 64, kernel: CLOUD, ramdisk: FILE },
    zeroesMiB: 80,
    message: /^Error: .*(ramdisk|memory)/i,
  },
  { what: 'too many virtual CPUs', configuration: { vcpus: 1000 }, message: /^Error: Invalid value for vcpus: 1000 / },
  { what: 'a name with a blank', configuration: { name: 'a b' }, message: /^Error: Invalid VM Name$/ },
  { what: 'an unknown on_crash', configuration: { on_crash: 'explode' }, message: /^Error: .*restart event.*explode/i },
  {
    what: 'a disk that no volume stands behind',
    configuration: `kernel = "${CLOUD}"\nmemory = 128\ndisk = ["phy:vg/one,xvda,w"]\n`,
    message: /^Error: Device 51712 \(vbd\) could not be connected\. Backend device not found\.$/,
  },
  {
    what: 'a network interface',
    configuration: `kernel = "${CLOUD}"\nmemory = 64\nvif = [""]\n`,
    message: /^Error: vif= is not supported yet/,
  },
  {
    what: 'a mistake in its syntax on line 4',
    configuration: `kernel = "${CLOUD}"\nmemory = 64\n# a comment\nname = = "wrong"\n`,
    message: /^Error: .*\bline 4\b.*name = = "wrong"/,
  },
  {
    what: 'an unknown name on line 3',
    configuration: `kernel = "${CLOUD}"\nmemory = 64\nname = undefined_name\nvcpus = 1\n`,
    message: /^Error: .*\bline 3\b.*undefined_name/,
  },
  {
    what: 'an exception in a function, on the line that raised it',
    configuration: 'def check(n):\n    return 1 // n\n\nmemory = check(0)\n',
    message: /^Error: .*\bline [24]\b.*(division|divide)/,
  },
  {
    what: 'an endless loop',
    configuration: 'while True:\n    pass\n',
    message: /^Error: .*did not come to its end within .*endless loop/,
  },
  {
    what: 'a configuration that takes all memory',
    configuration: 'x = "x" * 1000000\nwhile True:\n    x = x + x\n',
    message: /^Error: /,
  },
  {
    what: 'bytes that are no text',
    configuration: `kernel = "${CLOUD}"\0\x01\x02\n`,
    message: /^Error: .*(binary|no configuration file)/,
  },
];

async function tryMistake(machine: Machine, { configuration, file, zeroesMiB, message }: Mistake): Promise<void> {
  const before = await machine.holdings();
  if (file !== undefined) await machine.write(FILE, file());
  if (zeroesMiB !== undefined)
    await machine.page.evaluate(([path, mebibytes]) => xen.writeFile(path, new Uint8Array(mebibytes << 20)), [
      FILE,
      zeroesMiB,
    ] as const);
  if (typeof configuration === 'string') await machine.write('/etc/xen/wrong', configuration);
  else await machine.configure('wrong', configuration);
  expect(await machine.refused('xm create wrong')).toMatch(message);
  await machine.expectNothingLeft(before);
  await machine.run(`rm -f ${FILE} /etc/xen/wrong`);
}

for (const mistake of MISTAKES) {
  test(`${mistake.what} is refused`, async ({ machine }) => {
    await tryMistake(machine, mistake);
  });
}

test('a configuration that is not there is refused', async ({ machine }) => {
  expect(await machine.refused('xm create not-there')).toBe('Error: Unable to open config file: not-there');
});

test('a name that is in use is refused, and the domain that has it stays', async ({ machine }) => {
  const before = await machine.holdings();
  await machine.write('/root/spin.elf', tinyKernel(SPIN));
  await machine.configure('spin', { kernel: '/root/spin.elf', memory: 16, extra: '' });
  await machine.run('xm create spin');
  const during = await machine.settledHoldings();
  expect(await machine.refused('xm create spin')).toMatch(/^Error: VM name 'spin' already exists as domain \d+$/);
  await machine.expectNothingLeft(during);
  await machine.run('xm destroy spin');
  await machine.expectNothingLeft(before);
});

test('commands on a domain that is not there are refused', async ({ machine }) => {
  for (const command of ['destroy', 'pause', 'unpause', 'shutdown', 'reboot', 'domid', 'domname', 'vcpu-list', 'list'])
    expect(await machine.refused(`xm ${command} nobody`), command).toBe("Error: Domain 'nobody' does not exist.");
  expect(await machine.refused('xm mem-set nobody 128')).toBe("Error: Domain 'nobody' does not exist.");
  expect(await machine.refused('xm pause 0')).toBe('Error: Cannot pause privileged domain 0');
  expect(await machine.refused('xm destroy Domain-0')).toBe('Error: Cannot destroy privileged domain 0');
  expect(await machine.refused('xm frobnicate')).toMatch(/^Error: Subcommand frobnicate not found!$/);
});

test('after all that a domain can be made', async ({ machine }) => {
  const before = await machine.holdings();
  await machine.configure('right');
  await machine.run('xm create right');
  await machine.waitFor('right', 'Linux version');
  await machine.run('xm destroy right');
  await machine.expectNothingLeft(before);
});
