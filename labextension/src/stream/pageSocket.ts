/** What JupyterLab takes for a `WebSocket`: state, events and the properties that listen to them. */
export abstract class PageSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;

  constructor(readonly url: string) {
    super();
  }

  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;

  onopen: ((this: WebSocket, event: Event) => unknown) | null = null;
  onmessage: ((this: WebSocket, event: MessageEvent) => unknown) | null = null;
  onerror: ((this: WebSocket, event: Event) => unknown) | null = null;
  onclose: ((this: WebSocket, event: CloseEvent) => unknown) | null = null;

  /**
   * Dispatch an event to listeners and to the property of its name, as websockets do. What the property
   * throws is for the caller.
   */
  protected _emit(event: Event): void {
    const property = `on${event.type}` as 'onopen' | 'onclose';
    this.dispatchEvent(event);
    (this[property] as ((this: unknown, event: Event) => unknown) | null)?.call(this, event);
  }
}
