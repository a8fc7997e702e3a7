import type { TranslationBundle } from '@jupyterlab/translation';

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

/** Options as lines for a person: what each is called and its value. */
export function optionLines(
  options: Readonly<Record<string, unknown>>,
  trans: TranslationBundle
): [string, string][] {
  return Object.entries(options).map(([name, value]) => [
    optionLabel([name], trans),
    inWords(value)
  ]);
}

function inWords(value: unknown): string {
  if (Array.isArray(value)) {
    return value.map(scalarWords).join(', ');
  }
  if (value !== null && typeof value === 'object') {
    return Object.entries(value)
      .map(([name, each]) => (each === null ? name : `${name}=${scalarWords(each)}`))
      .join(', ');
  }
  return scalarWords(value);
}

/** A value without members. */
export function scalarWords(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
