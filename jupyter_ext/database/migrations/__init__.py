"""The lab's migrations, oldest first in `versions/`. Run by `jupyter_ext.database.migrate`."""
