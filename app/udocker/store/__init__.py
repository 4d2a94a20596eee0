"""What is on disk, in the layout of udocker 1.3.x."""
