export default {
  printWidth: 132,
  singleQuote: true,
  plugins: ['./scripts/prettier-assemblyscript.mjs'],
  overrides: [
    {
      files: ['src/engine/cpu/**/*.ts', 'src/engine/pv/**/*.ts', 'src/engine/codec/assembly/**/*.ts'],
      excludeFiles: ['*.test.ts', '**/table/**', '**/testing/**', '**/layout.ts'],
      options: { parser: 'assemblyscript' },
    },
  ],
};
