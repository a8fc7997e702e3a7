import type { SignIn } from '../user/signIn.js';
import { withUser } from './addresses.js';
import { PageSocket } from './pageSocket.js';
import { NOT_ALLOWED, SIGNED_OUT } from './reconnecting.js';

/**
 * A browser's own websocket, for a page whose login may end.
 *
 * While nobody is signed in it waits in the state CONNECTING. JupyterLab keeps what it wants to send,
 * and goes on by itself when the websocket opens.
 */
export class SignedInSocket extends PageSocket implements WebSocket {
  constructor(
    url: string,
    protocols: string | string[] | undefined,
    private readonly _signIn: SignIn
  ) {
    super(url);
    void _signIn.whenIn().then(() => {
      if (this._ended) {
        this._emit(new CloseEvent('close', { code: 1006 }));
      } else {
        this._dial(protocols);
      }
    });
  }

  get binaryType(): BinaryType {
    return this._binaryType;
  }
  set binaryType(value: BinaryType) {
    this._binaryType = value;
    if (this._socket) {
      this._socket.binaryType = value;
    }
  }

  get bufferedAmount(): number {
    return this._socket?.bufferedAmount ?? 0;
  }

  get extensions(): string {
    return this._socket?.extensions ?? '';
  }

  get protocol(): string {
    return this._socket?.protocol ?? '';
  }

  get readyState(): number {
    if (this._socket) {
      return this._socket.readyState;
    }
    return this._ended ? this.CLOSED : this.CONNECTING;
  }

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (!this._socket) {
      throw new DOMException('The websocket is not open', 'InvalidStateError');
    }
    this._socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this._ended = true;
    this._socket?.close(code, reason);
  }

  private _dial(protocols?: string | string[]): void {
    const socket = (this._socket = new WebSocket(withUser(this.url, this._signIn.user), protocols));
    socket.binaryType = this._binaryType;
    socket.onopen = () => this._emit(new Event('open'));
    socket.onerror = () => this._emit(new Event('error'));
    socket.onmessage = ({ data }: MessageEvent<unknown>) =>
      this._emit(new MessageEvent('message', { data }));
    socket.onclose = ({ code, reason, wasClean }) => {
      if (code === SIGNED_OUT) {
        this._signIn.ended();
      } else if (code === NOT_ALLOWED) {
        // The page learns its user's role.
        void this._signIn.check();
      }
      this._emit(new CloseEvent('close', { code, reason, wasClean }));
    };
  }

  private _socket: WebSocket | null = null;
  private _binaryType: BinaryType = 'blob';
  private _ended = false;
}
