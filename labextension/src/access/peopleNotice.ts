import type { ISessionContext } from '@jupyterlab/apputils';
import { type ICodeCellModel, isCodeCellModel } from '@jupyterlab/cells';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { followKernel } from '../kernels/followKernel.js';
import { kernelPanelPlugin } from '../kernels/kernelPanelPlugin.js';
import { cellsOf, type KernelPanel } from '../kernels/kernelPanels.js';
import { type IPreparedBy, isSameProcess } from '../outputs/preparedMessages.js';
import {
  type IPreparedOutputs,
  isPreparedIn,
  preparedOutputsFound
} from '../outputs/preparedOutputs.js';
import { untrust } from '../outputs/untrust.js';
import { ActionNotice } from '../page/actionNotice.js';
import type { KernelStream } from '../stream/kernelStream.js';
import type { Streams } from '../stream/streams.js';
import { framesAllOutputs } from '../user/pageUser.js';
import { peopleWords } from './peopleWords.js';
import { showWidgets } from './shownWidgets.js';

/** Says above notebooks and consoles who else has used their kernel, and has the user trust them. */
export const peopleNotice = kernelPanelPlugin(
  'jupyter-fleet:people-notice',
  'Asks whether the people who have used a kernel may put scripts into its outputs.',
  (panel, context, streams, trans) => {
    new PanelPeople(panel, context, streams, trans);
  }
);

/** What one notebook or console says of the people who have used its kernel. */
class PanelPeople {
  constructor(
    private readonly _panel: KernelPanel,
    context: ISessionContext,
    streams: Streams,
    private readonly _trans: TranslationBundle
  ) {
    this._notice = new ActionNotice(_trans.__('Close'));
    this._notice.addClass('jp-fleet-PeopleNotice');
    _panel.contentHeader.addWidget(this._notice);
    followKernel(context, streams, (kernel, stream) => this._follow(kernel, stream));
    context.kernelChanged.connect((_, { newValue }) => {
      if (!newValue) {
        this._leave();
        this._notice.hide();
      }
    });
    context.statusChanged.connect((_, status) => {
      if (status === 'restarting' || status === 'autorestarting') {
        this._stream?.people.restarted();
      }
    });
    preparedOutputsFound.connect(this._found);
    _panel.disposed.connect(() => {
      preparedOutputsFound.disconnect(this._found);
      this._leave();
    });
  }

  private _follow(kernel: Kernel.IKernelConnection, stream: KernelStream): void {
    this._leave();
    this._kernel = kernel;
    this._stream = stream;
    this._place = null;
    stream.people.changed.connect(this._changed);
    stream.comms.heldBack.connect(this._heldBack);
    this._changed();
  }

  private _leave(): void {
    this._stream?.people.changed.disconnect(this._changed);
    this._stream?.comms.heldBack.disconnect(this._heldBack);
  }

  /** An output of a cell here is drawn in a frame because of others. */
  private readonly _found = (_: unknown, { model, by }: IPreparedOutputs): void => {
    const cell = this._cells().find(({ outputs }) => outputs === model);
    if (cell) {
      untrust(cell);
      this._tell(by);
    }
  };

  private readonly _heldBack = (): void => {
    this._lacksWidgets = true;
    this._tell(this._stream?.people.by);
  };

  /** @param by - What is held back was said there: of an earlier process nobody is asked any more. */
  private _tell(by: IPreparedBy | undefined): void {
    if (by && this._stream && isSameProcess(by, this._stream.people.by)) {
      this._place = by;
    }
    this._changed();
  }

  private readonly _changed = (): void => {
    const people = this._stream?.people;
    const place = this._place;
    if (!people || !place || !isSameProcess(place, people.by) || framesAllOutputs()) {
      this._notice.hide();
      return;
    }
    if (people.isMine) {
      this._place = null;
      this._notice.hide();
      this._drawAsUsual(place);
      return;
    }
    const shown = people.now;
    const trust = {
      label: this._trans.__('Trust Them Until It Restarts'),
      caption: this._trans.__('Or until another person runs something'),
      execute: () => people.trust(shown)
    };
    this._notice.present(
      {
        text: peopleWords(shown, people.me, this._trans),
        urgent: false,
        actions: [trust],
        closable: true
      },
      () => this._notice.hide()
    );
  };

  /** The user trusts whoever has used this process of the kernel. */
  private _drawAsUsual(place: IPreparedBy): void {
    const { _kernel: kernel, _stream: stream } = this;
    for (const model of this._cells()) {
      if (isPreparedIn(model.outputs, place)) {
        model.trusted = true;
      }
    }
    if (kernel && stream && this._lacksWidgets) {
      this._lacksWidgets = false;
      stream.comms.admitHeldBack();
      void showWidgets(this._panel, kernel, stream.comms);
    }
  }

  private _cells(): ICodeCellModel[] {
    return [...cellsOf(this._panel)].map(({ model }) => model).filter(isCodeCellModel);
  }

  private readonly _notice: ActionNotice;
  private _kernel: Kernel.IKernelConnection | null = null;
  private _stream: KernelStream | null = null;
  /** The process of the kernel from which something is held back; null if nothing is. */
  private _place: IPreparedBy | null = null;
  private _lacksWidgets = false;
}
