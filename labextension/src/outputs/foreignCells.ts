import { ForeignHandler } from '@jupyterlab/console';

/**
 * Have consoles show what others run in their kernel ("Show All Kernel Activity") as others' outputs.
 *
 * JupyterLab trusts each of these cells, as if the user had run it.
 */
export function distrustForeignCells(): void {
  // A console makes its handler itself: no factory could give it another class.
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this`
  const stock = ForeignHandler.prototype['onIOPubMessage'];
  ForeignHandler.prototype['onIOPubMessage'] = function (this: ForeignHandler, context, message) {
    const isShown = stock.call(this, context, message);
    if (isShown && message.header.msg_type === 'execute_input') {
      const request = (message.parent_header as { msg_id: string }).msg_id;
      const cell = this.parent.getCell(request);
      if (cell) {
        cell.model.trusted = false;
      }
    }
    return isShown;
  };
}
