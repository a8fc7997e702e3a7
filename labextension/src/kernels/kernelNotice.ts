import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISessionContext, ISessionContextDialogs, showErrorMessage } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { type Kernel, type KernelMessage, ServerConnection } from '@jupyterlab/services';
import { ITranslator, type TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { ActionNotice } from '../page/actionNotice.js';
import { ChangedKernel } from './changedKernel.js';
import { EndingCanceled } from './endingKernels.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { type KernelPanel, watchKernelPanels } from './kernelPanels.js';
import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { whileLaunching } from '../launches/launchCancels.js';
import { IKernelLaunches } from '../launches/launchesPlugin.js';
import type { Stage } from '../launches/launchStage.js';
import { durationWords } from '../launches/launchWords.js';
import {
  type IKernelNotice,
  type KernelAction,
  labelOfKernel,
  noticeOfKernel
} from '../launches/noticeOfKernel.js';
import type { WaitingCells } from '../launches/waitingCells.js';
import { isForgotten } from './goneKernels.js';
import { KernelReach } from './kernelReach.js';
import { buttonsOf } from './noticeButtons.js';
import { labelOfStream, noticeOfStream } from './noticeOfStream.js';
import { refusedKernel, takeRefused } from './refusedChange.js';
import { silenceDialogs } from './silentDialogs.js';
import { reconnect, startAgain } from './startAgain.js';
import { IStartOptions, type StartOptions } from './startOptions.js';
import { steadyTime } from '../page/steadyTime.js';
import { IStreams, type Streams } from '../stream/streams.js';
import { inFleet } from '../user/pageUser.js';
import type { SignIn } from '../user/signIn.js';
import { ISignIn } from '../user/signInPlugin.js';
import { IWaitingCells } from './waitingCellsPlugin.js';

/** A start that takes no longer than this is not worth a line that comes and goes. */
const QUICK_START_MS = 1_500;
/** The server's list may say for this long that a kernel runs whose end the page has heard. */
const OLD_LIST_MS = 1_000;

/** Says above notebooks and consoles how its kernel starts, why it does not, and why it ended. */
export const kernelNotice: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:kernel-notice',
  description: 'Shows how kernels start, and why they did not or have ended.',
  autoStart: true,
  requires: [
    ISessionContextDialogs,
    IKernelLaunches,
    IStartOptions,
    IWaitingCells,
    IStreams,
    ISignIn
  ],
  optional: [IConsoleTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    dialogs: ISessionContext.IDialogs,
    launches: KernelLaunches,
    options: StartOptions,
    waiting: WaitingCells<ISessionContext>,
    streams: Streams | null,
    signIn: SignIn | null,
    consoles: IConsoleTracker | null,
    translator: ITranslator | null
  ) => {
    if (!inFleet()) {
      return;
    }
    const trans = fleetBundle(translator);
    const { kernels, kernelspecs } = app.serviceManager;
    watchKernelPanels(app, consoles, (panel, context) => {
      const change = new ChangedKernel(context, launches, kernelspecs);
      new PanelKernel(
        panel,
        context,
        dialogs,
        launches,
        kernels,
        options,
        waiting,
        streams,
        signIn,
        change,
        trans
      );
    });
  }
};

/** What one notebook or console says of its kernel. */
class PanelKernel {
  constructor(
    private readonly _panel: KernelPanel,
    private readonly _context: ISessionContext,
    private readonly _dialogs: ISessionContext.IDialogs,
    private readonly _launches: KernelLaunches,
    private readonly _kernels: Kernel.IManager,
    private readonly _options: StartOptions,
    private readonly _waiting: WaitingCells<ISessionContext>,
    streams: Streams | null,
    private readonly _signIn: SignIn | null,
    private readonly _change: ChangedKernel,
    private readonly _trans: TranslationBundle
  ) {
    this._notice = new ActionNotice(_trans.__('Close'));
    this._notice.addClass('jp-fleet-KernelNotice');
    _panel.contentHeader.addWidget(this._notice);
    this._label.addClass('jp-fleet-KernelLabel');
    silenceDialogs(_panel, _context, message => {
      this._refused = message;
      this._update();
    });
    this._reach = new KernelReach(streams, () => this._update());
    this._listen(_context.session?.kernel);
    _context.kernelChanged.connect((_, { oldValue, newValue }) => {
      if (newValue) {
        this._forgetRefusal();
        this._restarted = null;
      }
      // After a restart that a person asked for it is the same connection.
      if (newValue !== oldValue) {
        if (newValue?.id !== oldValue?.id && _change.changed(oldValue, newValue)) {
          // They were meant for the kernel that did not come.
          _waiting.cancel(_context);
        }
        oldValue?.anyMessage.disconnect(this._hear);
        this._listen(newValue);
      }
      this._update();
    });
    _context.statusChanged.connect((_, status) => this._statusChanged(status));
    const changed = () => this._update();
    const waits = (_: unknown, context: ISessionContext) => {
      if (context === _context) {
        this._update();
      }
    };
    _launches.changed.connect(changed);
    _waiting.changed.connect(waits);
    _panel.disposed.connect(() => {
      clearInterval(this._clock);
      _launches.changed.disconnect(changed);
      this._reach.dispose();
      _waiting.changed.disconnect(waits);
      this._label.dispose();
    });
    this._update();
  }

  private _listen(kernel: Kernel.IKernelConnection | null | undefined): void {
    this._reach.follow(kernel);
    if (kernel) {
      this._launches.listen(kernel);
      kernel.anyMessage.connect(this._hear);
    }
  }

  private _statusChanged(status: Kernel.Status): void {
    const kernel = this._context.session?.kernel;
    const known = this._stage?.is === 'dead';
    if (
      status === 'dead' &&
      kernel &&
      (known || !isForgotten(kernel.model, this._kernels.running()))
    ) {
      // The websocket's end may have told, and no message of the kernel.
      const reason = kernel.model.reason ?? (known ? undefined : this._reach.endReason);
      this._launches.read({ id: kernel.id, execution_state: 'dead', reason });
    } else if (status === 'starting') {
      this._refused = null;
    } else if (status === 'restarting') {
      // Its variables are gone.
      this._change.close();
    }
    this._update();
  }

  private get _stage(): Stage | null {
    const kernel = this._context.session?.kernel;
    return kernel ? this._launches.stageOf(kernel.id) : null;
  }

  private get _lives(): boolean {
    return this._stage?.is === 'launching' || this._stage?.is === 'running';
  }

  private _update(): void {
    if (this._panel.isDisposed) {
      return;
    }
    const stage = this._stage;
    this._reach.note(stage?.is === 'dead');
    this._change.look();
    this._showReach(stage);
    if (this._lives && this._context.session?.kernel?.status === 'dead') {
      // Another page has started it again.
      void this._reconnect();
    }
    const reach = this._reach.state;
    const between = noticeOfStream(reach, stage, steadyTime(), this._trans);
    const notice = between ?? this._noticeOfKernel(stage);
    this._setClock(stage?.is === 'launching' || reach?.is === 'cut');
    this._setLabel(
      between
        ? labelOfStream(reach, stage, steadyTime(), this._trans)
        : labelOfKernel(stage, this._trans)
    );
    if (!notice || (!between && this._isQuick(stage))) {
      this._hide();
      return;
    }
    // eslint-disable-next-line no-restricted-properties -- A server says since when a kernel starts.
    const now = between ? steadyTime() : Date.now();
    this._notice.setAside(durationWords(notice.since, now, this._trans));
    this._notice.present(
      { ...notice, actions: buttonsOf(notice.actions, this._acts, this._trans) },
      () => {
        this._restarted = null;
        this._reach.seeRestart();
        this._change.close();
        this._update();
      }
    );
  }

  private _noticeOfKernel(stage: Stage | null): IKernelNotice | null {
    return noticeOfKernel(
      stage,
      {
        refused: this._refused,
        restarted: this._restarted ?? this._reach.restartReason,
        restartedBy: this._reach.restartedBy,
        startsAgain: this._startsAgain,
        missed: this._change.missed
      },
      this._waiting.of(this._context).length,
      this._trans
    );
  }

  private _hide(): void {
    const focused = this._notice.node.contains(document.activeElement);
    this._notice.hide();
    if (focused) {
      // The button that was pressed is gone.
      this._panel.activate();
    }
  }

  /** Whether the kernel starts, and may be there before anybody has read that. */
  private _isQuick(stage: Stage | null): boolean {
    if (stage?.is !== 'launching') {
      this._launchSeen = null;
      return false;
    }
    this._launchSeen ??= steadyTime();
    const { phase, message, position } = stage.launch;
    // Each start waits for its turn, if only for a moment, and then for its process.
    const waits = !!position || !(phase === 'starting' || phase === 'connecting' || !message);
    return !waits && steadyTime() - this._launchSeen < QUICK_START_MS;
  }

  /** JupyterLab shows what a kernel said last, and knows nothing of what is out of reach. */
  private _showReach(stage: Stage | null): void {
    const kernel = this._context.session?.kernel;
    const lost = stage?.is === 'unreachable';
    if (kernel && (lost || this._lost)) {
      const model = lost ? null : [...this._kernels.running()].find(({ id }) => id === kernel.id);
      const inside = kernel as unknown as { _updateStatus?: (status: string) => void };
      inside._updateStatus?.(model?.execution_state ?? 'unknown');
    }
    this._lost = lost;
  }

  /** Look again each second while the kernel starts. */
  private _setClock(ticks: boolean): void {
    if (ticks && this._clock === undefined) {
      this._clock = setInterval(() => this._update(), 1000);
    } else if (!ticks) {
      clearInterval(this._clock);
      this._clock = undefined;
    }
  }

  private _setLabel(text: string): void {
    const { toolbar } = this._panel;
    if (text && !this._label.parent && !toolbar.insertBefore('kernelName', LABEL, this._label)) {
      return;
    }
    this._label.node.textContent = text;
    this._label.setHidden(!text);
  }

  /** What each button does; null where it would do nothing. */
  private get _acts(): Record<KernelAction, (() => void) | null> {
    const { _context: context, _options: options } = this;
    return {
      cancel: () => this._act(() => this._cancel()),
      restart: () => this._act(() => this._dialogs.restart(context)),
      shutDown: () => this._act(() => context.shutdown()),
      startAgain: () => this._start(() => this._startAgain()),
      startWith: options.areThere(context)
        ? () => this._start(() => options.askAgain(context, this._asked))
        : null,
      signIn: () => this._signIn?.onRefused(),
      retry: () => this._reach.retry()
    };
  }

  /** The kernel that a person asked for and did not get; it need not be the one that is there. */
  private get _asked(): Partial<Kernel.IModel> {
    const refused = this._refused === null ? null : refusedKernel(this._context);
    const asked = refused ?? { name: this._change.missedName ?? undefined };
    const known = [...this._kernels.running()].find(({ id }) => id === asked.id);
    return { ...asked, name: asked.name ?? known?.name };
  }

  private async _startAgain(): Promise<void> {
    const { _context: context, _change: change } = this;
    // Not the kernel that the document has, which may be running.
    const asked = this._refused === null ? null : takeRefused(context);
    this._startsAgain = true;
    this._forgetRefusal();
    this._update();
    try {
      await (asked
        ? context.changeKernel(asked)
        : change.missed
          ? change.startAgain()
          : startAgain(context));
    } finally {
      this._startsAgain = false;
      this._update();
    }
  }

  private _forgetRefusal(): void {
    this._refused = null;
    takeRefused(this._context);
  }

  private async _cancel(): Promise<void> {
    const { session } = this._context;
    try {
      if (!(await this._change.cancel()) && session) {
        await whileLaunching(session.id, () => this._context.shutdown());
      }
    } catch (error) {
      if (!(error instanceof ServerConnection.ResponseError) || error.response.status !== 409) {
        throw error;
      }
      // It runs by now, and may run cells already: the list of kernels says so.
      await this._kernels.refreshRunning();
    }
    this._update();
  }

  private async _reconnect(): Promise<void> {
    if (!this._reconnecting) {
      this._reconnecting = true;
      await new Promise(resolve => setTimeout(resolve, OLD_LIST_MS));
      await this._kernels.refreshRunning().catch(() => undefined);
      const kernel = this._context.session?.kernel;
      if (kernel && isForgotten(kernel.model, this._kernels.running())) {
        // The document has none any more.
        await this._context.sessionManager.refreshRunning().catch(() => undefined);
      } else {
        await (this._lives && reconnect(this._context).catch(() => undefined));
      }
      this._reconnecting = false;
    }
  }

  /** End or restart the kernel. */
  private _act(act: () => Promise<unknown>): void {
    act().catch((error: Error) => {
      if (!(error instanceof EndingCanceled)) {
        void showErrorMessage(this._trans.__('The Server Did Not Do This'), error);
      }
    });
  }

  /** Start a kernel; if the server refuses, its words stand where the button was. */
  private _start(start: () => Promise<unknown>): void {
    start().catch((error: Error) => {
      this._refused = error.message;
      this._update();
    });
  }

  private readonly _hear = (_: unknown, { msg }: Kernel.IAnyMessageArgs) => {
    const reason = reasonOfRestart(msg);
    if (reason !== null) {
      this._restarted = reason;
      this._update();
    }
  };

  private readonly _notice: ActionNotice;
  private readonly _reach: KernelReach;
  private readonly _label = new Widget();
  private _refused: string | null = null;
  private _restarted: string | null = null;
  private _startsAgain = false;
  private _reconnecting = false;
  private _lost = false;
  private _launchSeen: number | null = null;
  private _clock: ReturnType<typeof setInterval> | undefined;
}

const LABEL = 'jp-fleet-kernel-label';

/**
 * The reason in a message that tells that the kernel was restarted by itself; null in all others.
 *
 * Stock gateways give no reason: it is empty then.
 */
function reasonOfRestart(message: KernelMessage.IMessage): string | null {
  if (message.header.msg_type !== 'status') {
    return null;
  }
  const { execution_state: state, reason } = message.content as {
    execution_state: string;
    reason?: unknown;
  };
  return state === 'restarting' ? (typeof reason === 'string' ? reason : '') : null;
}
