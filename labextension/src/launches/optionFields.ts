import type { TranslationBundle } from '@jupyterlab/translation';

import { flattened, type ISchema } from './optionSchema.js';
import { optionLabel } from './optionWords.js';

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

/** Options as they are sent. */
export type Options = Record<string, unknown>;

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
      help: [asSentence(inner.description ?? ''), limitWords(inner, trans, isSize(path, inner))]
        .filter(text => text)
        .join(' '),
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
  // A text can say all that a number can.
  const type = types.includes('string') ? 'string' : types.find(each => each !== 'null');
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

function asSentence(text: string): string {
  return /[\p{L}\p{N})]$/u.test(text) ? `${text}.` : text;
}

/**
 * The limits of a value, for a person; empty if there are none.
 *
 * @param size - Whether its bounds are bytes.
 */
export function limitWords(schema: ISchema, trans: TranslationBundle, size = false): string {
  const amount = (bound: number) => (size ? bytesText(bound) : String(bound));
  const { minimum: least, maximum: most } = schema;
  const words = [];
  if (least !== undefined && most !== undefined) {
    words.push(trans.__('%1 to %2.', amount(least), amount(most)));
  } else if (least !== undefined) {
    words.push(trans.__('At least %1.', amount(least)));
  } else if (most !== undefined) {
    words.push(trans.__('At most %1.', amount(most)));
  }
  if (schema.exclusiveMinimum !== undefined) {
    words.push(trans.__('More than %1.', amount(schema.exclusiveMinimum)));
  }
  if (schema.exclusiveMaximum !== undefined) {
    words.push(trans.__('Less than %1.', amount(schema.exclusiveMaximum)));
  }
  if (schema.maxLength !== undefined) {
    words.push(trans.__('At most %1 characters.', schema.maxLength));
  }
  if (schema.maxItems !== undefined) {
    words.push(trans.__('At most %1 entries.', schema.maxItems));
  }
  return words.join(' ');
}

/** Whether the bounds of an option are bytes, although its values are texts such as `4Gi`. */
function isSize(path: readonly string[], schema: ISchema): boolean {
  return path[0] === 'memory' || path[0] === 'memory_limit' || schema.format === 'spark-size';
}

/** A number of bytes in the greatest unit of which it is a multiple. */
function bytesText(bytes: number): string {
  for (const [unit, size] of [
    ['Ti', 1024 ** 4],
    ['Gi', 1024 ** 3],
    ['Mi', 1024 ** 2],
    ['Ki', 1024]
  ] as const) {
    if (bytes && bytes % size === 0) {
      return `${bytes / size}${unit}`;
    }
  }
  return String(bytes);
}

/** A field as a key. */
export function keyOf(field: IOptionField): string {
  return field.path.join('/');
}

/** A value as an object; one without members if it is none. */
export function asObject(value: unknown): Options {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Options)
    : {};
}
