import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { CodeCell } from '@jupyterlab/cells';
import { URLExt } from '@jupyterlab/coreutils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { ITranslator, type TranslationBundle } from '@jupyterlab/translation';

import { HELD } from '../contents/heldMetadata.js';
import { ActionNotice } from '../page/actionNotice.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { holesOf, notKeptText } from '../stream/missingMessages.js';
import { inFleet } from '../user/pageUser.js';
import {
  endReason,
  failedWithoutCell,
  hasEnded,
  heldOf,
  type IKeptHead,
  type IKeptJournal,
  type IKeptRequest,
  type IShownCell,
  newsOf,
  outputsOf,
  parseKept,
  sameOutputs,
  withEnd,
  withHoles
} from './keptJournal.js';
import { type ILastOutput, showLastWords } from './lastWordsDialog.js';

/** So many kernels of a notebook are looked at, the last ones. */
const KERNELS = 3;
/** What a kernel said just before its end needs this time to the store. */
const ON_ITS_WAY_MS = 3_000;
const V1 = 'v1.kernel.websocket.jupyter.org';

/** Says above a notebook if its last kernel, which has ended, said more than the notebook shows. */
export const lastWords: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:last-words',
  description: 'Shows what a kernel said before it ended while no page listened.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker, translator: ITranslator | null) => {
    if (!inFleet()) {
      return;
    }
    const trans = fleetBundle(translator);
    const { contents, serverSettings } = app.serviceManager;
    const pathOf = (panel: NotebookPanel) => contents.localPath(panel.context.path);
    tracker.widgetAdded.connect((_, panel) => {
      new LastWords(panel, () => pathOf(panel), serverSettings, trans);
    });
  }
};

interface IFound {
  readonly head: IKeptHead;
  readonly outputs: readonly ILastOutput[];
}

class LastWords {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _path: () => string,
    private readonly _settings: ServerConnection.ISettings,
    private readonly _trans: TranslationBundle
  ) {
    const { context, sessionContext } = _panel;
    this._notice = new ActionNotice(_trans.__('Close'));
    _panel.contentHeader.addWidget(this._notice);
    void Promise.all([context.ready, sessionContext.ready]).then(
      () => this._look(),
      () => undefined
    );
    sessionContext.statusChanged.connect((_, status) => {
      if (status === 'dead') {
        clearTimeout(this._later);
        this._later = setTimeout(() => void this._look(), ON_ITS_WAY_MS);
      }
    });
    _panel.disposed.connect(() => clearTimeout(this._later));
  }

  /** Look whether there is something to show. What cannot be asked now is no reason for an error. */
  private async _look(): Promise<void> {
    try {
      const found = await this._find();
      if (found && !this._panel.isDisposed) {
        this._tell(found.head, found.outputs);
      }
    } catch (error) {
      console.warn('What the last kernel of a notebook said cannot be read', error);
    }
  }

  private async _find(): Promise<IFound | null> {
    const path = URLExt.encodeParts(this._path());
    const list = await this._get(`api/fleet/journals/${path}`);
    if (!list) {
      return null;
    }
    const { journals } = (await list.json()) as { journals: IKeptJournal[] };
    const kernel = this._panel.sessionContext.session?.kernel;
    const living = kernel && kernel.status !== 'dead' ? kernel.id : null;
    if (journals.every(one => one.kernel === living)) {
      return null;
    }
    // What a later kernel has run is not news of an earlier one.
    const later = new Set<string | null>();
    for (const journal of journals.slice(0, KERNELS)) {
      const head = (await this._read(journal, true))?.head;
      if (!head) {
        continue;
      }
      const requests = head.requests.filter(({ cell }) => !later.has(cell));
      const news = hasEnded(head) ? newsOf(requests, this._cells()) : [];
      if (hasEnded(head) && !later.size) {
        news.push(...failedWithoutCell(requests));
      }
      const outputs = news.length ? await this._outputs(journal, news, head) : [];
      if (outputs.length) {
        return { head, outputs };
      }
      head.requests.forEach(({ cell }) => later.add(cell));
    }
    return null;
  }

  /** What requests said, unless the cells show that already: files do not always say what they hold. */
  private async _outputs(
    journal: IKeptJournal,
    news: readonly IKeptRequest[],
    head: IKeptHead
  ): Promise<ILastOutput[]> {
    const kept = await this._read(journal, false);
    const { serializer } = this._settings;
    const messages = kept?.messages.map(data => serializer.deserialize(data, V1)) ?? [];
    const holes = holesOf(kept?.head.requests ?? [], kept?.head.missing ?? []);
    const cells = new Map(this._cells().map(cell => [cell.id, cell]));
    return news.flatMap(record => {
      const { request, cell, count, sent } = record;
      const held = heldOf(record, journal.journal);
      const said = withHoles(
        messages as never,
        kept?.head.numbers ?? [],
        request,
        holes.get(request) ?? [],
        count => notKeptText(count, this._trans)
      );
      const outputs = withEnd(outputsOf(said, request), record, messages as never, head);
      const same = sameOutputs(outputs, cells.get(cell ?? '')?.outputs ?? []);
      return same || !outputs.length ? [] : [{ cell, count, sent, outputs, held }];
    });
  }

  private _tell(head: IKeptHead, outputs: readonly ILastOutput[]): void {
    const { _trans: trans } = this;
    // The line above says why, as long as the notebook has no other kernel.
    const isSaid = this._panel.sessionContext.kernelDisplayStatus === 'dead';
    const reason = isSaid ? '' : endReason(head);
    const more = trans.__('It had said more than this notebook shows.');
    const ended = reason
      ? trans.__('The last kernel of this notebook has ended: %1.', reason)
      : trans.__('The last kernel of this notebook has ended.');
    this._notice.present(
      {
        text: `${ended} ${more}`,
        urgent: false,
        closable: true,
        actions: [
          { label: trans.__('Show Last Output'), execute: () => void this._show(head, outputs) }
        ]
      },
      () => this._notice.hide()
    );
  }

  private async _show(head: IKeptHead, outputs: readonly ILastOutput[]): Promise<void> {
    const { rendermime } = this._panel.content;
    if ((await showLastWords(head, outputs, rendermime, this._trans)) && !this._panel.isDisposed) {
      this._put(outputs);
      this._notice.hide();
    }
  }

  /** Put what was shown into the cells, for which somebody has asked. */
  private _put(outputs: readonly ILastOutput[]): void {
    for (const { cell, count, outputs: said, held } of outputs) {
      const model = this._widgets().find(one => one.model.id === cell)?.model;
      if (model) {
        // Others may have run it: their outputs run no scripts here.
        model.trusted = false;
        model.outputs.fromJSON(said as never);
        model.executionCount = count;
        model.setMetadata(HELD, { ...held });
      }
    }
  }

  private async _read(
    { kernel, journal }: IKeptJournal,
    headOnly: boolean
  ): Promise<ReturnType<typeof parseKept> | null> {
    const query = URLExt.objectToQueryString({ journal, ...(headOnly ? { head: '1' } : {}) });
    const answer = await this._get(`api/fleet/kernels/${kernel}/journal${query}`);
    return answer && parseKept(await answer.arrayBuffer());
  }

  /** Null if there is nothing, or the lab is of an earlier version. */
  private async _get(path: string): Promise<Response | null> {
    const url = URLExt.join(this._settings.baseUrl, path);
    const answer = await ServerConnection.makeRequest(url, {}, this._settings);
    return answer.ok ? answer : null;
  }

  private _widgets(): CodeCell[] {
    return this._panel.content.widgets.filter(one => one instanceof CodeCell);
  }

  private _cells(): IShownCell[] {
    return this._widgets().map(({ model }) => ({
      id: model.id,
      count: model.executionCount,
      outputs: model.outputs.toJSON() as never,
      held: (model.getMetadata(HELD) as IShownCell['held'] | undefined) ?? null
    }));
  }

  private readonly _notice: ActionNotice;
  private _later: ReturnType<typeof setTimeout> | undefined;
}
