/** UUIDs as text (8-4-4-4-12 lower-case hex digits) and as the 16 bytes the hypervisor keeps as a domain's handle. */
import type { Entropy } from './services.ts';

export function formatUuid(bytes: Uint8Array): string {
  const hex = [...bytes.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** undefined when it is no UUID; dashes may be missing. */
export function parseUuid(text: string): Uint8Array | undefined {
  const hex = text.trim().replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined;
  return Uint8Array.from({ length: 16 }, (_, index) => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16));
}

/** A random UUID (version 4). */
export function randomUuid(entropy: Entropy): string {
  return formatUuid(versionFour(entropy.bytes(16)));
}

/** 16 random bytes as a UUID of version 4. */
export function versionFour(random: Uint8Array): Uint8Array {
  const bytes = random.slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
