/** The programs of domain 0 that work on files, devices and file systems. */
import type { Command } from '../../../engine/toolstack/command.ts';
import { attributePrograms } from './attributes.ts';
import { checkPrograms } from './check-file-system.ts';
import { comparePrograms } from './compare.ts';
import { copyProgram } from './copy.ts';
import { dd } from './dd.ts';
import { gzipPrograms } from './gzip.ts';
import { identifyPrograms } from './identify.ts';
import { loopSetup } from './loop-setup.ts';
import type { ArchiveTools } from './byte-streams.ts';
import { makeFileSystemPrograms, type MakeTools } from './make-file-system.ts';
import { makeSwapProgram } from './make-swap.ts';
import { Mounter } from './mount.ts';
import { roomPrograms } from './room.ts';
import { tarProgram } from './tar.ts';

export function filePrograms(tools: MakeTools & ArchiveTools): Command[] {
  return [
    dd(tools),
    copyProgram(tools),
    loopSetup(tools.sources.loops),
    ...new Mounter(tools).programs(),
    ...makeFileSystemPrograms(tools),
    ...checkPrograms(tools),
    ...roomPrograms(tools),
    ...attributePrograms(tools),
    ...comparePrograms(tools),
    ...identifyPrograms(tools),
    makeSwapProgram(tools),
    ...gzipPrograms(tools),
    tarProgram(tools),
  ];
}
