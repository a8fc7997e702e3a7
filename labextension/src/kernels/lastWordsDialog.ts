import { Dialog, showDialog } from '@jupyterlab/apputils';
import { OutputArea, OutputAreaModel } from '@jupyterlab/outputarea';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';

import type { IHeldMetadata } from '../contents/heldMetadata.js';
import { endReason, type IKeptHead, type IOutput } from './keptJournal.js';

/** What a kernel said last of one request. */
export interface ILastOutput {
  /** Null if it is not known which one it ran. */
  readonly cell: string | null;
  readonly count: number | null;
  readonly sent: string | null;
  readonly outputs: readonly IOutput[];
  readonly held: IHeldMetadata;
}

/**
 * Show what a kernel that has ended said last. No script in it runs.
 *
 * @returns whether it is to be put into the cells.
 */
export async function showLastWords(
  head: IKeptHead,
  outputs: readonly ILastOutput[],
  rendermime: IRenderMimeRegistry,
  trans: TranslationBundle
): Promise<boolean> {
  const body = new Panel();
  body.addClass('jp-fleet-LastWords');
  for (const line of aboutEnd(head, trans)) {
    body.addWidget(textLine(line));
  }
  for (const { count, sent, outputs: values } of outputs) {
    const when = sent ? new Date(sent).toLocaleString() : '';
    body.addWidget(textLine(`[${count ?? ' '}] ${when}`));
    const model = new OutputAreaModel({ values: values as never, trusted: false });
    body.addWidget(new OutputArea({ model, rendermime }));
  }
  const put = Dialog.okButton({ label: trans.__('Put Into the Cells') });
  const close = Dialog.cancelButton({ label: trans.__('Close') });
  const { button } = await showDialog({
    title: trans.__('What the Kernel Said Last'),
    body,
    buttons: outputs.some(({ cell }) => cell !== null) ? [close, put] : [close]
  });
  return button.accept;
}

/** How the kernel ended, and what is missing. */
function aboutEnd(head: IKeptHead, trans: TranslationBundle): string[] {
  const when = new Date(head.changed).toLocaleString();
  const reason = endReason(head);
  const lines = [
    reason
      ? trans.__('The kernel has ended: %1. It said this until %2.', reason, when)
      : trans.__('The kernel has ended. It said this until %1.', when)
  ];
  if (head.lost_seconds === null) {
    lines.push(
      trans.__('It had said more than was kept by then: what came after that is missing.')
    );
  } else if (head.lost_seconds > 0) {
    lines.push(trans.__('What it said in its last %1 seconds may be missing.', head.lost_seconds));
  }
  const missing = head.missing.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  if (missing) {
    lines.push(trans._n('%1 message is missing.', '%1 messages are missing.', missing));
  }
  return lines;
}

function textLine(text: string): Widget {
  const line = new Widget();
  line.node.textContent = text;
  return line;
}
