/** Both stock kernels, with one and with two virtual CPUs: from creation to a login, and what the guest then says about its machine. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bootLines, compareBootLogs, complaints } from './support/boot-log.ts';
import { EXPECTED_COMPLAINTS, EXPLAINED } from './support/explained-differences.ts';
import { BUSY_HOST, expect, retired, test, type Machine, type Settings, withoutBusyHost } from './support/machine.ts';

/** Console of a domU under real Xen, from its first line to the start of its init. */
const RECORDED = readFileSync('e2e/fixtures/domu-console-boot.txt', 'utf8');
/** The recorded guest's settings, as far as they show in its log. */
const RECORDED_SETTINGS: Settings = {
  memory: 256,
  maxmem: 320,
  vcpus: 2,
  maxvcpus: 4,
  extra: 'console=hvc0 earlyprintk=xen loglevel=8 initcall_debug=0 rdinit=/init',
};
/** Lines that any kernel with any number of CPUs prints as a PV guest that got what it asked for. */
const MILESTONES: readonly RegExp[] = [
  /^Hypervisor detected: Xen PV$/,
  /^Booting kernel on Xen$/,
  /^Xen version: 4\.17\./,
  /^Xen: using vcpuop timer interface$/,
  /^installing Xen timer for CPU 0$/,
  /^xen:events: Using 2-level ABI$/,
  /^xen:grant_table: Grant tables using version 1 layout$/,
  /^xen:balloon: Initialising balloon driver$/,
  /^clocksource: Switched to clocksource xen$/,
  /^printk: console \[hvc0\] enabled$/,
  /^x86\/mm: Checked W\+X mappings: passed, no W\+X pages found\.$/,
  /^Run \/init as init process$/,
];
const LAST_LINE_OF_KERNEL = 'TERM=linux';

/** What x86-64-v2 asks for and what guests of Xen are shown besides. */
const FLAGS =
  'fpu tsc msr pae cx8 cmov pat clflush mmx fxsr sse sse2 syscall nx lm constant_tsc rep_good nopl pni ssse3 cx16 sse4_1 sse4_2 popcnt rdrand hypervisor lahf_lm rdseed erms';
/** Instructions that are not there, and what a PV guest may not have. */
const NO_FLAGS =
  'avx avx2 xsave fma f16c bmi1 bmi2 movbe adx aes sha_ni fsgsbase invpcid pcid smep smap pse pge vme mtrr monitor vmx svm';

/** Another series of the kernel words and orders its messages anew: then only what is common to all is looked at. */
function sameSeries(boot: string): boolean {
  const series = (log: string): string | undefined => /Linux version (\d+\.\d+)\./.exec(log)?.[1];
  return series(boot) === series(RECORDED);
}

async function checkProcessors(machine: Machine, domain: string, vcpus: number): Promise<void> {
  const { output } = await machine.guest(domain, 'cat /proc/cpuinfo');
  const processors = output
    .trim()
    .split('\n\n')
    .map((block) => new Map(block.split('\n').map((line) => [line.split(/\s*:/, 1)[0]!, line.replace(/^[^:]*: ?/, '')])));
  expect(processors.map((processor) => processor.get('processor'))).toEqual(Array.from({ length: vcpus }, (_, cpu) => String(cpu)));
  for (const processor of processors) {
    expect(processor.get('vendor_id')).toBe('GenuineIntel');
    expect(processor.get('fpu_exception')).toBe('yes');
    expect(processor.get('wp')).toBe('yes');
    expect(processor.get('address sizes')).toBe('40 bits physical, 48 bits virtual');
    expect(Number(processor.get('cpu MHz'))).toBeGreaterThan(0);
    const flags = processor.get('flags')!.split(' ');
    expect(
      FLAGS.split(' ').filter((flag) => !flags.includes(flag)),
      'flags missing',
    ).toEqual([]);
    expect(
      NO_FLAGS.split(' ').filter((flag) => flags.includes(flag)),
      'flags too many',
    ).toEqual([]);
  }
}

async function checkHypervisor(machine: Machine, domain: string): Promise<void> {
  expect((await machine.guest(domain, 'cat /sys/hypervisor/type')).output).toBe('xen\n');
  const { output } = await machine.guest(
    domain,
    'cd /sys/hypervisor; for f in $(find . -type f | sort); do echo "$f: $(cat $f)"; done; cd',
  );
  const uuid = /\(uuid (\S+)\)/.exec(await machine.run(`xm list -l ${domain}`))?.[1];
  expect(output.split('\n').map((line) => line.trimEnd())).toEqual([
    './compilation/compile_date:',
    './compilation/compiled_by: webxen',
    './compilation/compiler: asc (AssemblyScript)',
    './guest_type: PV',
    './properties/buildid: <denied>',
    './properties/capabilities: xen-3.0-x86_64',
    './properties/changeset:',
    './properties/features: 000220f0',
    './properties/pagesize: 1000',
    './properties/virtual_start: ffff800000000000',
    './type: xen',
    `./uuid: ${uuid}`,
    './version/extra: .7-webxen',
    './version/major: 4',
    './version/minor: 17',
    '',
  ]);
}

/** What the kernel keeps is what came over the console, and the other way round; of a busy host it may tell at any time, also behind dmesg's end. */
async function checkMessages(machine: Machine, domain: string): Promise<void> {
  const kernelLines = (text: string): string[] =>
    text
      .replaceAll('(early) ', '')
      .split(/\r?\n/)
      .map((line) => line.trimEnd())
      .filter((line) => /^\[ *\d+\.\d{6}\] ./.test(line));
  const { output } = await machine.guest(domain, 'dmesg');
  const kept = kernelLines(output);
  // dmesg itself went over the console: what was there besides is what counts, also what came while it ran.
  const shown = kernelLines(withoutBusyHost(await machine.text(domain)).replace(output, '\n'));
  expect(kept.length).toBeGreaterThan(150);
  expect(
    kept.filter((line) => !BUSY_HOST.test(line) && !shown.includes(line)),
    'in dmesg, not on the console',
  ).toEqual([]);
  expect(
    shown.filter((line) => !BUSY_HOST.test(line) && !kept.includes(line)),
    'on the console, not in dmesg',
  ).toEqual([]);
}

/** Each virtual CPU does a piece of work of its own at the same time, gets it right, and is seen to have done it. */
async function checkWork(machine: Machine, domain: string, vcpus: number): Promise<void> {
  const before = await machine.counters(domain);
  expect(before).toHaveLength(vcpus);
  const cpus = Array.from({ length: vcpus }, (_, cpu) => cpu);
  const parts = cpus.map((cpu) => `taskset -c ${cpu} sh -c 'seq ${cpu} 20000 | sha256sum' > /tmp/part${cpu} &`);
  const { output } = await machine.guest(domain, `${parts.join(' ')} wait; cat /tmp/part*`);
  const sums = cpus.map((first) => {
    const lines = Array.from({ length: 20_001 - first }, (_, index) => `${first + index}\n`).join('');
    return createHash('sha256').update(lines).digest('hex');
  });
  expect(
    output
      .trim()
      .split('\n')
      .filter((line) => line.includes('  -')),
  ).toEqual(sums.map((sum) => `${sum}  -`));
  const after = await machine.counters(domain);
  for (const cpu of cpus)
    expect(retired(after[cpu]) - retired(before[cpu]), `instructions of vCPU ${cpu}`).toBeGreaterThan(1_000_000);
}

for (const kernel of ['cloud', 'amd64']) {
  for (const vcpus of [1, 2]) {
    test(`Debian's ${kernel} kernel with ${vcpus} virtual CPU${vcpus > 1 ? 's' : ''} boots to a login and knows its machine`, async ({
      machine,
    }) => {
      const before = await machine.holdings();
      const recorded = kernel === 'cloud' && vcpus === 2;
      await machine.configure('stock', {
        kernel: `/boot/vmlinuz-${kernel}`,
        ramdisk: `/boot/initrd.img-${kernel}`,
        vcpus,
        extra: 'console=hvc0 earlyprintk=xen loglevel=8',
        ...(recorded ? RECORDED_SETTINGS : {}),
      });
      await machine.run('xm create stock');
      await machine.login('stock');

      const console = await machine.text('stock');
      expect(complaints(console, EXPECTED_COMPLAINTS)).toEqual([]);
      const boot = console.slice(0, console.indexOf(LAST_LINE_OF_KERNEL) + LAST_LINE_OF_KERNEL.length);
      if (recorded && sameSeries(boot)) {
        const { unexplained, unneeded } = compareBootLogs(RECORDED, boot, EXPLAINED);
        expect(unexplained, 'differences from the boot under real Xen').toEqual([]);
        expect(unneeded, 'explanations of differences that are not there').toEqual([]);
      }
      const lines = bootLines(boot);
      expect(
        MILESTONES.filter((pattern) => !lines.some((line) => pattern.test(line))),
        'milestones missing',
      ).toEqual([]);

      const release = await machine.guest('stock', 'uname -r');
      expect(release.output).toMatch(kernel === 'cloud' ? /^\d\S+-cloud-amd64\n$/ : /^\d\S+-amd64\n$/);
      expect(release.output.includes('cloud')).toBe(kernel === 'cloud');
      await checkMessages(machine, 'stock');
      await checkProcessors(machine, 'stock', vcpus);
      await checkHypervisor(machine, 'stock');
      if (!recorded) await checkWork(machine, 'stock', vcpus);
      expect((await machine.guest('stock', 'false')).exitCode).toBe(1);

      await machine.send('stock', 'poweroff\r');
      await machine.expectNothingLeft(before);
    });
  }
}

test('the comparison of boot logs finds what is added, missing, changed or moved', () => {
  const lines = RECORDED.split('\n');
  const changed = (edit: (copy: string[]) => void): readonly string[] => {
    const copy = [...lines];
    edit(copy);
    return compareBootLogs(RECORDED, copy.join('\n'), []).unexplained;
  };
  const at = lines.findIndex((line) => line.includes('Grant table initialized'));
  expect(at).toBeGreaterThan(0);
  expect(changed(() => undefined)).toEqual([]);
  expect(changed((copy) => copy.splice(at, 1))).toEqual(['real: Grant table initialized']);
  expect(changed((copy) => copy.splice(at, 0, '[    1.000000] BUG: something'))).toEqual(['here: BUG: something']);
  expect(changed((copy) => (copy[at] = '[    9.999999] Grant table initialized'))).toEqual([]);
  expect(changed((copy) => copy.push(...copy.splice(at, 1)))).toEqual(['moved: Grant table initialized']);
  expect(compareBootLogs(RECORDED, RECORDED, EXPLAINED).unneeded.length).toBeGreaterThan(10);
});
