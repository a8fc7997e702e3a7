import { closeIcon } from '@jupyterlab/ui-components';

import { Notice } from './notice.js';

/** Something that a person can do about what a notice says. */
export interface INoticeAction {
  readonly label: string;
  /** What the button is called where its label says too little. */
  readonly caption?: string;
  /** Whether it ends or loses something. */
  readonly warns?: boolean;
  execute(): void;
}

/** What a notice says at the moment. */
export interface INoticeContent {
  readonly text: string;
  /** Whether something went wrong: it is read out at once, and has the color of a warning. */
  readonly urgent: boolean;
  readonly actions?: readonly INoticeAction[];
  /** Whether a person can close it. */
  readonly closable?: boolean;
}

/** A line above a document that says different things in turn, with buttons. */
export class ActionNotice extends Notice {
  constructor(closeLabel: string) {
    super('info');
    this._aside = document.createElement('span');
    this._aside.className = 'jp-fleet-Notice-aside';
    // It changes each second: nobody wants it read out.
    this._aside.setAttribute('aria-live', 'off');
    this._actions = document.createElement('span');
    this._actions.className = 'jp-fleet-Notice-actions';
    this._close = document.createElement('button');
    this._close.className = 'jp-fleet-Notice-close';
    this._close.title = closeLabel;
    this._close.setAttribute('aria-label', closeLabel);
    this._close.append(closeIcon.element({ tag: 'span', elementSize: 'normal' }));
    this._close.addEventListener('click', () => this._closed?.());
    this.line.append(this._aside, this._actions, this._close);
    this.node.removeAttribute('role');
    this.hide();
  }

  /**
   * Show this from now on.
   *
   * @param closed - Called when a person closes it.
   */
  present(content: INoticeContent, closed: () => void): void {
    this._closed = closed;
    this.toggleClass('jp-mod-info', !content.urgent);
    this.toggleClass('jp-mod-warning', content.urgent);
    this._close.hidden = !content.closable;
    // Screen readers announce a change inside of an element that has its role already.
    this.text.setAttribute('role', content.urgent ? 'alert' : 'status');
    this._setActions(content.actions ?? []);
    this.say(content.text);
  }

  /** What stands beside the text and is not read out. */
  setAside(text: string): void {
    if (this._aside.textContent !== text) {
      this._aside.textContent = text;
      this.fitToText();
    }
  }

  /** Keep the buttons, and with them the focus, while they are the same. */
  private _setActions(actions: readonly INoticeAction[]): void {
    const labels = actions.map(action => action.label).join('\n');
    this._current = actions;
    if (labels === this._shownLabels) {
      return;
    }
    this._shownLabels = labels;
    this._actions.replaceChildren(
      ...actions.map((action, at) => {
        const button = document.createElement('button');
        button.className = 'jp-fleet-Button';
        button.classList.toggle('jp-mod-warn', !!action.warns);
        button.textContent = action.label;
        if (action.caption) {
          button.title = action.caption;
          button.setAttribute('aria-label', `${action.label}: ${action.caption}`);
        }
        button.addEventListener('click', () => this._current[at].execute());
        return button;
      })
    );
  }

  private readonly _aside: HTMLElement;
  private readonly _actions: HTMLElement;
  private readonly _close: HTMLButtonElement;
  private _closed: (() => void) | null = null;
  private _current: readonly INoticeAction[] = [];
  private _shownLabels = '';
}
