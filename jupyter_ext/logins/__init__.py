"""Logins of browsers: rows in the labs' database, under the hash of a random ID that the browser
has in a cookie; and the revocations of tokens, which outlive them.

Nothing here knows requests, cookies or routes (that is auth), contents, sessions or kernels.
"""
