import { describe, expect, it } from 'vitest';
import { lastStage, needsMore, scan, simpleWords, splitList } from './line-syntax.ts';

describe('needsMore', () => {
  const rows: [line: string, more: boolean][] = [
    ['', false],
    ['ls -l', false],
    ['echo "a', true],
    ["echo 'a\nb'", false],
    ["echo 'a\nb", true],
    ['echo a\\', true],
    ['echo a \\\n', true],
    ['echo $(ls', true],
    ['echo ${a', true],
    ['echo "$(ls ")")"', false],
    ['echo `ls', true],
    ['ls |', true],
    ['ls &&', true],
    ['ls ;', false],
    ['if true; then', true],
    ['if true; then echo a; fi', false],
    ['for i in 1 2; do', true],
    ['for i in 1 2; do echo $i; done', false],
    ['for x in for done; do echo; done', false],
    ['while true; do if a; then b; fi', true],
    ['case $x in a) echo;; esac', false],
    ['case $x in', true],
    ['f() {', true],
    ['f() { echo; }', false],
    ['(cd /', true],
    ['(cd /)', false],
    ['echo if for while', false],
    ['echo # if "', false],
    ['cat <<E', true],
    ['cat <<E\nx', true],
    ['cat <<E\nx\nE', false],
    ["cat <<'E' > f\nit's\nE", false],
    ["echo it\\'s", false],
  ];
  it.each(rows)('%j: %s', (line, more) => {
    expect(needsMore(line)).toBe(more);
  });
});

describe('splitList', () => {
  const split = (line: string) => splitList(line)?.map(({ when, text }) => [when, text]);
  const rows: [line: string, pipelines: [string, string][] | undefined][] = [
    ['xm list', [[';', 'xm list']]],
    [
      'xm create demo && xm console demo || echo no; ls',
      [
        [';', 'xm create demo'],
        ['&&', 'xm console demo'],
        ['||', 'echo no'],
        [';', 'ls'],
      ],
    ],
    ['ls | more;', [[';', 'ls | more']]],
    ['echo "a;b" # c; d', [[';', 'echo "a;b" # c; d']]],
    [
      'a\nb',
      [
        [';', 'a'],
        [';', 'b'],
      ],
    ],
    ['', []],
    ['for i in 1; do xm list; done', undefined],
    ['(xm list)', undefined],
    ['xm list &', undefined],
    ['f() { a; }', undefined],
    ['! xm list', undefined],
    ['; ls', undefined],
    ['cat <<E\na\nE', undefined],
  ];
  it.each(rows)('%j', (line, pipelines) => {
    expect(split(line)).toEqual(pipelines);
  });
});

describe('words', () => {
  it('tells plain ones from those the shell expands', () => {
    const words = simpleWords(scan('xm create /etc/xen/demo name=a $HOME "x y" a*').tokens);
    expect(words?.map((word) => [word.text, word.plain])).toEqual([
      ['xm', true],
      ['create', true],
      ['/etc/xen/demo', true],
      ['name=a', true],
      ['$HOME', false],
      ['"x y"', false],
      ['a*', false],
    ]);
    expect(simpleWords(scan('xm list > f').tokens)).toBeUndefined();
  });

  it('takes the last command of a pipe off', () => {
    const [pipeline] = splitList('xm list | grep "a|b" | more -5') ?? [];
    expect(pipeline).toBeDefined();
    const stage = pipeline === undefined ? undefined : lastStage(pipeline);
    expect([stage?.left, stage?.last.map((word) => word.text)]).toEqual(['xm list | grep "a|b"', ['more', '-5']]);
    const [plain] = splitList('xm list | tee > f') ?? [];
    expect(plain === undefined ? 'none' : lastStage(plain)).toBeUndefined();
  });

  it('survives any text', () => {
    const pieces = ['"', "'", '$(', '${', '`', '\\', '\n', ';', '|', '&', '<<E', '(', ')', ' ', 'if', 'x', '#'];
    let seed = 7;
    for (let round = 0; round < 2000; round++) {
      let line = '';
      for (let length = 0; length < 12; length++) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        line += pieces[(seed >>> 16) % pieces.length];
      }
      needsMore(line);
      splitList(line);
    }
  });
});
