import { ServerConnection } from '@jupyterlab/services';

const BASE = 'http://lab.example/';
const CONTENTS = '/api/contents/';
const VERSIONS = '/api/fleet/versions/';

/** The contents of a server that keeps versions, and what it was asked. */
export class VersionedServer {
  /** Each file by its path: `version`, `type`, `format`, `content`, `savedBy`, `modified`. */
  files = new Map();
  /** Each request: `method`, `path`, `query`, and `body` as an object. */
  requests = [];
  /** Every version that was saved: `path`, `version`, `created`, `saved_by`. */
  history = [];
  /** The checkpoints that it tells, of whatever file. */
  checkpoints = [];
  /** Whether models and refusals name versions. */
  versioned = true;
  signedIn = true;
  /** Called with each request before it is carried out; a status that it returns is the answer. */
  before = async () => undefined;
  /** How many of the next saves are carried out without an answer. */
  answersToLose = 0;

  get settings() {
    return ServerConnection.makeSettings({
      baseUrl: BASE,
      fetch: request => this._fetch(request)
    });
  }

  /** Save as somebody else does, whatever is there. */
  save(path, content, { savedBy = 'bob', type = 'file', format = 'text' } = {}) {
    this._clock += 60;
    const modified = new Date(1e12 + this._clock * 1000).toISOString();
    const version = `v${(this._versions += 1)}`;
    this.files.set(path, { version, type, format, content, savedBy, modified });
    this.history.push({ path, version, created: modified, saved_by: savedBy });
    return version;
  }

  /** Rename a file, or a folder with all that is in it. */
  rename(from, to) {
    for (const [path, file] of [...this.files]) {
      if (path === from || path.startsWith(`${from}/`)) {
        this.files.delete(path);
        this.files.set(to + path.slice(from.length), file);
      }
    }
  }

  /** The saves that were sent: where, over which version ("any" if none was named), and what. */
  get saves() {
    return this.requests
      .filter(({ method }) => method === 'PUT')
      .map(({ path, body }) => [
        path,
        'base_version' in body ? body.base_version : 'any',
        body.content
      ]);
  }

  /** What was asked since the last call, in the form "GET a.txt". */
  asked() {
    const asked = this.requests.slice(this._told).map(({ method, path }) => `${method} ${path}`);
    this._told = this.requests.length;
    return asked;
  }

  async _fetch(request) {
    const url = new URL(request.url);
    if (url.pathname.startsWith(VERSIONS)) {
      return this._history(url);
    }
    const text = await request.text();
    const asked = {
      method: request.method,
      path: decodeURIComponent(url.pathname.slice(CONTENTS.length)),
      query: url.searchParams,
      body: text ? JSON.parse(text) : null
    };
    this.requests.push(asked);
    const status = await this.before(asked);
    if (status !== undefined || !this.signedIn) {
      return answer(status ?? 401, { message: 'no' });
    }
    const response = this[`_${asked.method}`](asked);
    if (asked.method === 'PUT' && this.answersToLose > 0) {
      this.answersToLose -= 1;
      throw new TypeError('Failed to fetch');
    }
    return response;
  }

  _history(url) {
    const path = decodeURIComponent(url.pathname.slice(VERSIONS.length));
    const saved = this.history.filter(each => each.path === path);
    const newest = saved.slice(-Number(url.searchParams.get('newest')));
    return answer(200, newest);
  }

  _GET({ path, query }) {
    if (path.endsWith('/checkpoints')) {
      return answer(200, this.checkpoints);
    }
    const file = this.files.get(path);
    if (!file) {
      return answer(404, { message: 'no such file' });
    }
    const type = query.get('type') ?? file.type;
    if (query.get('content') === '1' && type === 'notebook' && typeof file.content === 'string') {
      return answer(400, { message: 'not a notebook' });
    }
    return answer(200, this._model(path, query.get('content') === '1'));
  }

  _PUT({ path, body }) {
    if (body.chunk !== undefined && body.chunk !== -1) {
      return answer(201, { ...this._model(path, false), version: null });
    }
    const found = this.files.get(path);
    if (this.versioned && 'base_version' in body) {
      const base = body.base_version;
      if (base !== null && !found) {
        return answer(404, { message: 'no such file' });
      }
      if (base !== (found?.version ?? null)) {
        return answer(409, {
          message: 'the file has another version',
          version: found.version,
          last_modified: found.modified,
          saved_by: found.savedBy
        });
      }
    }
    this.save(path, body.content, { savedBy: 'ann', type: body.type, format: body.format });
    return answer(found ? 200 : 201, this._model(path, false));
  }

  _PATCH({ path, body }) {
    this.rename(path, body.path);
    return answer(200, this._model(body.path, false));
  }

  _POST({ path }) {
    return path.includes('/checkpoints') ? answer(204) : answer(201, this._model(path, false));
  }

  _DELETE({ path }) {
    for (const held of [...this.files.keys()]) {
      if (held === path || held.startsWith(`${path}/`)) {
        this.files.delete(held);
      }
    }
    return answer(204);
  }

  _model(path, withContent) {
    const file = this.files.get(path);
    const modified = file?.modified ?? new Date(0).toISOString();
    return {
      name: path.slice(path.lastIndexOf('/') + 1),
      path,
      type: file?.type ?? 'directory',
      writable: true,
      created: modified,
      last_modified: modified,
      mimetype: null,
      content: withContent ? file.content : null,
      format: withContent ? file.format : null,
      ...(this.versioned && file ? { version: file.version, hash: `hash of ${file.version}` } : {})
    };
  }

  _clock = 0;
  _versions = 0;
  _told = 0;
}

function answer(status, body) {
  return new Response(body === undefined ? null : JSON.stringify(body), { status });
}
