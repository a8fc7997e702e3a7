import { Dialog, type ISessionContext } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { type Kernel, type KernelSpec, ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';

import { kernelOfForm } from '../launches/kernelOfForm.js';
import type { IEntered } from '../launches/optionEntry.js';
import { type IOptionField, optionFields, type Options } from '../launches/optionFields.js';
import { OptionsForm } from '../launches/optionsForm.js';
import type { ISchema } from '../launches/optionSchema.js';
import { projectOf } from '../user/fleetUser.js';
import { refusedKernel, rememberRefused } from './refusedChange.js';

export const IStartOptions = new Token<StartOptions>('jupyter-fleet:IStartOptions');

/** What the server offers for a kernel in a project; see docs/protocols.md. */
interface IOffer {
  readonly fields: readonly IOptionField[];
  /** What the fields show that are left empty. */
  readonly defaults: Readonly<Options>;
  readonly chosen: Readonly<Options>;
}

/** Kernels that are started with options: the question about them and the start. */
export class StartOptions {
  constructor(
    specs: KernelSpec.IManager,
    settings: ServerConnection.ISettings,
    trans: TranslationBundle
  ) {
    this._specs = specs;
    this._settings = settings;
    this._trans = trans;
  }

  /** Whether there is a kernel to start in this document that has options. */
  areThere(context: ISessionContext): boolean {
    return context.kernelPreference.canStart !== false && this._names().length > 0;
  }

  /** Whether a kernel has options. */
  has(name: string | undefined): boolean {
    return name !== undefined && this._names().includes(name);
  }

  /**
   * Ask with which options to start a document's kernel, and start it.
   *
   * What the server refuses is shown at its field, and asked again.
   *
   * @param name - The kernel, if it has been chosen already.
   * @returns whether a kernel was started.
   */
  ask(context: ISessionContext, name?: string): Promise<boolean> {
    return this._ask(context, { name }, name === undefined);
  }

  /**
   * The same for a kernel that was asked for and did not come; a person may choose another one.
   *
   * @param asked - As far as known: its name, and the options that the server has not accepted.
   */
  askAgain(context: ISessionContext, asked: Partial<Kernel.IModel>): Promise<boolean> {
    return this._ask(context, asked, true);
  }

  private async _ask(
    context: ISessionContext,
    asked: Partial<Kernel.IModel> & { launch_options?: Readonly<Options> },
    mayChoose: boolean
  ): Promise<boolean> {
    const known = [
      asked.name,
      context.session?.kernel?.name,
      context.prevKernelName,
      context.kernelPreference.name
    ];
    const refusedBefore = refusedKernel(context);
    const names = this._names();
    const { chosen, without } = kernelOfForm(known, names);
    let kernel = chosen;
    let offer = await this._offer(context.path, kernel);
    if (kernel !== null && kernel === asked.name && asked.launch_options) {
      offer = { ...offer, chosen: asked.launch_options };
    }
    let refusal = '';
    for (;;) {
      const selects = mayChoose && (kernel === null || names.length > 1);
      const select = selects ? this._selectKernel(kernel) : null;
      const missing = kernel === null ? this._choiceWords(without) : '';
      const form = new OptionsForm(offer.fields, offer.chosen, select, missing, this._trans);
      const answer = await this._launch(form, kernel, refusal);
      if (answer === null || context.isDisposed) {
        return false;
      }
      if (typeof answer === 'string') {
        kernel = answer;
        offer = await this._offer(context.path, kernel);
        refusal = '';
        continue;
      }
      try {
        await context.changeKernel({
          name: kernel!,
          launch_options: answer.options,
          // The operator may change the defaults while the form is open.
          launch_defaults: offer.defaults
        } as Partial<Kernel.IModel>);
        return true;
      } catch (error) {
        if (!(error instanceof ServerConnection.ResponseError) || error.response.status !== 400) {
          throw error;
        }
        // It is asked for again here, with other options, or not at all.
        rememberRefused(context, refusedBefore);
        refusal = error.message;
        offer = { ...(await this._offer(context.path, kernel)), chosen: answer.options };
      }
    }
  }

  /** Show the form until what was entered can be sent; null if a person cancels. */
  private async _launch(
    form: OptionsForm,
    kernel: string | null,
    refusal: string
  ): Promise<IEntered | string | null> {
    const trans = this._trans;
    const dialog = new OptionsDialog(form, {
      title:
        kernel === null
          ? trans.__('Start a Kernel')
          : trans.__('Start %1', this._displayName(kernel)),
      body: form,
      focusNodeSelector: refusal
        ? '.jp-fleet-OptionsForm [aria-invalid="true"]'
        : '.jp-fleet-OptionsForm :is(input, select, textarea)',
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Start') })]
    });
    if (refusal) {
      form.showRefusal(refusal);
    }
    const other = new Promise<string>(resolve => {
      const select = form.node.querySelector<HTMLSelectElement>('select[data-kernels]');
      select?.addEventListener('change', () => {
        resolve(select.value);
        dialog.reject();
      });
    });
    const answer = dialog.launch();
    const chosen = await Promise.race([other, answer]);
    if (typeof chosen === 'string') {
      await answer;
      return chosen;
    }
    return chosen.button.accept ? chosen.value : null;
  }

  private _selectKernel(kernel: string | null): HTMLElement {
    const row = document.createElement('div');
    row.className = 'jp-fleet-OptionsForm-row';
    const select = document.createElement('select');
    select.id = 'jp-fleet-options-kernel';
    select.className = 'jp-mod-styled';
    select.dataset.kernels = 'true';
    if (kernel === null) {
      const choose = new Option(this._trans.__('Choose a kernel'), '', true, true);
      choose.disabled = true;
      select.append(choose);
    }
    for (const name of this._names()) {
      select.append(new Option(this._displayName(name), name, false, name === kernel));
    }
    // Beside the select: a label around it would be named after all its options, too.
    const label = document.createElement('label');
    label.htmlFor = select.id;
    label.textContent = this._trans.__('Kernel');
    row.append(label, select);
    return row;
  }

  private _choiceWords(without: string | null): string {
    return without === null
      ? this._trans.__('Choose the kernel to start.')
      : this._trans.__(
          '%1 has no options. Choose another kernel to start, or cancel.',
          this._displayName(without)
        );
  }

  /** What may be chosen for a kernel at a path, and what was chosen last. */
  private async _offer(path: string, kernel: string | null): Promise<IOffer> {
    if (kernel === null) {
      return { fields: [], defaults: {}, chosen: {} };
    }
    const { baseUrl } = this._settings;
    const offered = (await this._get(
      URLExt.join(baseUrl, 'api/fleet/kernelspecs', encodeURIComponent(kernel), 'launch-options') +
        URLExt.objectToQueryString({ project: projectOf(path) })
    )) as { schema: ISchema; defaults?: Options };
    const last = (await this._get(
      URLExt.join(baseUrl, 'api/fleet/launch-choices') +
        URLExt.objectToQueryString({ path, kernel })
    )) as { user: Options | null; document: Options | null };
    const defaults = offered.defaults ?? {};
    return {
      fields: optionFields(offered.schema, defaults, this._trans),
      defaults,
      chosen: last.document ?? last.user ?? {}
    };
  }

  private async _get(url: string): Promise<unknown> {
    const response = await ServerConnection.makeRequest(url, {}, this._settings);
    if (!response.ok) {
      throw await ServerConnection.ResponseError.create(response);
    }
    return response.json();
  }

  /** The kernels with options, in the order of their names for people. */
  private _names(): string[] {
    const specs = this._specs.specs?.kernelspecs ?? {};
    return Object.keys(specs)
      .filter(name => declaresOptions(specs[name]))
      .sort((a, b) => this._displayName(a).localeCompare(this._displayName(b)));
  }

  private _displayName(name: string): string {
    return this._specs.specs?.kernelspecs[name]?.display_name ?? name;
  }

  private readonly _specs: KernelSpec.IManager;
  private readonly _settings: ServerConnection.ISettings;
  private readonly _trans: TranslationBundle;
}

/** A dialog that stays open while what was entered cannot be sent. */
class OptionsDialog extends Dialog<IEntered> {
  constructor(form: OptionsForm, options: Partial<Dialog.IOptions<IEntered>>) {
    super(options);
    this._form = form;
  }

  resolve(index?: number): void {
    const { errors } = this._form.getValue();
    // Without an index it is the default button: Start.
    if (index !== 0 && errors.size) {
      this._form.showErrors(errors);
      return;
    }
    super.resolve(index);
  }

  private readonly _form: OptionsForm;
}

/** Whether a kernelspec declares options, in its `metadata.fleet.launch_options`. */
function declaresOptions(spec: KernelSpec.ISpecModel | undefined): boolean {
  const fleet = spec?.metadata?.fleet as { launch_options?: ISchema } | undefined;
  return Object.keys(fleet?.launch_options?.properties ?? {}).length > 0;
}
