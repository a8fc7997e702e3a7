import type { TranslationBundle } from '@jupyterlab/translation';

import { asObject, type IOptionField, keyOf, limitWords, type Options } from './optionFields.js';
import type { ISchema } from './optionSchema.js';
import { scalarWords } from './optionWords.js';

/** A value as it is entered in its field; empty if it has none. */
export function textOf(field: IOptionField, options: Readonly<Options>): string {
  const value = valueAt(options, field.path);
  if (value === undefined) {
    return '';
  }
  switch (field.kind) {
    case 'choice':
      return isUsual(field, value) ? '' : JSON.stringify(value);
    case 'lines':
      return Array.isArray(value) ? value.join('\n') : '';
    case 'pairs':
      return (
        Object.entries(asObject(value))
          .filter(([name]) => !field.schema.properties?.[name])
          // The server keeps no secrets: without its value such a line has to be completed.
          .map(([name, each]) => (each === null ? name : `${name}=${scalarWords(each)}`))
          .join('\n')
      );
    case 'json':
      return JSON.stringify(value, null, 1);
    default:
      return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  }
}

/** The choices of a field: what is entered for each, and what a person reads. */
export function choicesOf(field: IOptionField, trans: TranslationBundle): [string, string][] {
  const { choices, fallback, required } = field;
  const named = choices
    .filter(choice => !isUsual(field, choice))
    .map((choice): [string, string] => [JSON.stringify(choice), valueWords(choice, trans)]);
  if (typeof fallback === 'boolean' && named.length < choices.length) {
    return [['', valueWords(fallback, trans)], ...named];
  }
  return required && fallback === undefined ? named : [['', usualWords(field, trans)], ...named];
}

/** What a kernel gets if a field is left empty; the word "Default" if nothing is known. */
export function usualWords({ fallback }: IOptionField, trans: TranslationBundle): string {
  return fallback === undefined
    ? trans.__('Default')
    : trans.__('Default: %1', valueWords(fallback, trans));
}

/** Whether a value of yes or no is what the kernel gets anyway: there is no third choice. */
function isUsual({ fallback }: IOptionField, value: unknown): boolean {
  return typeof fallback === 'boolean' && value === fallback;
}

function valueWords(value: unknown, trans: TranslationBundle): string {
  if (typeof value === 'boolean') {
    return value ? trans.__('Yes') : trans.__('No');
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What was entered: the options, and by field (`path` joined by `/`) what is wrong. */
export interface IEntered {
  readonly options: Options;
  readonly errors: ReadonlyMap<string, string>;
}

/**
 * Read what was entered in fields, by their keys; what is empty is left to the kernelspec.
 *
 * This finds what a person can see without the server. The server decides.
 */
export function enteredOptions(
  fields: readonly IOptionField[],
  texts: ReadonlyMap<string, string>,
  trans: TranslationBundle
): IEntered {
  const options: Options = {};
  const errors = new Map<string, string>();
  for (const field of fields) {
    const text = texts.get(keyOf(field))?.trim() ?? '';
    if (!text) {
      if (field.required && field.fallback === undefined) {
        errors.set(keyOf(field), trans.__('This is needed.'));
      }
      continue;
    }
    try {
      const value = parsed(field, text, trans);
      const wrong = whatIsWrong(field.schema, value, trans);
      if (wrong) {
        errors.set(keyOf(field), wrong);
      } else {
        put(options, field.path, value);
      }
    } catch (error) {
      errors.set(keyOf(field), (error as Error).message);
    }
  }
  return { options, errors };
}

/** What may stand in a field that is entered as JSON. */
export function exampleOf(field: IOptionField): string {
  if (field.path[0] === 'tolerations') {
    return '[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]';
  }
  return field.schema.type === 'array' ? '["a", "b"]' : '{"a": "b"}';
}

function parsed(field: IOptionField, text: string, trans: TranslationBundle): unknown {
  switch (field.kind) {
    case 'choice':
      return JSON.parse(text) as unknown;
    case 'integer':
    case 'number': {
      const value = Number(text);
      if (!Number.isFinite(value) || (field.kind === 'integer' && !Number.isInteger(value))) {
        throw new Error(
          field.kind === 'integer' ? trans.__('Enter a whole number.') : trans.__('Enter a number.')
        );
      }
      return value;
    }
    case 'lines':
      return linesOf(text);
    case 'pairs': {
      const values = field.schema.additionalProperties as ISchema;
      return Object.fromEntries(
        linesOf(text).map(line => {
          const at = line.indexOf('=');
          if (at < 1) {
            throw new Error(trans.__('Enter NAME=VALUE, not "%1".', line));
          }
          const value = line.slice(at + 1).trim();
          return [
            line.slice(0, at).trim(),
            values.type === 'string' || isNaN(Number(value)) ? value : Number(value)
          ];
        })
      );
    }
    case 'json':
      try {
        return JSON.parse(text) as unknown;
      } catch {
        throw new Error(trans.__('This is not valid JSON. Write for example %1', exampleOf(field)));
      }
    default:
      return text;
  }
}

function whatIsWrong(schema: ISchema, value: unknown, trans: TranslationBundle): string {
  if (typeof value === 'number') {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = schema;
    const fits =
      value >= minimum && value <= maximum && value > exclusiveMinimum && value < exclusiveMaximum;
    return fits ? '' : limitWords(schema, trans);
  }
  if (typeof value === 'string' && value.length > (schema.maxLength ?? Infinity)) {
    return limitWords(schema, trans);
  }
  if (Array.isArray(value) && value.length > (schema.maxItems ?? Infinity)) {
    return limitWords(schema, trans);
  }
  return '';
}

/**
 * The field that the server's refusal is about: it names it as in `launch_options.cpus` or
 * `launch_options.resources["nvidia.com/gpu"]`. Null if it names none of them.
 */
export function fieldOfRefusal(
  message: string,
  fields: readonly IOptionField[]
): IOptionField | null {
  const named = /launch_options((?:\.[A-Za-z_]\w*|\["[^"]*"\])+)/.exec(message);
  const path = [...(named?.[1] ?? '').matchAll(/\.(\w+)|\["([^"]*)"\]/g)].map(
    ([, plain, quoted]) => plain ?? quoted
  );
  const isAt = (field: IOptionField, place: readonly string[]) =>
    field.path.length === place.length && field.path.every((name, at) => name === place[at]);
  return (
    fields.find(field => isAt(field, path.slice(0, 2))) ??
    fields.find(field => isAt(field, path.slice(0, 1))) ??
    fields.find(field => path.length > 0 && field.path[0] === path[0]) ??
    null
  );
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line);
}

function valueAt(options: Readonly<Options>, path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, name) => asObject(inside)[name], options);
}

/** Put a value in; an object joins what is there already. */
function put(options: Options, path: readonly string[], value: unknown): void {
  const [name, ...inside] = path;
  if (inside.length) {
    put((options[name] = asObject(options[name])), inside, value);
  } else {
    const before = asObject(options[name]);
    options[name] = Object.keys(before).length ? { ...before, ...asObject(value) } : value;
  }
}
