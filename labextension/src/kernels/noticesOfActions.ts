import type { TranslationBundle } from '@jupyterlab/translation';

import type { KernelStream } from '../stream/kernelStream.js';
import type { StreamState } from '../stream/streamState.js';

/** What notices need of JupyterLab's session context. */
export interface INamedContext {
  readonly isDisposed: boolean;
  readonly name: string;
  readonly path: string;
}

/** What notices need of a stream. */
export type FollowedStream = Pick<
  KernelStream,
  'kernelId' | 'state' | 'stateChanged' | 'interrupted'
>;

/** What notices need of JupyterLab's notifications. */
export interface INotifications {
  info(text: string, options: { autoClose: false }): string;
  dismiss(id: string): void;
}

type Words = (by: string, name: string, at: string) => string;

/** The notices that another person has interrupted or shut down a kernel: one of each kernel. */
export class NoticesOfActions {
  /** @param me - The user of this page; null if the server has not told. */
  constructor(
    private readonly _notifications: INotifications,
    private readonly _me: () => string | null
  ) {}

  /** Tell what others do to a kernel that a document has from now on. */
  follow(context: INamedContext, stream: FollowedStream, trans: TranslationBundle): void {
    const look = (state: StreamState) => {
      if (state.is === 'connected') {
        this.close(context);
      } else if (state.is === 'ended' && state.by !== null) {
        this._ended.set(context, stream.kernelId);
        this._tell(context, stream, state.by, (by, name, at) =>
          trans.__(
            '%1 shut down the kernel of %2 at %3. Its variables are gone; run a cell to start another one.',
            by,
            name,
            at
          )
        );
      }
    };
    stream.interrupted.connect((_, by) => {
      this._tell(context, stream, by, (by, name, at) =>
        trans.__('%1 interrupted the kernel of %2 at %3.', by, name, at)
      );
    });
    stream.stateChanged.connect((_, state) => look(state));
    look(stream.state);
  }

  /** Close what says that a document's kernel was shut down: it has another one, or was closed. */
  close(context: INamedContext): void {
    const kernelId = this._ended.get(context);
    if (kernelId !== undefined) {
      this._ended.delete(context);
      this._dismiss(kernelId);
    }
  }

  private _tell(context: INamedContext, stream: FollowedStream, by: string, text: Words): void {
    if (by !== this._me() && !context.isDisposed) {
      const at = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
      const shown = text(by, context.name || context.path, at);
      this._dismiss(stream.kernelId);
      this._shown.set(stream.kernelId, this._notifications.info(shown, { autoClose: false }));
    }
  }

  private _dismiss(kernelId: string): void {
    const shown = this._shown.get(kernelId);
    if (shown !== undefined) {
      this._shown.delete(kernelId);
      this._notifications.dismiss(shown);
    }
  }

  private readonly _shown = new Map<string, string>();
  private readonly _ended = new Map<INamedContext, string>();
}
