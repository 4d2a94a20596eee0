"""The machine: everything that talks to the kernel and the file system."""
