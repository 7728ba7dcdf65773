"""`manage.py up`: starts everything the product needs on one machine, watches it, and leaves nothing behind.

The supervisor starts one keeper per process, and the keeper starts the process itself. Both are sub-reapers:
whatever a process leaves behind, in whatever process group, comes back to its keeper, and what a killed
keeper leaves behind comes back to the supervisor. So one SIGKILL anywhere in the tree leaves nothing running.
"""
