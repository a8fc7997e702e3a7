import type { KernelMessage } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

import { steadyTime } from '../page/steadyTime.js';
import { rolesChanged } from '../user/pageUser.js';
import { LONGEST_MESSAGE } from './answers.js';
import { modelUrl, streamUrl } from './addresses.js';
import { AskedState } from './askedState.js';
import { headingOf, IFrame, unpackFrame } from './clientFrames.js';
import { closeCode } from './closeCode.js';
import { Ends } from './ends.js';
import { Connector, IAddress } from './connector.js';
import type { IEndedProcess } from './earlierProcess.js';
import { FrameSender } from './frameSender.js';
import { Incoming } from './incoming.js';
import { INotice, launchStatus } from './launchNotices.js';
import { OwnComms } from './ownComms.js';
import { PageVoice } from './pageVoice.js';
import { KernelPeople } from './kernelPeople.js';
import { BAD_MESSAGE, NO_SUCH_KERNEL, Outcome } from './reconnecting.js';
import type { IHeld, IIndexed, IRecord, Runs } from './record.js';
import {
  type IKernelAnswer,
  type IStreamSettings,
  type IStreamSocket,
  stateAfterCut,
  type StreamState
} from './streamState.js';
import { FLEET_PROTOCOL, V1_PROTOCOL } from './wire.js';

type Message = KernelMessage.IMessage;

/** JupyterLab drops a socket and makes the next one at once, and lets a kernel go in the same way. */
const SOCKET_MS = 1_000;
/** For how long what was sent is still delivered then. */
const LINGER_MS = 60_000;

/**
 * What this page and a kernel say to each other: it outlives its connections, and the sockets that
 * JupyterLab makes.
 *
 * With a cursor (`fleet.v1`) both ends know what they have of each other, and the page is connected
 * again without JupyterLab's notice. Otherwise (the lab or the kernel's agent is of the version before)
 * each connection is one socket of JupyterLab's, as in stock Jupyter.
 */
export class KernelStream {
  constructor(
    readonly kernelId: string,
    readonly sessionId: string,
    private readonly _url: string,
    private readonly _settings: IStreamSettings
  ) {
    const { serializer, leftovers, untracked, trusted } = _settings;
    this.people = new KernelPeople(kernelId, trusted);
    this.people.changed.connect(() => this.comms.trustOnly(this.people.isMine));
    this._ends = new Ends(kernelId, sessionId, leftovers, message => this._packed(message));
    this._incoming = new Incoming({
      sessionId,
      serializer,
      people: this.people,
      state: say =>
        new AskedState(untracked, async () => (await this._askModel())?.state ?? null, say),
      give: data => this._socket?.deliver(data),
      announce: record => this._announced.emit(record),
      restarted: () => this._stateChanged.emit(this._state),
      interrupted: by => this._interrupted.emit(by),
      send: message => this._sender.send(this._packed(message), false),
      onGiven: () => this._sender.acknowledgeSoon()
    });
    this._connector = new Connector(
      _settings.signIn,
      async () => (await this._askModel())?.status ?? null,
      {
        prepare: () => this._prepare(),
        address: () => this._address(),
        opened: protocol => this._opened(protocol),
        received: data => this._received(data),
        cut: (outcome, code, reason) => this._cut(outcome, code, reason)
      }
    );
    this._sender = new FrameSender(this._ends, this._connector, () => this._incoming.acknowledged);
    rolesChanged.connect(this._onRolesChanged);
  }

  get state(): StreamState {
    return this._state;
  }
  get stateChanged(): ISignal<this, StreamState> {
    return this._stateChanged;
  }

  /** Which comms JupyterLab hears of. */
  readonly comms = new OwnComms();
  readonly people: KernelPeople;

  /** The id of the kernel's journal; null if it has none, or has not told yet. */
  get journal(): string | null {
    return this._journal;
  }

  /** See `EarlierProcess`. A change counts as one of `state`. */
  get lost(): IEndedProcess | null {
    return this._incoming.earlier.lost;
  }

  /** How many bytes the kernel's journal keeps; null if it has not said. */
  get limit(): number | null {
    return this._incoming.limit;
  }

  /** A request has come to the kernel, from whichever session, or is done, or adopted. */
  get announced(): ISignal<this, IRecord> {
    return this._announced;
  }

  /** A user has interrupted what runs. */
  get interrupted(): ISignal<this, string> {
    return this._interrupted;
  }

  /** The stream has ended, and JupyterLab has handled all that the kernel has said. */
  get over(): ISignal<this, void> {
    return this._over;
  }

  /**
   * Ask what the page's cells lack, and have JupyterLab handle it.
   *
   * Until the answer, iopub messages of other sessions' requests are held back: from the stream's
   * start until `release` or, if nobody asks, for 8 s. Of the answer, JupyterLab gets the messages of
   * those requests that `begin` has adopted, from their first one, and changes of displays; of
   * what was held back, all else. A stream without a journal resolves at once, and asks when it has one.
   *
   * See `IQuestion` for `cells`, `begin` and `lacks`.
   *
   * @returns when the first answer has been handled.
   */
  replay(
    cells: () => Record<string, IHeld | null>,
    begin: (index: readonly IIndexed[], missing: Runs) => void,
    lacks: (missing: Runs) => void
  ): Promise<void> {
    if (this._state.is === 'ended') {
      return Promise.resolve();
    }
    const asks = this._talk === 'plain' ? 'askLater' : 'ask';
    return new Promise(answered => this._incoming[asks]({ cells, begin, lacks, answered }));
  }

  /** Nobody asks here: what was held back goes on. */
  release(): void {
    this._incoming.release();
  }

  /**
   * JupyterLab is about to "send" this request, which an earlier page has sent: it is not sent; or it
   * has a future of it (`isNew` false). Within `begin`, all of the request's messages come again.
   */
  adopt(request: string, isNew = true): void {
    if (isNew) {
      this._adopted.add(request);
    }
    this._incoming.adopt(request);
  }

  /** A user restarts the kernel: what has not been acknowledged shall not run. */
  dropPending(): void {
    if (this._talk !== 'plain') {
      this._incoming.earlier.asked();
      this._ends.renew();
      this._sender.cut();
      this._incoming.askAgain();
      this._connector.redial();
    }
  }

  /** Something may have changed: try at once if the stream is cut. */
  retryNow(): void {
    if (this._talk !== 'plain') {
      this._connector.connect();
    }
  }

  /** JupyterLab has a new socket for the kernel. */
  attach(socket: IStreamSocket): void {
    clearTimeout(this._lingerTimer);
    this._socket = socket;
    if (this._talk === 'cursor') {
      queueMicrotask(() => this._openSocket(socket, V1_PROTOCOL));
    } else {
      this._connector.connect();
    }
  }

  /** JupyterLab has dropped its socket: for another one, or for good. */
  detach(socket: IStreamSocket): void {
    if (this._socket === socket) {
      this._socket = null;
      this._incoming.pause();
      if (this._talk === 'plain') {
        this._connector.disconnect();
        this._talk = null;
      }
      if (this._state.is !== 'ended') {
        this._linger(steadyTime() + LINGER_MS);
      }
    }
  }

  /** Send a message of JupyterLab's. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (this._talk === 'plain') {
      this._connector.send(data);
      return;
    }
    if (this._state.is === 'ended') {
      // Nobody would take it, and it must not wait for another kernel.
      return;
    }
    const message = data as ArrayBuffer;
    if (this._adopted.size && this._adopted.delete(headingOf(message).header.msg_id)) {
      return;
    }
    if (message.byteLength > LONGEST_MESSAGE) {
      this._voice.tooLong(message);
      return;
    }
    this._sender.send(message, true);
  }

  private _askModel(): Promise<IKernelAnswer | null> {
    return this._settings.askModel(modelUrl(this._url));
  }

  private async _prepare(): Promise<void> {
    if (!this._isWithoutCursor && this._incoming.received === null) {
      await this._ends.findLeft();
    }
  }

  private _address(): IAddress {
    const { protocols } = this._socket ?? { protocols: [V1_PROTOCOL] };
    if (this._isWithoutCursor) {
      return { url: this._url, protocols };
    }
    const { received } = this._incoming;
    const knows = this._ends.isOwn && received !== null && this._journal !== null;
    const cursor = knows ? { journal: this._journal!, received } : null;
    return {
      url: streamUrl(this._url, this._ends.current, cursor),
      protocols: [FLEET_PROTOCOL, ...[protocols ?? []].flat()]
    };
  }

  private _opened(protocol: string): void {
    if (protocol === FLEET_PROTOCOL) {
      this._talk = 'cursor';
      this._openSocket(this._socket, V1_PROTOCOL);
      return;
    }
    this._talk = 'plain';
    this._protocol = protocol;
    this._journal = null;
    this._incoming.withoutCursor();
    this._connector.served();
    for (const message of this._ends.renew()) {
      this._connector.send(message);
    }
    this._openSocket(this._socket, protocol);
    this._set({ is: 'connected' });
  }

  private _openSocket(socket: IStreamSocket | null, protocol: string): void {
    if (socket && socket === this._socket && socket !== this._openedSocket) {
      this._openedSocket = socket;
      socket.opened(protocol);
      this._incoming.resume();
      this._incoming.state.start();
    }
  }

  private _received(data: string | ArrayBuffer): void {
    if (this._talk === 'plain') {
      this._incoming.takePlain(data, this._protocol);
    } else if (typeof data === 'string') {
      this._noticed(JSON.parse(data) as INotice);
    } else {
      this._receivedFrame(unpackFrame(data));
    }
  }

  private _receivedFrame({ sequence, acknowledged, message }: IFrame): void {
    const { current, isOwn } = this._ends;
    current.acknowledge(acknowledged);
    if (!this._sender.isServed) {
      current.fillUpFrom(acknowledged);
      this._connector.served();
      this._begin(sequence);
    } else if (message && isOwn) {
      this._incoming.take(sequence, message);
      this._sender.acknowledgeSoon();
    }
    if (!isOwn && current.isEmpty) {
      this._nextEnd();
    }
  }

  private _nextEnd(): void {
    this._ends.next();
    this._sender.cut();
    this._connector.redial();
  }

  /** The agent serves this end: everything of the journal after `start` will come. */
  private _begin(start: number): void {
    if (this._ends.isOwn) {
      if (this._incoming.received === null) {
        this._incoming.begin(start);
      } else if (this._isOtherJournal) {
        this._incoming.startAnew(start);
      }
      this._isOtherJournal = false;
      this._set({ is: 'connected' });
    }
    this._sender.serve();
  }

  private _noticed(notice: INotice): void {
    this.people.noticed(notice);
    const status = launchStatus(notice);
    if (status) {
      this._voice.status(status);
    } else if (notice.type === 'journal') {
      this._setJournal(notice.id as string);
    } else if (notice.type === 'interrupted') {
      this._voice.aborted(this._ends.interrupt());
    } else if (notice.type === 'shut_down') {
      this._shutDownBy = notice.by as string;
    } else if (notice.type === 'gap' && this._ends.isOwn) {
      this._incoming.missed(notice.limit as number | null);
    }
  }

  private _setJournal(journal: string): void {
    const { current, isOwn } = this._ends;
    this._isOtherJournal ||= this._journal !== null && this._journal !== journal;
    this._journal = journal;
    if (current.belongsTo(journal)) {
      return;
    }
    // The agent that it was sent to may have had it: this one must not run it again.
    if (isOwn) {
      this._voice.aborted(current.drop());
      current.belongsTo(journal);
    } else {
      this._nextEnd();
    }
  }

  private _cut(outcome: Outcome, code: number, reason: string): boolean {
    this._sender.cut();
    if (code === BAD_MESSAGE) {
      this._voice.invalid(this._ends.refused());
    }
    const isPlain = this._talk === 'plain';
    const state = stateAfterCut(this._state, outcome, reason, steadyTime());
    if (state) {
      this._set(state);
    } else if (outcome.then === 'plain') {
      this._isWithoutCursor = true;
    } else if (outcome.then === 'end' && !isPlain) {
      void this._finish(code, reason);
    }
    if (isPlain) {
      // JupyterLab connects again, and by then the servers may know cursors.
      this._talk = null;
      this._isWithoutCursor = false;
      const socket = this._socket;
      void this._incoming.flush().then(() => socket?.closed(code, reason));
    }
    return !isPlain;
  }

  private _linger(until: number): void {
    this._lingerTimer = setTimeout(() => {
      if (this._ends.isEmpty || steadyTime() >= until) {
        void this._finish(1000, '');
      } else {
        this._linger(until);
      }
    }, SOCKET_MS);
  }

  /** The kernel does not exist any more, or JupyterLab has let it go. */
  private async _finish(code: number, reason: string): Promise<void> {
    this._connector.stop();
    rolesChanged.disconnect(this._onRolesChanged);
    const dropped = this._ends.renew();
    if (code === NO_SUCH_KERNEL) {
      this._voice.ended(dropped);
    }
    this._set({ is: 'ended', code, reason, by: this._shutDownBy });
    if (this._socket) {
      await this._incoming.finish();
    }
    this._incoming.stop();
    this._over.emit();
    this._socket?.closed(await closeCode(code, () => this._askModel()), reason);
  }

  private _set(state: StreamState): void {
    this._state = state;
    this._stateChanged.emit(state);
  }

  private _packed(message: Message): ArrayBuffer {
    return this._settings.serializer.serialize(message, V1_PROTOCOL) as ArrayBuffer;
  }

  private readonly _onRolesChanged = (): void => this.retryNow();
  private readonly _stateChanged = new Signal<this, StreamState>(this);
  private readonly _announced = new Signal<this, IRecord>(this);
  private readonly _interrupted = new Signal<this, string>(this);
  private readonly _over = new Signal<this, void>(this);
  private readonly _incoming: Incoming;
  private readonly _connector: Connector;
  private readonly _ends: Ends;
  private readonly _sender: FrameSender;
  private readonly _adopted = new Set<string>();
  private readonly _voice = new PageVoice(message => this._incoming.push(message));
  private _socket: IStreamSocket | null = null;
  private _openedSocket: IStreamSocket | null = null;
  private _state: StreamState = { is: 'connecting' };
  private _journal: string | null = null;
  private _shutDownBy: string | null = null;
  /** How the present connection, or the last one that there was, is spoken on; null if none. */
  private _talk: 'cursor' | 'plain' | null = null;
  /** The subprotocol of a connection without a cursor. */
  private _protocol = '';
  private _isWithoutCursor = false;
  private _isOtherJournal = false;
  private _lingerTimer: ReturnType<typeof setTimeout> | undefined;
}
