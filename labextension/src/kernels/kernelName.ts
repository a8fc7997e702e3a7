/** What the page knows of a kernelspec. */
export interface ISpec {
  language?: string;
}

/** Names of Python kernelspecs elsewhere: from ipykernel and nb_conda_kernels. */
const NAMES_OF_PYTHON = /^(python[-_]?[0-9.]*|conda-(.+-)?py)$/i;

/**
 * The kernelspec for a notebook that was saved with `name`, or null if there is nothing to
 * change: the name is known, or no kernelspec of its language is the obvious one.
 */
export function kernelFor(
  name: string | undefined,
  language: string | undefined,
  specs: { [name: string]: ISpec | undefined },
  defaultName: string
): string | null {
  if (!name || name in specs) {
    return null;
  }
  const wanted = (language || (NAMES_OF_PYTHON.test(name) ? 'python' : '')).toLowerCase();
  if (!wanted) {
    return null;
  }
  const candidates = Object.keys(specs).filter(
    each => specs[each]?.language?.toLowerCase() === wanted
  );
  if (candidates.includes(defaultName)) {
    return defaultName;
  }
  return candidates.length === 1 ? candidates[0] : null;
}
