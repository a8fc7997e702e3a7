import type { CommandRegistry } from '@lumino/commands';

/** A command as the registry keeps it; what is changed in it takes effect. */
export interface ICommand {
  isEnabled: (args: unknown) => boolean;
  execute: (args: unknown) => unknown;
}

/**
 * The entry of one of JupyterLab's commands in the registry, to change what it does.
 *
 * The registry has no call for that.
 *
 * @returns null if there is no such command, or if the registry's inside has changed.
 */
export function registeredCommand(commands: CommandRegistry, id: string): ICommand | null {
  const inside = (commands as unknown as { _commands?: unknown })._commands;
  const command: unknown = inside instanceof Map ? inside.get(id) : undefined;
  return isCommand(command) ? command : null;
}

function isCommand(value: unknown): value is ICommand {
  const command = value as Partial<ICommand> | undefined;
  return typeof command?.isEnabled === 'function' && typeof command.execute === 'function';
}
