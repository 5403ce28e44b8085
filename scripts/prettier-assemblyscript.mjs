/**
 * Lets prettier format AssemblyScript, which is TypeScript except that decorators (@inline, @external ...) may stand before
 * functions and variables. Such a decorator, on a line of its own, is shown to the TypeScript parser as a comment and printed
 * back as a decorator.
 */
import estree from 'prettier/plugins/estree';
import typescript from 'prettier/plugins/typescript';

const MARK = '//@decorator:';
const base = typescript.parsers.typescript;
const basePrinter = estree.printers.estree;

export const parsers = {
  assemblyscript: {
    ...base,
    astFormat: 'assemblyscript',
    parse(text, options) {
      const shown = text.replace(/^@(\w+(?:\(.*\))?)[ \t]*$/gm, `${MARK}$1`);
      options.originalText = shown;
      return base.parse(shown, options);
    },
  },
};

export const printers = {
  assemblyscript: {
    ...basePrinter,
    printComment(path, options) {
      const text = options.originalText.slice(options.locStart(path.node), options.locEnd(path.node));
      return text.startsWith(MARK) ? `@${text.slice(MARK.length).trim()}` : basePrinter.printComment(path, options);
    },
  },
};
