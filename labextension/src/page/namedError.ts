/** An error that JupyterLab recognizes by its name; it shows no error called Modal…Error. */
export function namedError(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}
