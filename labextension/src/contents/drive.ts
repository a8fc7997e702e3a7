import { URLExt } from '@jupyterlab/coreutils';
import { Contents, Drive, ServerConnection } from '@jupyterlab/services';
import type { Signal } from '@lumino/signaling';

import { choices, IKeptVersion } from './checkpointChoices.js';
import type { Choice, IConflict } from './conflict.js';
import { ConflictBodies } from './conflictBodies.js';
import { rememberFailure } from './failedRenames.js';
import type { IOpenDocument, IPage } from './pageOfDrive.js';
import { HeldVersions, kindOf, Version } from './heldVersions.js';
import { namedError } from '../page/namedError.js';
import { Refusal } from '../page/refusal.js';
import { sameContent } from './sameContent.js';
import { Ask, SaveQueue } from './saveQueue.js';
import { notebookText, settledOutputs } from './settledOutputs.js';
import { AGAIN_MS, isUnanswered, UnansweredSaves } from './unansweredSaves.js';

/** Files of a server that keeps versions have one; folders and other servers' files have none. */
type VersionedModel = Contents.IModel & { version?: Version | null };

type SaveOptions = Partial<Contents.IModel> & Contents.IContentProvisionOptions;

/**
 * The drive of JupyterLab for a server that keeps versions.
 *
 * Each save names the version that the page holds, and the server refuses it if the file has another
 * one by now; a person then decides. So the check and the write are one step, on the server. The
 * stock check (a question by the page before it writes) is therefore answered here: it would only
 * open a second dialog, and lets two pages pass at the same time.
 *
 * For files of a server that names no version this is the stock drive.
 */
export class VersionedDrive extends Drive {
  constructor(options: { serverSettings?: ServerConnection.ISettings } = {}) {
    const settings = options.serverSettings ?? ServerConnection.makeSettings();
    const conflicts = new ConflictBodies();
    super({ serverSettings: conflicts.keptBy(settings) });
    this._conflicts = conflicts;
    // Connected before anybody else, this is called before documents are.
    this.fileChanged.connect((_, { type, oldValue, newValue }) => {
      if (type === 'rename' && oldValue?.path && newValue?.path) {
        this._followRename(oldValue.path, newValue.path);
      }
    });
  }

  /** Set once the page can show dialogs; without it a conflict is an error like any other. */
  page: IPage | null = null;

  async newUntitled(options: Contents.ICreateOptions = {}): Promise<Contents.IModel> {
    this._requireCreate(`${options.path ?? ''}/untitled`);
    return super.newUntitled(options);
  }

  async copy(localPath: string, toLocalDir: string): Promise<Contents.IModel> {
    this._requireCreate(`${toLocalDir}/copy`);
    return super.copy(localPath, toLocalDir);
  }

  async get(localPath: string, options?: Contents.IFetchOptions): Promise<Contents.IModel> {
    if (this._hasProvider(options) || !options?.hash) {
      return super.get(localPath, options);
    }
    // Documents alone ask for hashes.
    if (options.content === false) {
      return this._check(localPath, options);
    }
    const kind = kindOf(options);
    const model: VersionedModel = await super.get(localPath, options);
    this._remember(localPath, kind, model);
    return model;
  }

  async save(localPath: string, options: SaveOptions = {}): Promise<Contents.IModel> {
    this._requireCreate(localPath);
    if (this._hasProvider(options)) {
      return super.save(localPath, options);
    }
    if (options.chunk !== undefined && options.chunk !== -1) {
      // The file has no new version before its last chunk.
      return super.save(localPath, options);
    }
    const kind = kindOf(options);
    const open = this.page?.openDocument(localPath, kind) ?? null;
    try {
      return await this._queue.run(localPath, kind, ask =>
        this._saveVersion(localPath, kind, open, options, ask)
      );
    } catch (error) {
      if ((error as Error).name === 'ModalDuplicateError') {
        open?.saveDropped();
      }
      throw error;
    }
  }

  /** Save again the open documents whose save was refused because nobody was signed in. */
  async saveRefused(): Promise<void> {
    const refused = [...this._unsaved.values()];
    this._unsaved.clear();
    for (const { path, kind } of refused) {
      try {
        await this.page?.openDocument(path, kind)?.save();
      } catch {
        // JupyterLab has shown why; the others are saved all the same.
      }
    }
  }

  async rename(oldLocalPath: string, newLocalPath: string): Promise<Contents.IModel> {
    this._requireChange(oldLocalPath);
    this._requireCreate(newLocalPath);
    // Their versions belong to that path.
    await this._queue.ended(oldLocalPath);
    return rememberFailure(super.rename(oldLocalPath, newLocalPath));
  }

  /**
   * Follow a document that another page has moved: what is open of the file, and the version held.
   *
   * A move by this page is known already.
   */
  async documentMoved(from: string, to: string): Promise<void> {
    // Their versions belong to the old path.
    await this._queue.ended(from);
    if (this._held.has(from)) {
      this._tellRename(from, to);
    }
  }

  async delete(localPath: string): Promise<void> {
    this._requireChange(localPath);
    await super.delete(localPath);
    this._held.forget(localPath);
  }

  /** What a file can go back to: JupyterLab offers it in "Revert to Checkpoint". */
  async listCheckpoints(localPath: string): Promise<Contents.ICheckpointModel[]> {
    const marked = super.listCheckpoints(localPath);
    if (!this._versioned) {
      return marked;
    }
    const [checkpoints, versions] = await Promise.all([marked, this._newestVersions(localPath)]);
    return choices(checkpoints, versions);
  }

  async restoreCheckpoint(localPath: string, checkpointID: string): Promise<void> {
    this._requireChange(localPath);
    await super.restoreCheckpoint(localPath, checkpointID);
  }

  /**
   * Tell each document that a rename has moved its own path.
   *
   * JupyterLab takes the path of a renamed folder for a regular expression: the documents in a folder
   * such as "Data (2)" would keep their old path.
   */
  private _followRename(from: string, to: string): void {
    for (const [path, moved] of this._held.rename(from, to)) {
      if (path !== from) {
        this._tellRename(path, moved);
      }
    }
  }

  private _tellRename(from: string, to: string): void {
    (this.fileChanged as Signal<this, Contents.IChangedArgs>).emit({
      type: 'rename',
      oldValue: { path: from },
      newValue: { path: to, name: to.slice(to.lastIndexOf('/') + 1) }
    });
  }

  /** The server would refuse it too, but with a message for programs. */
  private _requireCreate(path: string): void {
    const refusal = this.page?.whyNotCreate(path);
    if (refusal) {
      throw new Refusal(refusal);
    }
  }

  private _requireChange(path: string): void {
    const refusal = this.page?.whyNotChange(path);
    if (refusal) {
      throw new Refusal(refusal);
    }
  }

  /** Answer the question of a document before and after its save. */
  private async _check(path: string, options: Contents.IFetchOptions): Promise<Contents.IModel> {
    const saved = this._saved.get(path);
    if (saved) {
      // After a save: the version that this save made, not one that came since.
      this._saved.delete(path);
      return saved;
    }
    if (this._held.has(path)) {
      // Before a save: nothing that the document could find different from its own.
      return {
        name: path.slice(path.lastIndexOf('/') + 1),
        path,
        type: 'file',
        writable: true,
        created: NEVER,
        last_modified: NEVER,
        mimetype: '',
        content: null,
        format: null
      };
    }
    // No document of this path holds a version: this one is new here. What the server tells now is
    // what the document compares itself with, and what its save may replace.
    try {
      const model: VersionedModel = await super.get(path, options);
      if (model.version !== undefined && model.version !== null) {
        this._told.set(path, model.version);
      }
      return model;
    } catch (error) {
      if (
        this._versioned &&
        error instanceof ServerConnection.ResponseError &&
        error.response.status === 404
      ) {
        this._told.set(path, null);
      }
      throw error;
    }
  }

  private async _newestVersions(localPath: string): Promise<IKeptVersion[]> {
    const { baseUrl } = this.serverSettings;
    const url = URLExt.join(baseUrl, 'api/fleet/versions', URLExt.encodeParts(localPath));
    const asked = `${url}?newest=${OFFERED_VERSIONS}`;
    const response = await ServerConnection.makeRequest(asked, {}, this.serverSettings);
    if (response.status !== 200) {
      throw await ServerConnection.ResponseError.create(response);
    }
    return (await response.json()) as IKeptVersion[];
  }

  private async _saveVersion(
    asked: string,
    kind: string,
    open: IOpenDocument | null,
    options: SaveOptions,
    ask: Ask
  ): Promise<Contents.IModel> {
    // Where the document is: another page may have moved it, and this one not heard of that yet.
    let path = asked;
    let base = this._held.get(path, kind) ?? this._told.get(path);
    this._told.delete(path);
    for (;;) {
      const document = `${kind}:${path}`;
      try {
        const sent = base === undefined ? options : { ...options, base_version: base };
        const model: VersionedModel = await super.save(path, sent);
        this._unanswered.answered(document);
        if (this._remember(path, kind, model, options.content)) {
          this._answerOnce(asked, model);
        }
        return model;
      } catch (error) {
        const { page } = this;
        if (page && isSignedOut(error)) {
          // The page asks to sign in, once for everything, and then saves what is open here.
          this._unsaved.set(document, { path, kind });
          return this._giveUp(path, kind, 'cancel');
        }
        // Over a version that is named, the same save can be carried out once only.
        if (open && base !== undefined && isUnanswered(error)) {
          return this._saveAgain(path, kind, options.content, error);
        }
        const conflict = await this._conflicts.conflictOf(error, base);
        if (!conflict || !page) {
          throw error;
        }
        const moved = await open?.currentPath();
        if (moved !== undefined && moved !== path) {
          this._tellRename(path, moved);
          path = moved;
          base = this._held.get(path, kind);
          continue;
        }
        const theirs = await this._conflicting(path, options, conflict);
        const isTheirs = (content: unknown) =>
          !!theirs && sameContent(content, theirs.content, kind);
        if (theirs && isTheirs(options.content)) {
          // The conflict is with our own save, whose response was lost.
          this._unanswered.answered(document);
          this._remember(path, kind, theirs);
          const ours = { ...theirs, content: null, format: null };
          this._answerOnce(asked, ours);
          return ours;
        }
        if (theirs?.version && this._unanswered.has(document, isTheirs)) {
          // With our own save as well, after which more was written here.
          base = theirs.version;
          continue;
        }
        // Without what they have, the next save would drop it.
        const before = open?.followsKernel() ? this._held.text(path, kind) : null;
        const settled = theirs && settledOutputs(options.content, theirs.content, before);
        if (settled && theirs.version) {
          options = { ...options, content: settled };
          base = theirs.version;
          continue;
        }
        const canRevert = page.openDocument(path, kind) !== null;
        const choice = await ask(() => page.ask(path, conflict, canRevert));
        if (choice !== 'overwrite') {
          return this._giveUp(path, kind, choice);
        }
        base = conflict.version;
      }
    }
  }

  /**
   * End a save that nobody answered: with the error, or by making it again soon, of what is there by
   * then. If this one waited for it, what is written meanwhile would count as saved.
   */
  private _saveAgain(
    path: string,
    kind: string,
    content: unknown,
    error: unknown
  ): Promise<Contents.IModel> {
    if (!this._unanswered.add(`${kind}:${path}`, content)) {
      throw error;
    }
    setTimeout(() => {
      const saved = this.page?.openDocument(path, kind)?.save();
      // JupyterLab has shown why.
      saved?.catch(() => undefined);
    }, AGAIN_MS);
    return this._giveUp(path, kind, 'cancel');
  }

  /** End a save that the user gave up: with the server's version of the file, or with an error. */
  private async _giveUp(path: string, kind: string, choice: Choice): Promise<Contents.IModel> {
    const open = this.page!.openDocument(path, kind);
    if (choice === 'revert' && open) {
      await open.revert();
      return super.get(path, { content: false });
    }
    setTimeout(() => open?.saveEnded(), 0);
    // JupyterLab shows no error of this name.
    throw namedError('ModalCancelError', 'Cancel');
  }

  /** The file that a save met, as the server has it now; null if it cannot be compared. */
  private async _conflicting(
    path: string,
    options: SaveOptions,
    conflict: IConflict
  ): Promise<VersionedModel | null> {
    if (conflict.version === null || options.chunk !== undefined) {
      return null;
    }
    try {
      return await super.get(path, {
        type: options.type,
        ...(options.format ? { format: options.format } : {}),
        content: true,
        hash: true
      });
    } catch {
      // The file cannot be read as this kind; then it is not what we saved.
      return null;
    }
  }

  /** @returns whether the server keeps versions of this file. */
  private _remember(
    path: string,
    kind: string,
    model: VersionedModel,
    content: unknown = model.content
  ): boolean {
    if (model.version === undefined || model.version === null) {
      return false;
    }
    this._versioned = true;
    this._held.set(path, kind, model.version, notebookText(content));
    return true;
  }

  /** Keep the answer to a save for the document that asks for it as soon as its save returns. */
  private _answerOnce(path: string, model: Contents.IModel): void {
    this._saved.set(path, model);
    // Uploads do not ask; their answer must not meet the next document that does.
    setTimeout(() => this._saved.delete(path), 0);
  }

  private _hasProvider(options: Contents.IContentProvisionOptions | undefined): boolean {
    return !!this.contentProviderRegistry.getProvider(options?.contentProviderId);
  }

  private readonly _conflicts: ConflictBodies;
  private readonly _held = new HeldVersions();
  /** What a document without a version was told: a version, or null for "no such file". */
  private readonly _told = new Map<string, Version | null>();
  /** The responses to saves, each kept until its document has asked for it (see `_answerOnce`). */
  private readonly _saved = new Map<string, Contents.IModel>();
  private readonly _queue = new SaveQueue();
  /** The documents whose save was refused because nobody was signed in. */
  private readonly _unsaved = new Map<string, { path: string; kind: string }>();
  private readonly _unanswered = new UnansweredSaves();
  private _versioned = false;
}

/** How many of a file's newest versions are offered: a list that somebody looks through. */
const OFFERED_VERSIONS = 100;

/** Before any document was ever loaded. */
const NEVER = '1970-01-01T00:00:00.000000Z';

function isSignedOut(error: unknown): boolean {
  return error instanceof ServerConnection.ResponseError && error.response.status === 401;
}
