import type { ISignal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { addFrame, IAttachedFrame, removeFrame } from './attachedFrames.js';
import { failureOf, IFramedOutput, linkOf, newHeight } from './frameMessages.js';
import { isUsed, useOf } from './frameUse.js';
import { changedTheme, framedTheme } from './framedTheme.js';
import { forget, whenNearView } from './nearView.js';

/** What frames have of the page around them. */
export interface IFramePage {
  /** The address of the page that they load. */
  readonly url: string;
  readonly themeChanged: ISignal<unknown, unknown> | null;
}

/**
 * An output in a frame without this page's origin.
 *
 * The frame is loaded when it is almost in view, and again whenever it is moved in the document: each
 * time its page says so, and gets the output and one port. Only there do the two talk afterwards.
 */
export class OutputFrame extends Widget {
  /** @param onFailure - Called with what the first script says that fails there. */
  constructor(
    page: IFramePage,
    height: number,
    title: string,
    private readonly _onFailure: (what: string) => void
  ) {
    super();
    this._page = page;
    this._height = height;
    this.addClass('jp-fleet-OutputFrame');
    this._frame = document.createElement('iframe');
    this._frame.setAttribute('sandbox', 'allow-scripts');
    this._frame.setAttribute('allow', '');
    this._frame.referrerPolicy = 'no-referrer';
    this._frame.title = title;
    this._frame.style.height = `${height}px`;
    this._frame.onload = () => {
      this._isServed = false;
    };
    const frame = this._frame;
    this._attached = {
      get window() {
        return frame.contentWindow;
      },
      onReady: () => this._serve()
    };
    this._text = document.createElement('div');
    this._text.className = 'jp-fleet-OutputFrame-text';
    // Screen readers read the frame.
    this._text.ariaHidden = 'true';
    this.node.append(this._text);
    this.node.style.minHeight = `${height}px`;
    page.themeChanged?.connect(this._sendTheme);
  }

  /** The last height in pixels. */
  get height(): number {
    return this._height;
  }

  /** Draw `output`, at once if the frame is loaded; `text` is what of it searches find. */
  draw(output: IFramedOutput, text: string): void {
    this._output = output;
    this._text.textContent = text;
    this._port?.postMessage({ output });
  }

  dispose(): void {
    if (!this.isDisposed) {
      forget(this.node);
      this._port?.close();
      this._page.themeChanged?.disconnect(this._sendTheme);
      super.dispose();
    }
  }

  protected onAfterAttach(): void {
    addFrame(this._attached);
    if (!this._frame.parentNode) {
      whenNearView(this.node, () => this._load());
    }
  }

  protected onBeforeDetach(): void {
    removeFrame(this._attached);
    forget(this.node);
    this._isServed = false;
  }

  private _load(): void {
    // With its address from the start: otherwise the browser loads an empty page first.
    this._frame.src = this._page.url;
    this.node.append(this._frame);
    this.node.style.minHeight = '';
  }

  /**
   * Its page listens. It gets the output once for each time that it was loaded: what is drawn there
   * may say the same as often as it likes.
   */
  private _serve(): void {
    const target = this._frame.contentWindow;
    if (this._isServed || !target) {
      return;
    }
    this._isServed = true;
    this._port?.close();
    const channel = new MessageChannel();
    this._port = channel.port1;
    this._port.onmessage = ({ data }) => this._onSaid(data);
    const first = { fleet: 'output', output: this._output, theme: framedTheme() };
    // A window without an origin can be addressed in no other way.
    target.postMessage(first, '*', [channel.port2]);
  }

  private _onSaid(data: unknown): void {
    const height = newHeight(data, this._height);
    if (height !== null) {
      this._height = height;
      // Once for each picture, however often the frame says it.
      this._raised ||= requestAnimationFrame(() => {
        this._raised = 0;
        this._frame.style.height = `${this._height}px`;
      });
    }
    const failure = failureOf(data);
    if (failure !== null && !this._hasFailed) {
      this._hasFailed = true;
      this._onFailure(failure);
    }
    const own = [window.location.hostname, new URL(this._page.url).hostname];
    const link = linkOf(data, own);
    if (link !== null && isUsed(useOf(this._frame))) {
      window.open(link, '_blank', 'noopener,noreferrer');
    }
  }

  private readonly _sendTheme = (): void => {
    this._port?.postMessage({ theme: changedTheme() });
  };

  private readonly _page: IFramePage;
  private readonly _frame: HTMLIFrameElement;
  private readonly _attached: IAttachedFrame;
  private readonly _text: HTMLElement;
  private _output: IFramedOutput = { mimeType: 'text/html', data: '' };
  private _port: MessagePort | null = null;
  private _isServed = false;
  private _hasFailed = false;
  private _height: number;
  private _raised = 0;
}
