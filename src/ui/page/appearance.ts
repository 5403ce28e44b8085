/** Light or dark: as the system says, or as the user chose; terminals follow. */
import type { ITheme } from '@xterm/xterm';

export type Appearance = 'system' | 'light' | 'dark';

const STORED = 'webxen-appearance';
const ORDER: readonly Appearance[] = ['system', 'light', 'dark'];
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function stored(): Appearance {
  const value = localStorage.getItem(STORED);
  return ORDER.find((one) => one === value) ?? 'system';
}

let chosen = stored();
apply();
systemDark.addEventListener('change', notify);

function apply(): void {
  document.documentElement.dataset['appearance'] = chosen;
}

function notify(): void {
  for (const listener of listeners) listener();
}

export function appearance(): Appearance {
  return chosen;
}

/** Goes on to the next choice: system, light, dark. */
export function nextAppearance(): Appearance {
  chosen = ORDER[(ORDER.indexOf(chosen) + 1) % ORDER.length] ?? 'system';
  localStorage.setItem(STORED, chosen);
  apply();
  notify();
  return chosen;
}

export function onAppearanceChange(listener: () => void): void {
  listeners.add(listener);
}

export function terminalTheme(): ITheme {
  return chosen === 'dark' || (chosen === 'system' && systemDark.matches) ? DARK : LIGHT;
}

// Sixteen colours a theme, each readable on its background (at least 4.5 to 1, the two greys nearest to it aside).
const DARK: ITheme = {
  background: '#12161d',
  foreground: '#d7dde6',
  cursor: '#5fd3bc',
  cursorAccent: '#12161d',
  selectionBackground: '#2d4a5a',
  black: '#2a313c',
  red: '#f2777a',
  green: '#8fce7e',
  yellow: '#e6c07b',
  blue: '#7cb0f5',
  magenta: '#c99bea',
  cyan: '#5fd3bc',
  white: '#d7dde6',
  brightBlack: '#8391a5',
  brightRed: '#ff9a9c',
  brightGreen: '#aee59f',
  brightYellow: '#f7d899',
  brightBlue: '#a3c9ff',
  brightMagenta: '#dfbcf7',
  brightCyan: '#8ceadb',
  brightWhite: '#ffffff',
};

const LIGHT: ITheme = {
  background: '#fcfcfa',
  foreground: '#242a33',
  cursor: '#0b6b5b',
  cursorAccent: '#fcfcfa',
  selectionBackground: '#c4e3dc',
  black: '#242a33',
  red: '#b3261e',
  green: '#2f6f1f',
  yellow: '#7a5600',
  blue: '#1d56b3',
  magenta: '#7c3aa8',
  cyan: '#0b6b5b',
  white: '#68707c',
  brightBlack: '#59616d',
  brightRed: '#c7372f',
  brightGreen: '#357d23',
  brightYellow: '#8a6200',
  brightBlue: '#2563c4',
  brightMagenta: '#8d46bd',
  brightCyan: '#0d7766',
  brightWhite: '#3a424e',
};
