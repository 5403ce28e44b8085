/**
 * Settings of one domain as the user gave them: first the globals that the configuration script left behind, then the
 * name=value words of the command line, which win.
 */
import { XendError } from '../xend-error.ts';
import type { ScriptValue } from './script.ts';
import type { Variable } from './variables.ts';
import { variableNamed } from './variables.ts';

export type SettingValue = string | number | readonly string[];
export type Settings = ReadonlyMap<string, SettingValue>;

/** A word name=value of the command line. */
export interface Assignment {
  readonly name: string;
  readonly value: string;
}

export function parseAssignment(word: string): Assignment | undefined {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(word);
  return match === null ? undefined : { name: match[1] ?? '', value: match[2] ?? '' };
}

/** Globals of unknown names or other types than text, number and list are the script's own business. */
export function collectSettings(script: Readonly<Record<string, ScriptValue>>, assignments: readonly Assignment[]): Settings {
  const settings = new Map<string, SettingValue>();
  for (const [name, value] of Object.entries(script)) {
    const variable = variableNamed(name);
    if (variable === undefined || value === null) continue;
    settings.set(name, convertScriptValue(variable, value));
  }
  const lists = new Map<string, string[]>();
  for (const { name, value } of assignments) {
    const variable = variableNamed(name);
    if (variable === undefined) continue;
    if (variable.type === 'list') {
      const list = lists.get(name) ?? [];
      list.push(value);
      lists.set(name, list);
      settings.set(name, list);
    } else settings.set(name, convertText(variable, value));
  }
  return settings;
}

function convertScriptValue(variable: Variable, value: Exclude<ScriptValue, null>): SettingValue {
  if (variable.type === 'list') {
    if (typeof value === 'string') return value === '' ? [] : [value];
    if (!Array.isArray(value)) throw new XendError(`${variable.name} must be a list of strings.`);
    return value.map((element) => {
      if (typeof element !== 'string') throw new XendError(`${variable.name} must be a list of strings.`);
      return element;
    });
  }
  if (Array.isArray(value)) {
    // cpus may be a list of numbers or texts.
    if (variable.type === 'string') return value.map((element) => String(element)).join(',');
    throw new XendError(`${variable.name} must not be a list.`);
  }
  if (typeof value === 'boolean') return convertText(variable, value ? '1' : '0');
  return convertText(variable, String(value));
}

function convertText(variable: Variable, text: string): SettingValue {
  switch (variable.type) {
    case 'string':
      return text;
    case 'list':
      return [text];
    case 'boolean': {
      const word = text.trim().toLowerCase();
      if (['yes', 'y', '1', 'true'].includes(word)) return 1;
      if (['no', 'n', '0', 'false', ''].includes(word)) return 0;
      throw new XendError(`Invalid value:${text}`);
    }
    case 'integer':
    case 'number': {
      const word = text.trim();
      const number = Number(word);
      const shape = variable.type === 'integer' ? /^[+-]?\d+$/ : /^[+-]?\d+(\.\d*)?$/;
      if (!shape.test(word) || !Number.isFinite(number) || Math.abs(number) > Number.MAX_SAFE_INTEGER)
        throw new XendError(`Invalid value for ${variable.name}: ${text}`);
      return number;
    }
  }
}

export function textSetting(settings: Settings, name: string): string {
  const value = settings.get(name);
  return value === undefined ? '' : typeof value === 'object' ? value.join(',') : String(value);
}

export function numberSetting(settings: Settings, name: string): number | undefined {
  const value = settings.get(name);
  return typeof value === 'number' ? value : undefined;
}

export function listSetting(settings: Settings, name: string): readonly string[] {
  const value = settings.get(name);
  return typeof value === 'object' ? value : [];
}
