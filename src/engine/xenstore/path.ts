/**
 * Paths of the store: absolute ones start with '/', those of special watches with '@', all others are relative to the
 * connection's own /local/domain/N. A path that leaves this file is canonical: valid characters, no doubled or trailing slash.
 */
import { XENSTORE_ABS_PATH_MAX } from '../abi/xs-wire.ts';
import { StoreError } from './error.ts';

const VALID_CHARACTERS = /^[A-Za-z0-9\-/_@]*$/;
const DOMAIN_PREFIX = /^\/local\/domain\/[0-9]{1,5}\//;

export function domainPath(domid: number): string {
  return `/local/domain/${domid}`;
}

export function isRelative(path: string): boolean {
  return !path.startsWith('/') && !path.startsWith('@');
}

export interface PathRules {
  /** What a relative path is relative to. */
  readonly base: string;
  /** Whether names of special watches are allowed. */
  readonly special: boolean;
  /** Longest path without its /local/domain/N/ prefix; undefined = no limit but the protocol's. */
  readonly maxLength: number | undefined;
}

/** Checks a client's path and makes it absolute. EINVAL for anything the protocol forbids. */
export function canonicalPath(path: string, rules: PathRules): string {
  if (!VALID_CHARACTERS.test(path)) throw new StoreError('EINVAL', 'the path has a character that is not allowed');
  if (path.startsWith('@') && !rules.special) throw new StoreError('EINVAL', 'the path names a special watch');
  const absolute = isRelative(path) ? `${rules.base}/${path}` : path;
  if (absolute.length > 1 && absolute.endsWith('/')) throw new StoreError('EINVAL', 'the path is empty or ends in a slash');
  if (absolute.includes('//')) throw new StoreError('EINVAL', 'the path has a doubled slash');
  if (absolute.length > XENSTORE_ABS_PATH_MAX) {
    throw new StoreError('EINVAL', `the path is longer than ${XENSTORE_ABS_PATH_MAX} bytes`);
  }
  const prefix = DOMAIN_PREFIX.exec(absolute)?.[0].length ?? 0;
  if (rules.maxLength !== undefined && absolute.length - prefix > rules.maxLength) {
    throw new StoreError('EINVAL', `the path is longer than ${rules.maxLength} bytes`);
  }
  return absolute;
}

/** Of '/' and of special names the parent is '/'. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** The last component. Not for '/'. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

/** Whether `path` is `ancestor` or lies below it. */
export function isWithin(path: string, ancestor: string): boolean {
  if (ancestor === '/') return true;
  return path.startsWith(ancestor) && (path.length === ancestor.length || path[ancestor.length] === '/');
}
