import { ServerConnection } from '@jupyterlab/services';

import { type IConflict, readConflict } from './conflict.js';
import type { Version } from './heldVersions.js';

/** What the server says of conflicts. JupyterLab's error reads the body, and keeps the message alone. */
export class ConflictBodies {
  /** These settings, with a `fetch` that keeps the bodies. */
  keptBy(settings: ServerConnection.ISettings): ServerConnection.ISettings {
    return {
      ...settings,
      fetch: async (input: RequestInfo, init?: RequestInit) => {
        const response = await settings.fetch.call(null, input, init);
        if (response.status === 409) {
          const body = response.clone().json();
          this._bodies.set(
            response,
            body.catch(() => null)
          );
        }
        return response;
      }
    };
  }

  /** The conflict that a save over `base` has met; null if the error is another one. */
  async conflictOf(error: unknown, base: Version | null | undefined): Promise<IConflict | null> {
    if (!(error instanceof ServerConnection.ResponseError)) {
      return null;
    }
    if (error.response.status === 404 && base !== undefined && base !== null) {
      return { version: null, last_modified: null, saved_by: null };
    }
    return readConflict(await this._bodies.get(error.response));
  }

  private readonly _bodies = new WeakMap<Response, Promise<unknown>>();
}
