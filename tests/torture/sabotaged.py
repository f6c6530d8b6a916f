"""`python -m torture.sabotaged NAME[,NAME] serve ...`: the service lacking safeguards. See `sabotage.py`."""

import sys

from pexservice.cli import main
from torture.sabotage import sabotaged

if __name__ == "__main__":
    names = sys.argv.pop(1)
    with sabotaged(*names.split(",")):
        main()
