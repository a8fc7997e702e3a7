/** The part of JSON Schema that launch options use. */
export interface ISchema {
  readonly type?: string | readonly string[];
  /** `kubernetes-quantity` and `spark-size`: texts with a unit, whose bounds are amounts. */
  readonly format?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly examples?: readonly unknown[];
  readonly items?: ISchema | boolean;
  readonly properties?: Readonly<Record<string, ISchema | boolean>>;
  readonly additionalProperties?: ISchema | boolean;
  readonly required?: readonly string[];
  readonly allOf?: readonly (ISchema | boolean)[];
}

const LARGEST_WINS = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems'] as const;
const SMALLEST_WINS = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems'] as const;

/**
 * One schema that says what a schema and all of its `allOf` say together, as far as a form shows it.
 *
 * @returns false if nothing fulfills it.
 */
export function flattened(schema: ISchema | boolean): ISchema | false {
  if (typeof schema === 'boolean') {
    return schema && {};
  }
  const { allOf, properties, ...own } = schema;
  let whole: ISchema = 'const' in own ? { ...own, enum: [own.const] } : own;
  if (properties) {
    const flat = Object.entries(properties).flatMap(([name, property]) => {
      const flatProperty = flattened(property);
      return flatProperty ? [[name, flatProperty] as const] : [];
    });
    whole = { ...whole, properties: Object.fromEntries(flat) };
  }
  for (const part of allOf ?? []) {
    const flat = flattened(part);
    if (!flat) {
      return false;
    }
    whole = narrowed(whole, flat, forbidden(part));
  }
  return whole;
}

/** The names that a schema forbids as properties. */
function forbidden(schema: ISchema | boolean): string[] {
  const properties = typeof schema === 'boolean' ? {} : (schema.properties ?? {});
  return Object.keys(properties).filter(name => properties[name] === false);
}

function narrowed(one: ISchema, other: ISchema, without: readonly string[]): ISchema {
  const both: Record<string, unknown> = { ...one, ...other };
  for (const key of LARGEST_WINS) {
    const values = [one[key], other[key]].filter(value => value !== undefined);
    if (values.length) {
      both[key] = Math.max(...values);
    }
  }
  for (const key of SMALLEST_WINS) {
    const values = [one[key], other[key]].filter(value => value !== undefined);
    if (values.length) {
      both[key] = Math.min(...values);
    }
  }
  if (one.enum && other.enum) {
    const allowed = other.enum.map(value => JSON.stringify(value));
    both.enum = one.enum.filter(value => allowed.includes(JSON.stringify(value)));
  }
  if (one.required || other.required) {
    both.required = [...(one.required ?? []), ...(other.required ?? [])];
  }
  if (one.properties || other.properties) {
    const properties: Record<string, ISchema> = {};
    for (const name of Object.keys({ ...one.properties, ...other.properties })) {
      const found = [one, other].flatMap(({ properties: of }) => of?.[name] ?? []) as ISchema[];
      if (!without.includes(name)) {
        properties[name] = found.length > 1 ? narrowed(found[0], found[1], []) : found[0];
      }
    }
    both.properties = properties;
  }
  return both;
}
