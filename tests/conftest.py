import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
for folder in (ROOT, os.path.join(ROOT, "app")):
    if folder not in sys.path:
        sys.path.insert(0, folder)
