import type { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import {
  choicesOf,
  enteredOptions,
  exampleOf,
  fieldOfRefusal,
  type IEntered,
  textOf,
  usualWords
} from './optionEntry.js';
import { type IOptionField, keyOf } from './optionFields.js';

type Input = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

let forms = 0;

/** The fields of a kernel's launch options, in the body of a dialog. */
export class OptionsForm extends Widget implements Dialog.IBodyWidget<IEntered> {
  /**
   * @param chosen - What the fields show at first.
   * @param intro - What stands above them.
   * @param missing - Why there is no kernel yet whose fields these are; empty if there is one.
   */
  constructor(
    fields: readonly IOptionField[],
    chosen: Readonly<Record<string, unknown>>,
    intro: HTMLElement | null,
    missing: string,
    trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-fleet-OptionsForm');
    this._fields = fields;
    this._missing = missing;
    this._trans = trans;
    this._id = `jp-fleet-options-${++forms}`;
    if (intro) {
      this.node.append(intro);
    }
    this._general.className = 'jp-fleet-OptionsForm-error';
    this._general.setAttribute('role', 'alert');
    this.node.append(this._general);
    if (!fields.length) {
      const none = document.createElement('p');
      none.textContent =
        missing || trans.__('In this project there is nothing to choose for this kernel.');
      this.node.append(none);
    }
    for (const field of fields) {
      this._add(field, textOf(field, chosen));
    }
  }

  getValue(): IEntered {
    if (this._missing) {
      return { options: {}, errors: new Map([['', this._trans.__('Choose a kernel first.')]]) };
    }
    const texts = new Map([...this._inputs].map(([key, input]) => [key, input.value]));
    return enteredOptions(this._fields, texts, this._trans);
  }

  /** Show what is wrong, each at its field, and go to the first of them. */
  showErrors(errors: ReadonlyMap<string, string>): void {
    this._general.textContent = errors.get('') ?? '';
    for (const key of this._inputs.keys()) {
      this._setError(key, errors.get(key) ?? '');
    }
    const [first] = errors.keys();
    this._inputs.get(first ?? '')?.focus();
  }

  /** Show why the server refuses, at the field that it names. */
  showRefusal(message: string): void {
    const field = fieldOfRefusal(message, this._fields);
    const allowed = /is not allowed: (.*?)\)?$/s.exec(message)?.[1];
    const words = allowed ? this._trans.__('Not allowed. Allowed: %1', allowed) : message;
    this.showErrors(new Map(field ? [[keyOf(field), words]] : []));
    this._general.textContent = field ? '' : message;
  }

  private _add(field: IOptionField, text: string): void {
    const key = keyOf(field);
    const id = `${this._id}-${this._inputs.size}`;
    const row = document.createElement('div');
    row.className = 'jp-fleet-OptionsForm-row';
    const label = document.createElement('label');
    label.htmlFor = id;
    const needed = field.required && field.fallback === undefined;
    label.textContent = needed ? this._trans.__('%1 (needed)', field.label) : field.label;
    const input = inputFor(field, this._trans);
    input.id = id;
    input.classList.add('jp-mod-styled');
    input.value = text;
    // Not `required`, nor limits of the browser's own: a dialog grays its buttons out while a field
    // is invalid, and says nothing.
    input.setAttribute('aria-required', String(needed));
    input.addEventListener('change', () => {
      const wrong = input.value ? this.getValue().errors.get(key) : undefined;
      this._setError(key, wrong ?? '');
    });
    const help = document.createElement('div');
    help.id = `${id}-help`;
    help.className = 'jp-fleet-OptionsForm-help';
    help.textContent = field.help;
    const error = document.createElement('div');
    error.id = `${id}-error`;
    error.className = 'jp-fleet-OptionsForm-error';
    error.setAttribute('role', 'alert');
    input.setAttribute('aria-describedby', `${help.id} ${error.id}`);
    row.append(label, input, help, error);
    this.node.append(row);
    this._inputs.set(key, input);
    this._errors.set(key, error);
  }

  private _setError(key: string, text: string): void {
    this._errors.get(key)!.textContent = text;
    this._inputs.get(key)!.setAttribute('aria-invalid', String(text !== ''));
  }

  private readonly _fields: readonly IOptionField[];
  private readonly _missing: string;
  private readonly _trans: TranslationBundle;
  private readonly _id: string;
  private readonly _general = document.createElement('div');
  private readonly _inputs = new Map<string, Input>();
  private readonly _errors = new Map<string, HTMLElement>();
}

function inputFor(field: IOptionField, trans: TranslationBundle): Input {
  const { kind, fallback } = field;
  const usual = fallback === undefined ? '' : usualWords(field, trans);
  if (kind === 'choice') {
    const select = document.createElement('select');
    for (const [value, text] of choicesOf(field, trans)) {
      select.append(new Option(text, value));
    }
    return select;
  }
  if (kind === 'lines' || kind === 'pairs' || kind === 'json') {
    const area = document.createElement('textarea');
    area.rows = 3;
    area.spellcheck = false;
    const example = {
      lines: trans.__('One a line'),
      pairs: trans.__('NAME=VALUE'),
      json: exampleOf(field)
    };
    area.placeholder = usual || example[kind];
    return area;
  }
  const input = document.createElement('input');
  input.type = 'text';
  input.inputMode = { integer: 'numeric', number: 'decimal' }[kind as string] ?? 'text';
  input.spellcheck = false;
  input.placeholder = usual;
  return input;
}
