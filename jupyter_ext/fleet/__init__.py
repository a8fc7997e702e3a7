"""``jupyter fleet``: a whole fleet on one machine, supervised.

It writes configuration files and starts labs, gateways, the object store and the front as separate
programs, under a supervisor that may also die at any time. It talks to them over HTTP, as any other
client does: of contents, sessions and kernels, only the code that creates and checks the bucket and
that checks a database URL may be imported here.
"""
