/** A virtual disk as xend understands it, out of the (vbd ...) list of a configuration. */
import type { Sxp } from '../sxp.ts';
import { textOf } from '../sxp.ts';
import { XendError } from '../xend-error.ts';
import { virtualDeviceNumber } from './virtual-device.ts';

export interface BlockSpecification {
  /** "vbd", or "tap" for blktap's images: the class in the back end's path. */
  readonly deviceClass: 'vbd' | 'tap';
  readonly id: number;
  /** Name in the guest as given, without /dev/ and ":cdrom". */
  readonly device: string;
  readonly deviceType: 'disk' | 'cdrom';
  /** What stands before the first colon, "phy", "file" or "tap", and the rest of it. */
  readonly type: string;
  readonly params: string;
  readonly mode: 'r' | 'w' | 'w!';
}

const TYPES = ['phy', 'file', 'tap'];
const TAP_DRIVERS = ['aio:', 'sync:', 'qcow:', 'qcow2:'];

/** From (vbd (uname ...) (dev ...) (mode ...)) or (tap ...). Throws XendError. */
export function blockSpecification(body: Sxp): BlockSpecification {
  const uname = textOf(body, 'uname') ?? '';
  const given = textOf(body, 'dev') ?? '';
  const backend = textOf(body, 'backend') ?? '0';
  if (backend !== '0' && backend !== 'Domain-0')
    throw new XendError(`Domain ${backend} is no driver domain: disks are served by Domain-0.`);
  const [name = '', kind = 'disk', ...more] = given.replace(/^ioemu:/, '').split(':');
  if (more.length > 0 || (kind !== 'disk' && kind !== 'cdrom')) throw new XendError(`Invalid virtual device: ${given}`);
  const id = virtualDeviceNumber(name);
  if (id === undefined) throw new XendError(`Unable to find number for device (${name})`);
  const colon = uname.indexOf(':');
  const type = uname.slice(0, Math.max(colon, 0));
  const params = uname.slice(colon + 1);
  if (!TYPES.includes(type) || params === '') {
    throw new XendError(`Invalid disk source: ${uname}: phy:DEVICE, file:PATH, tap:aio:PATH and tap:qcow2:PATH are supported`);
  }
  if (type === 'tap' && !TAP_DRIVERS.some((driver) => params.startsWith(driver))) {
    throw new XendError(`Invalid disk source: ${uname}: of blktap's drivers, aio, sync, qcow and qcow2 are supported`);
  }
  return {
    deviceClass: type === 'tap' ? 'tap' : 'vbd',
    id,
    device: name.replace(/^\/dev\//, ''),
    deviceType: kind,
    type,
    params,
    mode: modeOf(textOf(body, 'mode') ?? 'r'),
  };
}

function modeOf(text: string): BlockSpecification['mode'] {
  if (text === 'w' || text === 'rw') return 'w';
  if (text === 'w!' || text === 'r' || text === 'ro') return text === 'ro' ? 'r' : text;
  throw new XendError('Invalid mode');
}
