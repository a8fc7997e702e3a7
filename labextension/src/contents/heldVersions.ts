/** A version as the server names it: opaque, only ever sent back. */
export type Version = string | number;

interface IHeldVersion {
  readonly version: Version;
  readonly text: string | null;
}

/**
 * Which version of which file this page holds.
 *
 * One path may be held more than once: JupyterLab opens one document for each kind of model, so a
 * notebook opened as notebook and as text is held twice, in versions of their own. `kind` tells them
 * apart (see `kindOf`).
 */
export class HeldVersions {
  /** The version that the document of this path and kind holds; undefined if it holds none. */
  get(path: string, kind: string): Version | undefined {
    return this._held.get(path)?.get(kind)?.version;
  }

  /** What that version says beside outputs (see `notebookText`); null if nobody knows. */
  text(path: string, kind: string): string | null {
    return this._held.get(path)?.get(kind)?.text ?? null;
  }

  /** Whether any document of this path holds a version. */
  has(path: string): boolean {
    return this._held.has(path);
  }

  set(path: string, kind: string, version: Version, text: string | null = null): void {
    const kinds = this._held.get(path) ?? new Map<string, IHeldVersion>();
    kinds.set(kind, { version, text });
    this._held.set(path, kinds);
  }

  /**
   * Follow a rename of a file, or of a folder with all that is below it.
   *
   * The versions stay: a rename changes no content, and whatever version its answer names may hold
   * an edit that this page has not seen.
   *
   * @returns what was renamed with it: the old path and the new one of each file that is held.
   */
  rename(from: string, to: string): [string, string][] {
    const renamed: [string, string][] = [];
    for (const [path, kinds] of [...this._held]) {
      const moved = movedPath(path, from, to);
      if (moved !== null) {
        this._held.delete(path);
        this._held.set(moved, kinds);
        renamed.push([path, moved]);
      }
    }
    return renamed;
  }

  /** Forget a file, or a folder with all that is below it. */
  forget(path: string): void {
    for (const held of [...this._held.keys()]) {
      if (movedPath(held, path, path) !== null) {
        this._held.delete(held);
      }
    }
  }

  private _held = new Map<string, Map<string, IHeldVersion>>();
}

/** What distinguishes documents of one path: the type and format that JupyterLab requests. */
export function kindOf(model: { type?: string; format?: string | null }): string {
  // A notebook is always JSON, whether or not the request says so.
  return model.type === 'notebook' ? 'notebook' : `${model.type ?? 'file'}/${model.format ?? ''}`;
}

/** Where `path` is after `from` became `to`; null if it is neither `from` nor below it. */
export function movedPath(path: string, from: string, to: string): string | null {
  if (path === from) {
    return to;
  }
  return path.startsWith(`${from}/`) ? to + path.slice(from.length) : null;
}
