"""``jupyter fleet``: a whole fleet on one machine, supervised.

It writes configuration files and starts labs, gateways, the object store and the front as programs
of their own, under a supervisor that may die at any time too. It talks to them over HTTP like
everybody else: nothing of the contents, sessions or kernels may be imported here except what makes
and checks the bucket, and the checks of a database URL.
"""
