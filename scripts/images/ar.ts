/**
 * Reads the archive form of ar(5), in which a Debian package keeps its parts: "!<arch>\n", then for each member a header of 60
 * ASCII characters and the content, padded to an even length.
 */
export interface ArMember {
  readonly name: string;
  readonly content: Uint8Array;
}

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;

export function readAr(archive: Uint8Array): ArMember[] {
  const text = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  if (text.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('ar: not an archive');
  const members: ArMember[] = [];
  let offset = MAGIC.length;
  while (offset + HEADER_BYTES <= archive.length) {
    const header = text.toString('latin1', offset, offset + HEADER_BYTES);
    const bytes = Number.parseInt(header.slice(48, 58), 10);
    const start = offset + HEADER_BYTES;
    if (!header.endsWith('`\n') || !(bytes >= 0) || start + bytes > archive.length)
      throw new Error(`ar: bad header at byte ${offset}`);
    members.push({ name: header.slice(0, 16).trim().replace(/\/$/, ''), content: archive.subarray(start, start + bytes) });
    offset = start + bytes + (bytes % 2);
  }
  return members;
}
