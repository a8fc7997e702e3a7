"""What the organisation's platform says: who a caller is, and their role in each project.

Tokens, roles, project names and the encryption of secrets at rest. Labs and gateways both use this
package, each in its own environment, so nothing of Jupyter, of a database or of a web server may be
imported here: the standard library, PyJWT and cryptography only.
"""
