import { VersionedDrive } from '../lib/contents/drive.js';
import { kindOf } from '../lib/contents/heldVersions.js';

/** A page of ann's: a drive, open documents, and a person who answers questions. */
export class OpenPage {
  /** What the person was asked: `path`, `conflict`, `canRevert`. */
  questions = [];
  /** The answers to one question after the other: choices, promises of them, or functions. */
  answers = [];
  /** Why ann may do nothing; null if she may. */
  refusal = null;

  constructor(server) {
    this.drive = new VersionedDrive({ serverSettings: server.settings });
    this.drive.page = {
      openDocument: (path, kind) =>
        this._documents.find(open => open.path === path && open.kind === kind) ?? null,
      ask: async (path, conflict, canRevert) => {
        this.questions.push({ path, conflict, canRevert });
        const answer = this.answers.shift();
        return typeof answer === 'function' ? answer() : answer;
      },
      whyNotCreate: path => this.refusal && `${this.refusal}: create ${path}`,
      whyNotChange: path => this.refusal && `${this.refusal}: change ${path}`
    };
  }

  /** Open a document that the server has. */
  async open(path, how) {
    const document = this.create(path, how);
    await document.revert();
    return document;
  }

  /** Open a document that the server does not have yet. */
  create(path, how = { type: 'file', format: 'text' }) {
    const document = new OpenDocument(this.drive, path, how);
    this._documents.push(document);
    return document;
  }

  close(document) {
    this._documents.splice(this._documents.indexOf(document), 1);
  }

  _documents = [];
}

/** A document that talks to its drive as JupyterLab's do (see `Context` in its docregistry). */
class OpenDocument {
  content = '';
  hash = undefined;
  /** How often the page was told that a save came to nothing. */
  ended = 0;
  /** How often it was told that a save ended because of another one. */
  dropped = 0;
  /** Whether it has a kernel that it is connected to. */
  hasKernel = true;
  /** Where its session is, if another page has moved it. */
  sessionPath = null;

  constructor(drive, path, how) {
    this.path = path;
    this.kind = kindOf(how);
    this._drive = drive;
    this._how = how;
    drive.fileChanged.connect((_, { type, oldValue, newValue }) => {
      if (type === 'rename' && this.path.startsWith(oldValue.path)) {
        this.path =
          this.path === oldValue.path
            ? newValue.path
            : this.path.replace(new RegExp(`^${oldValue.path}/`), `${newValue.path}/`);
      }
    });
  }

  followsKernel() {
    return this.hasKernel;
  }

  async revert() {
    const model = await this._drive.get(this.path, { ...this._how, content: true, hash: true });
    this.content = model.content;
    this.hash = model.hash;
  }

  async save(content = this.content) {
    const { path } = this;
    this.content = content;
    const found = await this._ask(path);
    if (this.hash !== undefined && found?.hash !== undefined && found.hash !== this.hash) {
      throw new Error('JupyterLab asks its own question');
    }
    const model = await this._drive.save(path, { ...this._how, content });
    this.hash = (await this._ask(path))?.hash;
    return model;
  }

  saveEnded() {
    this.ended += 1;
  }

  saveDropped() {
    this.dropped += 1;
  }

  async currentPath() {
    this.path = this.sessionPath ?? this.path;
    return this.path;
  }

  async _ask(path) {
    try {
      return await this._drive.get(path, { content: false, hash: true });
    } catch (error) {
      if (error.response?.status !== 404) {
        throw error;
      }
      return null;
    }
  }
}
