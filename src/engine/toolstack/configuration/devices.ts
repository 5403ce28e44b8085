/** Entries of disk= and vif=, checked as xm checks them, as the device lists xend is sent. */
import type { Sxp } from '../sxp.ts';
import { XendError } from '../xend-error.ts';

/** 'UNAME,VDEV,MODE[,BACKEND]' -> (device (vbd (uname ...) (dev ...) (mode ...))). */
export function diskSxp(specifier: string): Sxp {
  const parts = specifier.split(',');
  const [uname = '', dev = '', mode = '', backend] = parts;
  if (parts.length !== 3 && parts.length !== 4) throw new XendError(`Invalid disk specifier: ${specifier}`);
  if (!['r', 'ro', 'w', 'rw', 'w!'].includes(mode)) throw new XendError('Invalid mode');
  const body: Sxp[] = [
    ['uname', uname],
    ['dev', dev],
    ['mode', mode],
  ];
  if (backend !== undefined) body.push(['backend', backend]);
  return ['device', [uname.startsWith('tap:') ? 'tap' : 'vbd', ...body]];
}

const VIF_KEYS = ['backend', 'be_mac', 'bridge', 'ip', 'mac', 'model', 'rate', 'script', 'type', 'vifname'];

/** 'key=value, key=value' -> (device (vif (key value) ...)); '' is an interface with defaults only. */
export function vifSxp(specifier: string): Sxp {
  const given = new Map<string, string>();
  for (const part of specifier.split(',')) {
    const item = part.trim();
    if (item === '') continue;
    const at = item.indexOf('=');
    if (at < 0) throw new XendError(`${item} should be a pair, separated by an equals sign.`);
    const key = item.slice(0, at).trim();
    if (!VIF_KEYS.includes(key)) throw new XendError(`Invalid vif option: ${key}`);
    given.set(key, item.slice(at + 1).trim());
  }
  const body = VIF_KEYS.filter((key) => given.has(key)).map((key) => [key, given.get(key) ?? '']);
  return ['device', ['vif', ...body]];
}
