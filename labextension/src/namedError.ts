/** An error that JupyterLab tells by its name; it shows none called Modal…Error. */
export function namedError(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}
