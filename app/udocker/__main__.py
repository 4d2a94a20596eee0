import sys

from udocker.cli import main

if __name__ == "__main__":
    sys.exit(main())
