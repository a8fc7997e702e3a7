import { closeIcon } from '@jupyterlab/ui-components';
import { Message, MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

/** A line above a document with a message about it, shown as long as the message is true. */
export class Notice extends Widget {
  /**
   * @param kind - How urgent it is; a person can close a warning.
   * @param closeLabel - What the button that closes it is called.
   */
  constructor(kind: 'info' | 'warning', closeLabel = '') {
    super();
    this.addClass('jp-fleet-Notice');
    this.addClass(`jp-mod-${kind}`);
    this.node.setAttribute('role', kind === 'info' ? 'note' : 'alert');
    this.line = document.createElement('div');
    this.line.className = 'jp-fleet-Notice-line';
    this.text = document.createElement('span');
    this.text.className = 'jp-fleet-Notice-text';
    this.line.append(this.text);
    if (kind === 'warning') {
      const close = document.createElement('button');
      close.className = 'jp-fleet-Notice-close';
      close.title = closeLabel;
      close.setAttribute('aria-label', closeLabel);
      close.append(closeIcon.element({ tag: 'span', elementSize: 'normal' }));
      close.addEventListener('click', () => this.hide());
      this.line.append(close);
    }
    this.node.append(this.line);
  }

  /** Show this text from now on. */
  say(text: string): void {
    if (this.text.textContent !== text) {
      // Whoever has the page read out hears it once.
      this.text.textContent = text;
    }
    this.show();
    this.fitToText();
  }

  protected onAfterAttach(_: Message): void {
    this.fitToText();
  }

  protected onResize(_: Widget.ResizeMessage): void {
    this.fitToText();
  }

  /** Take as much height as the text needs at this width: a box panel asks for a minimum. */
  protected fitToText(): void {
    const height = `${this.line.offsetHeight}px`;
    if (this.isVisible && this.node.style.minHeight !== height) {
      this.node.style.minHeight = height;
      if (this.parent) {
        MessageLoop.postMessage(this.parent, Widget.Msg.FitRequest);
      }
    }
  }

  protected readonly line: HTMLElement;
  protected readonly text: HTMLElement;
}
