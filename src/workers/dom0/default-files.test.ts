import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../../engine/storage/testing/memory-files.ts';
import { decodeUtf8, encodeUtf8 } from '../../engine/storage/utf8.ts';
import { plantDefaultFiles, renewDefaultFiles } from './default-files.ts';

describe('default files of an earlier version', () => {
  it('become the present ones where nobody has touched them', async () => {
    const { files } = await memoryFiles();
    await plantDefaultFiles(files);
    const read = async (path: string): Promise<string> => decodeUtf8(await files.readFile(path));
    const present = await read('/etc/passwd');
    await files.writeFile('/etc/passwd', encodeUtf8('root:x:0:0:root:/root:/bin/bash\n'));
    await files.writeFile('/etc/group', encodeUtf8('root:x:0:\nmine:x:1000:\n'));
    await files.remove('/etc/xen/demo');
    await files.remove('/etc/xen/xmexample1');
    await files.makeDirectory('/etc/xen/xmexample1');
    await renewDefaultFiles(files);
    expect(await read('/etc/passwd')).toBe(present);
    expect(await read('/etc/group')).toBe('root:x:0:\nmine:x:1000:\n');
    expect(await files.exists('/etc/xen/demo')).toBe(false);
    expect((await files.stat('/etc/xen/xmexample1')).kind).toBe('directory');
  });

  it('give users a shell that guests with copies of them have', async () => {
    const { files } = await memoryFiles();
    await plantDefaultFiles(files);
    expect(decodeUtf8(await files.readFile('/etc/passwd'))).toMatch(/^root:x:0:0:root:\/root:\/bin\/sh\n/);
  });
});
