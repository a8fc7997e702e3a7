import type { TranslationBundle } from '@jupyterlab/translation';

import { flattened, type ISchema } from './optionSchema.js';

/** How a person enters a value. */
export type FieldKind =
  /** One of a few values. */
  | 'choice'
  | 'text'
  | 'integer'
  | 'number'
  /** One value a line. */
  | 'lines'
  /** `NAME=VALUE` a line. */
  | 'pairs'
  /** Anything else. */
  | 'json';

/** One thing that a person may choose before a kernel is started. */
export interface IOptionField {
  /** Where it is in the options: the property, or the property and one inside it. */
  readonly path: readonly string[];
  readonly label: string;
  readonly help: string;
  readonly kind: FieldKind;
  /** The values of a choice. */
  readonly choices: readonly unknown[];
  readonly required: boolean;
  /** What the kernel gets if nothing is entered; undefined if nothing is known. */
  readonly fallback: unknown;
  readonly schema: ISchema;
}

type Options = Record<string, unknown>;

/** Labels of the properties that the server knows; a kernelspec's `title` comes first. */
function wellKnown(trans: TranslationBundle): Record<string, string> {
  return {
    image: trans.__('Image'),
    cpus: trans.__('CPUs'),
    cpus_limit: trans.__('CPUs at most'),
    memory: trans.__('Memory'),
    memory_limit: trans.__('Memory at most'),
    resources: trans.__('Resources'),
    queue: trans.__('Queue'),
    priority_class: trans.__('Priority class'),
    scheduler: trans.__('Scheduler'),
    tolerations: trans.__('Tolerations'),
    node_pool: trans.__('Node pool'),
    environment: trans.__('Environment'),
    spark: trans.__('Spark')
  };
}

/** The name of an option for a person. */
export function optionLabel(path: readonly string[], trans: TranslationBundle): string {
  const [name, ...inside] = path;
  return [wellKnown(trans)[name] ?? name, ...inside].join(': ');
}

/** The fields of a form for the options that a schema allows, in the schema's order. */
export function optionFields(
  schema: ISchema,
  defaults: Readonly<Options>,
  trans: TranslationBundle
): IOptionField[] {
  const whole = flattened(schema);
  return whole ? fieldsIn(whole, defaults, [], trans) : [];
}

function fieldsIn(
  schema: ISchema,
  defaults: Readonly<Options>,
  above: readonly string[],
  trans: TranslationBundle
): IOptionField[] {
  const required = schema.required ?? [];
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const inner = property as ISchema;
    const path = [...above, name];
    const fallback = defaults[name] ?? inner.default;
    const fields =
      inner.properties && !above.length ? fieldsIn(inner, asObject(fallback), path, trans) : [];
    // An object takes more than what it names, unless it says that it does not.
    const open = !!inner.additionalProperties || !fields.length;
    if (!open) {
      return fields;
    }
    const own = {
      path,
      label: inner.title ?? optionLabel(path, trans),
      help: [inner.description ?? '', limitWords(inner, trans)].filter(text => text).join(' '),
      ...inputOf(inner),
      required: required.includes(name),
      fallback: fields.length ? undefined : fallback,
      schema: inner
    };
    return [...fields, own];
  });
}

function inputOf(schema: ISchema): Pick<IOptionField, 'kind' | 'choices'> {
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  const [type] = types.filter(each => each !== 'null');
  if (schema.enum) {
    return { kind: 'choice', choices: schema.enum };
  }
  switch (type) {
    case 'boolean':
      return { kind: 'choice', choices: [true, false] };
    case 'integer':
    case 'number':
    case 'string':
      return { kind: type === 'string' ? 'text' : type, choices: [] };
    case 'array': {
      const items = typeof schema.items === 'object' ? schema.items.type : undefined;
      return { kind: items === 'string' ? 'lines' : 'json', choices: [] };
    }
    case 'object': {
      const values = schema.additionalProperties;
      const scalar =
        typeof values === 'object' &&
        ['string', 'integer', 'number'].some(type => type === values.type);
      return { kind: scalar ? 'pairs' : 'json', choices: [] };
    }
    default:
      return { kind: 'json', choices: [] };
  }
}

/** The limits of a value, for a person; empty if there are none or the input shows them. */
export function limitWords(schema: ISchema, trans: TranslationBundle): string {
  const { minimum: least, maximum: most } = schema;
  const words = [];
  if (least !== undefined && most !== undefined) {
    words.push(trans.__('%1 to %2.', least, most));
  } else if (least !== undefined) {
    words.push(trans.__('At least %1.', least));
  } else if (most !== undefined) {
    words.push(trans.__('At most %1.', most));
  }
  if (schema.exclusiveMinimum !== undefined) {
    words.push(trans.__('More than %1.', schema.exclusiveMinimum));
  }
  if (schema.exclusiveMaximum !== undefined) {
    words.push(trans.__('Less than %1.', schema.exclusiveMaximum));
  }
  if (schema.maxLength !== undefined) {
    words.push(trans.__('At most %1 characters.', schema.maxLength));
  }
  if (schema.maxItems !== undefined) {
    words.push(trans.__('At most %1 entries.', schema.maxItems));
  }
  return words.join(' ');
}

/** A value as it is entered in its field; empty if it has none. */
export function textOf(field: IOptionField, options: Readonly<Options>): string {
  const value = valueAt(options, field.path);
  if (value === undefined) {
    return '';
  }
  switch (field.kind) {
    case 'choice':
      return JSON.stringify(value);
    case 'lines':
      return Array.isArray(value) ? value.join('\n') : '';
    case 'pairs':
      return Object.entries(asObject(value))
        .filter(([name]) => !field.schema.properties?.[name])
        .map(([name, each]) => `${name}=${String(each)}`)
        .join('\n');
    case 'json':
      return JSON.stringify(value, null, 1);
    default:
      return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  }
}

/** What was entered: the options, and by field (`path` joined by `/`) what is wrong. */
export interface IEntered {
  readonly options: Options;
  readonly errors: ReadonlyMap<string, string>;
}

/** A field as a key. */
export function keyOf(field: IOptionField): string {
  return field.path.join('/');
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
        throw new Error(trans.__('This is not valid JSON.'));
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

/** The field that the server's refusal names; null if it names none of them. */
export function fieldOfRefusal(
  message: string,
  fields: readonly IOptionField[]
): IOptionField | null {
  const named = (names: readonly string[]) =>
    names.every(name => {
      const exact = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      return new RegExp(`(^|[^\\w.-])${exact}($|[^\\w-])`).test(message);
    });
  const found = fields.filter(({ path }) => named(path));
  // The one that it names first; of those the most exact one.
  const first = (field: IOptionField) => message.indexOf(field.path[0]);
  found.sort((a, b) => first(a) - first(b) || b.path.length - a.path.length);
  return found[0] ?? fields.find(({ path }) => named(path.slice(0, 1))) ?? null;
}

/** Options as lines for a person: what each is called and its value. */
export function optionLines(
  options: Readonly<Options>,
  trans: TranslationBundle
): [string, string][] {
  return Object.entries(options).map(([name, value]) => [
    optionLabel([name], trans),
    typeof value === 'string' ? value : inWords(value)
  ]);
}

function inWords(value: unknown): string {
  if (Array.isArray(value)) {
    return value
      .map(each => (typeof each === 'object' ? JSON.stringify(each) : String(each)))
      .join(', ');
  }
  if (value !== null && typeof value === 'object') {
    return Object.entries(value)
      .map(
        ([name, each]) =>
          `${name}=${typeof each === 'object' ? JSON.stringify(each) : String(each)}`
      )
      .join(', ');
  }
  return String(value);
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line);
}

function asObject(value: unknown): Options {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Options)
    : {};
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
