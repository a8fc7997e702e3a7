"""The journal's part on disk: the format of its files, and the files of one journal.

The standard library alone, and of the agent only `entry`. `format` and `codec` decide; `writer`
and `files` act, and block: they are called in threads.
"""
