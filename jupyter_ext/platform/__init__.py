"""What the organisation's platform tells us: who a caller is, what they may do, in which project.

Tokens, roles, project names and the encryption of secrets at rest. Labs and gateways both use this
package, each in its own environment, so nothing of Jupyter, of a database or of a web server may be
imported here: the standard library, PyJWT and cryptography only.
"""
