/**
 * The interface to the Python interpreter that runs configuration files. It runs somewhere it can be ended, because the files
 * are anybody's code.
 */

export type ScriptValue = string | number | boolean | null | readonly ScriptValue[];

export interface ScriptRequest {
  /** Path of the file, for messages and for xm_file. */
  readonly path: string;
  /** Source as written; Python 2 forms are allowed. */
  readonly source: string;
  /** Defined as text variables before the script runs. */
  readonly assignments: Readonly<Record<string, string>>;
  /** Files the script may open, import or execute, by absolute path. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Directory in which relative names are looked up. */
  readonly directory: string;
  /** Value of xm_help: the script is only asked for its variables. */
  readonly help: boolean;
}

export type ScriptOutcome = {
  /** What the script printed. */
  readonly output: string;
} & (
  | {
      readonly kind: 'values';
      readonly values: Readonly<Record<string, ScriptValue>>;
      readonly declared: readonly DeclaredVariable[];
    }
  | {
      readonly kind: 'error';
      /** Line of the file, counted from 1; undefined when the fault lies elsewhere. */
      readonly line: number | undefined;
      /** Kind of the exception and its text, such as "NameError: name 'x' isn't defined". */
      readonly message: string;
    }
  /** A declared variable refused its value. */
  | { readonly kind: 'refused'; readonly variable: string; readonly message: string }
  | { readonly kind: 'timeout'; readonly limitMs: number }
);

/** Declared by the script with xm_vars.var(). */
export interface DeclaredVariable {
  readonly name: string;
  readonly use: string;
}

export interface ScriptEvaluator {
  /** Resolves in every case; rejects only when the interpreter itself cannot be had. */
  evaluate(request: ScriptRequest): Promise<ScriptOutcome>;
}
