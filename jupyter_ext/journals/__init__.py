"""What kernels have said, kept in the store: it outlives their containers.

`rows` is all of its SQL, `told` decides what a reader gets, `kept` acts on the database and the
store. Every object has its row before it is written, and until it is deleted: nothing is in the
store that cannot be found. Nothing of sessions or userdata.
"""
