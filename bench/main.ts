/** `npm run bench`: see options.ts for what it takes. */
import { spawnSync } from 'node:child_process';
import { type MeasuredBrowser, openBrowser, serveSite, type Site } from './browser.ts';
import { BOOT_DOMAIN, bootQemu, type Boots, bootV86, bootWebxen, pageToBoot, runBoots } from './boot.ts';
import { type Absent, buildPrograms, type Built, GUEST_PATH } from './build-programs.ts';
import { measureFeel } from './feel.ts';
import type { Runner } from './guest.ts';
import { measureIdle } from './idle.ts';
import { HELP, type Options, readOptions, UsageError } from './options.ts';
import { measurePauses } from './pauses.ts';
import { keepProfile, type Profile, profileBoot, profileCommand, profileText } from './profile.ts';
import { runPrograms } from './programs.ts';
import { QEMU_ABSENT, qemuVersion, startQemu } from './qemu.ts';
import { ramdisks64, system32, type System32 } from './ramdisks.ts';
import { keep, readResult, type Result, type Scaling, thisMachine } from './report.ts';
import { chosenPrograms } from './set.ts';
import { measureScaling } from './smp.ts';
import { changes, tables } from './tables.ts';
import { siteImage } from '../e2e/support/site-images.ts';
import { startV86, v86Absent, v86Version } from './v86.ts';
import { domainOf, startWebxen } from './webxen.ts';
import { preparedGuest, runWhole, WHOLE, wholeCommand } from './whole.ts';

const BOOT_MS = 600_000;
const NOTHING = { rows: [], notes: [] };

function progress(what: string): void {
  console.error(`[bench] ${what}`);
}

/** The programs in a guest under Node, vCPUs on the one thread. */
function inNode(options: Options): void {
  const words = [
    ...['--kernel', siteImage('vmlinuz-cloud'), '--ramdisk', siteImage('initrd.img-cloud'), '--translator', options.translator],
    ...(options.memoryOrder === 'strict' ? ['--core', 'build/core-ordered.wasm'] : []),
    ...['--bench', options.only ?? 'all', '--rounds', String(options.rounds), '--seconds', '1200', '--counters'],
  ];
  process.exitCode = spawnSync('node_modules/.bin/tsx', ['scripts/boot-node.ts', ...words], { stdio: 'inherit' }).status ?? 1;
}

/** What can be measured here; what cannot says so in the notes. */
async function measure(options: Options): Promise<Result> {
  const { parts, rounds, without, translator, memoryOrder } = options;
  const notes: string[] = [];
  const tell = <Found>(found: Found | Absent): Found | undefined => {
    if (typeof found !== 'object' || found === null || !('absent' in found)) return found;
    notes.push(found.absent);
    return undefined;
  };
  const built = tell<Built>(buildPrograms(64));
  const whole = parts.has('whole');
  const kernel = siteImage('vmlinuz-cloud');
  const site = await serveSite();
  const closers: (() => Promise<void> | void)[] = [
    () => {
      site.close();
    },
  ];
  try {
    const browser = await openBrowser();
    closers.push(() => browser.close());
    const withQemu = !without.has('qemu') && tell(qemuVersion() === undefined ? { absent: QEMU_ABSENT } : true) === true;
    const beside = [...parts].some((part) => part !== 'feel' && part !== 'smp' && part !== 'idle' && part !== 'pauses');
    const system = without.has('v86') || !beside ? undefined : await forV86(tell, whole);
    const v86Browser = system === undefined ? undefined : await openBrowser();
    closers.push(() => v86Browser?.close());

    const boots: Boots = { webxen: () => bootWebxen(browser, site, commandLineOf(options)) };
    if (withQemu) boots.qemu = () => bootQemu(kernel, siteImage('initrd.img-cloud'));
    if (system !== undefined && v86Browser !== undefined) boots.v86 = () => bootV86(v86Browser, site, system);
    const boot = parts.has('boot') ? await runBoots(boots, rounds, progress) : NOTHING;

    const feel = parts.has('feel') ? await measureFeel(browser, site, commandLineOf(options), progress) : [];

    const idle = parts.has('idle') ? await measureIdle(browser, site, commandLineOf(options), progress) : undefined;
    const smp = built !== undefined && parts.has('smp') ? await scaling(browser, site, built, options) : undefined;
    const pauses =
      built !== undefined && parts.has('pauses')
        ? await measurePauses(browser, site, built, commandLineOf(options), chosenPrograms(options.only), progress)
        : undefined;

    const runners: Runner[] = [];
    if (built !== undefined && (whole || parts.has('programs'))) {
      const ramdisks = ramdisks64(built, whole);
      runners.push(await startWebxen(browser, site, ramdisks, commandLineOf(options)));
      if (options.interpreter) {
        const another = await openBrowser();
        closers.push(() => another.close());
        runners.push(await startWebxen(another, site, ramdisks, commandLineOf({ ...options, translator: 'off' }), 'interpreter'));
      }
      if (withQemu) runners.push(startQemu(kernel, ramdisks, BOOT_MS));
      if (system !== undefined && v86Browser !== undefined) runners.push(startV86(v86Browser, site, system, BOOT_MS));
      closers.push(async () => {
        for (const runner of runners) await runner.close();
      });
    }
    const programs =
      built !== undefined && parts.has('programs')
        ? await runPrograms(built, {
            programs: chosenPrograms(options.only),
            rounds,
            native: !without.has('native'),
            runners,
            onProgress: progress,
          })
        : NOTHING;
    const wholes = whole && runners.length > 0 ? await runWhole(runners, rounds, progress) : NOTHING;
    return {
      date: new Date().toISOString(),
      machine: thisMachine(),
      versions: {
        browser: browser.version,
        ...(withQemu ? { qemu: qemuVersion() ?? '' } : {}),
        ...(system === undefined ? {} : { v86: v86Version() }),
      },
      settings: { rounds, translator, memoryOrder },
      notes: [...notes, ...boot.notes, ...programs.notes, ...wholes.notes],
      boot: boot.rows,
      programs: programs.rows,
      whole: wholes.rows,
      feel,
      smp,
      idle,
      pauses,
    };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** In a page of its own, closed before others are measured. */
async function scaling(browser: MeasuredBrowser, site: Site, built: Built, options: Options): Promise<Scaling> {
  const runner = await startWebxen(browser, site, ramdisks64(built, false), commandLineOf(options));
  try {
    return await measureScaling(browser, runner, built, options.rounds, progress);
  } finally {
    await runner.close();
  }
}

async function forV86(tell: <Found>(found: Found | Absent) => Found | undefined, whole: boolean): Promise<System32 | undefined> {
  const absent = v86Absent();
  if (absent !== undefined) return tell<System32>({ absent });
  const built = tell<Built>(buildPrograms(32));
  return built === undefined ? undefined : tell<System32>(await system32(built, whole));
}

/** What the hypervisor is told. */
function commandLineOf({ translator, memoryOrder }: Pick<Options, 'translator' | 'memoryOrder'>): string {
  return [
    ...(translator === 'on' ? [] : [`translator=${translator}`]),
    ...(memoryOrder === 'host' ? [] : [`memory-order=${memoryOrder}`]),
  ].join(' ');
}

/** A program of the set, a whole program, or "boot", in a page that profiles. */
async function profile(name: string, options: Options): Promise<void> {
  const commandLine = `${commandLineOf(options)} profile`.trim();
  const site = await serveSite();
  const browser = await openBrowser();
  try {
    progress(`${name} with a profile`);
    const found =
      name === 'boot'
        ? await profileBoot(await pageToBoot(browser, site, commandLine), BOOT_DOMAIN)
        : await profileNamed(browser, site, commandLine, name);
    console.log(`\n${profileText(found)}\n\nkept as ${keepProfile(found)}`);
  } finally {
    await browser.close();
    site.close();
  }
}

async function profileNamed(browser: MeasuredBrowser, site: Site, commandLine: string, name: string): Promise<Profile> {
  const whole = WHOLE.find((one) => one.name === name);
  const [program] = whole === undefined ? chosenPrograms(name) : [];
  const built = buildPrograms(64);
  if ('absent' in built) throw new UsageError(built.absent);
  const runner = await startWebxen(browser, site, ramdisks64(built, whole !== undefined), commandLine);
  if (whole !== undefined) {
    const guest = await preparedGuest(runner);
    return profileCommand(runner.machine, { name, domain: domainOf('debian'), guest, command: wholeCommand(whole) });
  }
  if (program === undefined) throw new UsageError(`There is no program ${name}.`);
  const guest = await runner.guest(program.guest);
  const command = `${GUEST_PATH} ${program.name} ${program.size}`;
  return profileCommand(runner.machine, { name, domain: domainOf(program.guest), guest, command, file: built.path });
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    console.log(HELP);
    return;
  }
  if (options.node) {
    inNode(options);
    return;
  }
  if (options.disks) {
    process.exitCode =
      spawnSync('node_modules/.bin/playwright', ['test', '--project=bench', '--reporter=list'], { stdio: 'inherit' }).status ?? 1;
    return;
  }
  if (options.profile !== undefined) {
    await profile(options.profile, options);
    return;
  }
  const result = options.result === undefined ? await measure(options) : readResult(options.result);
  console.log(`\n${tables(result)}\n`);
  if (options.compare !== undefined) console.log(`${changes(result, readResult(options.compare))}\n`);
  if (options.result === undefined) console.log(`kept as ${keep(result)}`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\nnpm run bench -- --help tells what there is.`);
  process.exitCode = 2;
}
