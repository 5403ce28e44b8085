import { describe, expect, it } from 'vitest';
import { modernisePython } from './python-two.ts';

const rows: [what: string, two: string, three: string][] = [
  ['print of a text', 'print "a"', 'print("a")'],
  ['print of several', 'print "a", b', 'print("a", b)'],
  ['print with nothing', 'print', 'print()'],
  ['print without line end', 'print "a",', 'print("a", end=\' \')'],
  ['print to a file', 'print >>sys.stderr, "a", 1', 'print("a", 1, file=sys.stderr)'],
  ['print of a formatted text', 'print "%d" % (3,)', 'print("%d" % (3,))'],
  ['print in brackets, formatted', 'print ("%d") % 3', 'print(("%d") % 3)'],
  ['print as a call', 'print("a", b)', 'print("a", b)'],
  ['print of a pair in brackets', 'print ("a"), ("b")', 'print(("a"), ("b"))'],
  ['print after a colon', 'if x: print "y"', 'if x: print("y")'],
  ['print after a semicolon', 'a = 1; print a', 'a = 1; print(a)'],
  ['print with a comment', '  print a  # print b', '  print(a)  # print b'],
  ['print of a negative', 'print -1', 'print(-1)'],
  ['print of a list', 'print [1]', 'print([1])'],
  ['print as an attribute', 'x.print', 'x.print'],
  ['print inside a text', 's = """\nprint a\n"""', 's = """\nprint a\n"""'],
  ['raise with a text', 'raise ValueError, "x" % (1, 2)', 'raise ValueError("x" % (1, 2))'],
  ['raise with a trace', 'raise E, "x", tb', 'raise E("x")'],
  ['raise as it is now', 'raise ValueError("a, b")', 'raise ValueError("a, b")'],
  ['except with a name', 'except ValueError, e:', 'except ValueError as e:'],
  ['except of several', 'except (A, B), e:', 'except (A, B) as e:'],
  ['except of several without a name', 'except (A, B):', 'except (A, B):'],
  ['exec', 'exec "a = 1"', 'exec("a = 1")'],
  ['exec in a scope', 'exec code in scope', 'exec(code, scope)'],
  ['exec as a call', 'exec(code)', 'exec(code)'],
  ['octal numbers', 'os.chmod(f, 0644); x = 0; y = 00', 'os.chmod(f, 0o644); x = 0; y = 00'],
  ['long numbers', 'x = 10L + 0xffL', 'x = 10 + 0xff'],
  ['real numbers', 'x = 0.5 + 1e3', 'x = 0.5 + 1e3'],
  ['unequal', 'if a <> b: c = "<>"', 'if a != b: c = "<>"'],
  ['backquotes', 'x = `y` + `z + 1`', 'x = repr(y) + repr(z + 1)'],
  ['prefixed texts', 'x = u"a" + ur"\\b" + r\'c\'', 'x = "a" + r"\\b" + r\'c\''],
  ['a quote in a comment', "# don't\nprint 'x'", "# don't\nprint('x')"],
  ['an escaped quote', "print 'it\\'s', 1", "print('it\\'s', 1)"],
  ['a statement over lines', "disk = [ 'a',\n  'b' ]\nprint disk", "disk = [ 'a',\n  'b' ]\nprint(disk)"],
  ['a dictionary', "d = {'print': 1, 2: 3}", "d = {'print': 1, 2: 3}"],
  ['an unfinished text', "print 'abc\nx = 1", "print('abc)\nx = 1"],
];

describe('modernisePython', () => {
  it.each(rows)('%s', (_what, two, three) => {
    expect(modernisePython(two)).toBe(three);
  });

  it('keeps the number of lines, whatever it is given', () => {
    const pieces = ['print', ' ', '"', "'", '(', ')', '\n', '\\', 'raise', ',', 'x', '#', '`', ':', '0L', '"""'];
    let seed = 12345;
    for (let round = 0; round < 500; round++) {
      let source = '';
      for (let length = 0; length < 30; length++) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        source += pieces[(seed >>> 16) % pieces.length];
      }
      expect(modernisePython(source).split('\n').length).toBe(source.split('\n').length);
    }
  });
});
