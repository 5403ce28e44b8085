/**
 * Rows of SSSE3, SSE4.1 and SSE4.2 on XMM registers, and CRC32.
 * @sdm Vol. 2D A.3 tables
 */
import type { Row } from './row.ts';
import { vectorRow } from './vector-row.ts';

/** xmm, xmm/m128 at 66 0F 38 nn. */
const LANES: readonly (readonly [string, string])[] = [
  ['00', 'pshufb'],
  ['01', 'phaddw'],
  ['02', 'phaddd'],
  ['03', 'phaddsw'],
  ['04', 'pmaddubsw'],
  ['05', 'phsubw'],
  ['06', 'phsubd'],
  ['07', 'phsubsw'],
  ['08', 'psignb'],
  ['09', 'psignw'],
  ['0A', 'psignd'],
  ['0B', 'pmulhrsw'],
  ['10', 'pblendvb'],
  ['14', 'blendvps'],
  ['15', 'blendvpd'],
  ['17', 'ptest'],
  ['1C', 'pabsb'],
  ['1D', 'pabsw'],
  ['1E', 'pabsd'],
  ['28', 'pmuldq'],
  ['29', 'pcmpeqq'],
  ['2B', 'packusdw'],
  ['37', 'pcmpgtq'],
  ['38', 'pminsb'],
  ['39', 'pminsd'],
  ['3A', 'pminuw'],
  ['3B', 'pminud'],
  ['3C', 'pmaxsb'],
  ['3D', 'pmaxsd'],
  ['3E', 'pmaxuw'],
  ['3F', 'pmaxud'],
  ['40', 'pmulld'],
  ['41', 'phminposuw'],
];

/** Sign extension at 66 0F 38 2n, zero extension at 3n: element sizes, bytes read. */
const EXTENSIONS: readonly (readonly [string, string])[] = [
  ['bw', 'q'],
  ['bd', 'd'],
  ['bq', 'w'],
  ['wd', 'q'],
  ['wq', 'd'],
  ['dq', 'q'],
];

/** xmm, xmm/m, imm8 at 66 0F 3A nn. */
const WITH_IMMEDIATE: readonly (readonly [string, string, string])[] = [
  ['08', 'roundps', 'Vx,Wx,Ib'],
  ['09', 'roundpd', 'Vx,Wx,Ib'],
  ['0A', 'roundss', 'Vss,Wss,Ib'],
  ['0B', 'roundsd', 'Vsd,Wsd,Ib'],
  ['0C', 'blendps', 'Vx,Wx,Ib'],
  ['0D', 'blendpd', 'Vx,Wx,Ib'],
  ['0E', 'pblendw', 'Vx,Wx,Ib'],
  ['0F', 'palignr', 'Vx,Wx,Ib'],
  ['21', 'insertps', 'Vx,Wd,Ib'],
  ['40', 'dpps', 'Vx,Wx,Ib'],
  ['41', 'dppd', 'Vx,Wx,Ib'],
  ['42', 'mpsadbw', 'Vx,Wx,Ib'],
  ['60', 'pcmpestrm', 'Vx,Wx,Ib'],
  ['61', 'pcmpestri', 'Vx,Wx,Ib'],
  ['62', 'pcmpistrm', 'Vx,Wx,Ib'],
  ['63', 'pcmpistri', 'Vx,Wx,Ib'],
];

export const sse4Rows: readonly Row[] = [
  ...LANES.map(([opcode, mnemonic]) => vectorRow('66', `0F 38 ${opcode}`, mnemonic, 'Vx,Wx')),
  ...EXTENSIONS.flatMap(([sizes, type], n) => [
    vectorRow('66', `0F 38 2${n}`, `pmovsx${sizes}`, `Vx,W${type}`),
    vectorRow('66', `0F 38 3${n}`, `pmovzx${sizes}`, `Vx,W${type}`),
  ]),
  vectorRow('66', '0F 38 2A', 'movntdqa', 'Vx,Mx', 'loadAligned'),
  ...WITH_IMMEDIATE.map(([opcode, mnemonic, operands]) => vectorRow('66', `0F 3A ${opcode}`, mnemonic, operands)),
  vectorRow('66', '0F 3A 14', 'pextrb', 'Rd,Vx,Ib'),
  vectorRow('66', '0F 3A 14', 'pextrb', 'Mb,Vx,Ib'),
  vectorRow('66', '0F 3A 15', 'pextrw', 'Rd,Vx,Ib', 'pextrwStore'),
  vectorRow('66', '0F 3A 15', 'pextrw', 'Mw,Vx,Ib', 'pextrwStore'),
  vectorRow('66', '0F 3A 16', 'pextrd', 'Ed,Vx,Ib', 'pextrd', { rexw: 0 }),
  vectorRow('66', '0F 3A 16', 'pextrq', 'Eq,Vx,Ib', 'pextrq', { rexw: 1 }),
  vectorRow('66', '0F 3A 17', 'extractps', 'Ed,Vx,Ib', 'pextrd'),
  vectorRow('66', '0F 3A 20', 'pinsrb', 'Vx,Rd,Ib'),
  vectorRow('66', '0F 3A 20', 'pinsrb', 'Vx,Mb,Ib'),
  vectorRow('66', '0F 3A 22', 'pinsrd', 'Vx,Ed,Ib', 'pinsrd', { rexw: 0 }),
  vectorRow('66', '0F 3A 22', 'pinsrq', 'Vx,Eq,Ib', 'pinsrq', { rexw: 1 }),
  vectorRow('F2', '0F 38 F0', 'crc32', 'Gy,Eb', 'crc32Byte'),
  vectorRow('F2', '0F 38 F1', 'crc32', 'Gy,Ev'),
];
