import type { CommandRegistry } from '@lumino/commands';

/**
 * Put another command in the place of one of JupyterLab's, now or as soon as JupyterLab adds it.
 *
 * The registry has no call for that; where its inside has changed, JupyterLab's command stays.
 */
export function replaceCommand(
  commands: CommandRegistry,
  id: string,
  options: CommandRegistry.ICommandOptions
): void {
  const replace = () => {
    const inside = (commands as unknown as { _commands?: unknown })._commands;
    if (inside instanceof Map && inside.delete(id)) {
      commands.addCommand(id, options);
    }
  };
  if (commands.hasCommand(id)) {
    replace();
    return;
  }
  const added = (_: CommandRegistry, change: CommandRegistry.ICommandChangedArgs) => {
    if (change.id === id && change.type === 'added') {
      commands.commandChanged.disconnect(added);
      replace();
    }
  };
  commands.commandChanged.connect(added);
}
